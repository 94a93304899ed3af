"""The model: made when there is none or when what it is made from has changed.

Road: before the engine starts, and `andrum train`. Promise: the model's name holds a fingerprint of everything that goes
into it (config, domain, examples, rules, stories, the pipeline's own code), so a model is never older than its data; a
half-written model is never found under its name. Never: learns from use; no message of a visitor can reach it.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bot.language.detection import DETECTOR_FILE
from bot.settings import Settings

MODELS = Path("models")
# They look at a model; nothing of them goes into it.
ONLY_MEASURE = frozenset({"bot/nlu/evaluation.py", "bot/nlu/bench.py"})


class TrainingFailed(RuntimeError):
    """Rasa made no model; what it printed before says why."""


def ingredients(root: Path) -> Iterator[Path]:
    """Every file that the model is made from, in a fixed order."""
    for name in ("config.yml", "domain.yml"):
        yield root / name
    for name in ("languages", "language_names", "language_others", "romanisation"):
        yield root / "data" / f"{name}.yml"
    for folder in ("data/nlu", "data/rules", "data/stories", "data/lexicon", "data/concepts"):
        yield from sorted((root / folder).rglob("*.yml"))
    for folder in ("bot/nlu", "bot/language"):
        found = sorted((root / folder).rglob("*.py"))
        yield from (path for path in found if str(path.relative_to(root)) not in ONLY_MEASURE)


def current_model(root: Path) -> Path:
    """Where the model for the data as it is now lies, or would lie."""
    digest = hashlib.sha256()
    for path in ingredients(root):
        digest.update(str(path.relative_to(root)).encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return root / MODELS / f"andrum-{digest.hexdigest()[:12]}.tar.gz"


def learned_languages(model: Path) -> Path:
    """What was learned of the languages, in a file beside the model, for the edge, which cannot read Rasa's archives."""
    return model.with_name(model.name.replace(".tar.gz", ".languages.json"))


def _detector_in(model: Path) -> bytes:
    """What the pipeline's language identifier learned, as it is kept in the archive."""
    with tarfile.open(model) as archive:
        for member in archive:
            if member.name.endswith(f"/{DETECTOR_FILE}") and (content := archive.extractfile(member)):
                return content.read()
    raise TrainingFailed("the model holds no language identifier; config.yml must name bot.nlu.components.LanguageIdentifier.")


def train(root: Path, settings: Settings, force: bool = False) -> Path:
    """Return the model for the data as it is now, training it first if it is not there (or `force`).

    Prints what it does, since it takes from half a minute up. Raises TrainingFailed. Imports Rasa.
    """
    model = current_model(root)
    if model.exists() and learned_languages(model).exists() and not force:
        print(f"Model: {model.name} is up to date.", flush=True)
        return model
    began = time.monotonic()
    print("Model: the data has changed or there is none yet; training (a minute or so) ...", flush=True)
    model.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=model.parent, prefix=".training-") as scratch:
        from bot.engine import host

        host.prepare(settings, Path(scratch))
        import rasa.model_training
        import structlog
        from rasa.shared.importers.importer import TrainingDataImporter

        from bot.nlu.importer import ExamplesImporter

        # Unconfigured, structlog prints every step at debug.
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
        os.chdir(root)
        importer = ExamplesImporter(root)
        # Rasa would wrap an importer from config.yml into three others, each of which copies all examples. This process trains
        # once and ends, so nothing else meets the change.
        TrainingDataImporter.load_from_config = lambda *_: importer
        result = rasa.model_training.train(
            domain="domain.yml",
            config="config.yml",
            training_files="data",
            output=scratch,
            fixed_model_name=model.name.removesuffix(".tar.gz"),
            # Rasa's cache knows a component by its class's own source only, not by the modules it uses.
            force_training=True,
        )
        if result.code != 0 or not result.model:
            raise TrainingFailed("Rasa made no model; see its messages above.")
        languages = Path(scratch) / "languages.json"
        languages.write_bytes(_detector_in(Path(result.model)))
        os.replace(languages, learned_languages(model))
        os.replace(result.model, model)
    for old in model.parent.glob("andrum-*"):
        if old not in (model, learned_languages(model)):
            old.unlink()
    print(f"Model: {model.name} ready after {time.monotonic() - began:.0f} s.", flush=True)
    return model
