"""`andrum bench nlu`: our understanding beside Rasa's own pipelines, on the same examples and held-out sentences.

Road: beside everything, above bot/nlu; the command line starts it, and it starts a process of its own for each pipeline, so
that memory and modules are that pipeline's alone. Each is trained and asked in the same way: through Rasa, from the same
files, sentence by sentence. Promise: the table says on what it was measured; a pipeline that cannot run here says what it
needs instead of a figure. Never: shows a sentence, asserts a time, touches the model that is served, or changes a threshold.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bot.nlu.evaluation import Case, EvaluationError, read_cases
from bot.nlu.examples import Example, read_examples

OURS, STOCK, DIET = "ours", "stock", "diet"
CURVE, CLINC = "curve", "clinc"
DIET_EPOCHS = 15
NAMES = {
    OURS: "ours (config.yml)",
    STOCK: "stock Rasa: letters 1 to 4, logistic regression",
    DIET: f"stock Rasa: DIET with its default features, {DIET_EPOCHS} epochs",
}
NEEDS_TENSORFLOW = "needs the maintainers' environment"
EXAMPLES_AN_INTENT = (5, 10, 20, 40)
SEED = 1
SECONDS_BETWEEN_LOOKS = 0.1

_TOKENS = {"name": "WhitespaceTokenizer"}
_LETTERS = {"name": "CountVectorsFeaturizer", "analyzer": "char_wb", "min_ngram": 1, "max_ngram": 4}


class BenchFailed(RuntimeError):
    """A pipeline could not be measured; the message says which and what it printed last."""


@dataclass(frozen=True)
class Subset:
    """What all pipelines learn from and are asked."""

    data: Path
    languages: tuple[str, ...]
    files: tuple[Path, ...]
    # Of each intent in each language; None for all.
    most: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """As it is sent to the process that measures."""
        files = [str(path.resolve()) for path in self.files]
        return {"data": str(self.data.resolve()), "languages": list(self.languages), "files": files, "most": self.most}

    @classmethod
    def from_dict(cls, sent: dict[str, Any]) -> Subset:
        files = tuple(Path(path) for path in sent["files"])
        return cls(Path(sent["data"]), tuple(sent["languages"]), files, sent["most"])

    def examples(self) -> list[Example]:
        of_languages = [example for example in dict.fromkeys(read_examples(self.data)) if example.language in self.languages]
        return choose(of_languages, self.most)

    def cases(self) -> list[Case]:
        intents = {example.intent for example in read_examples(self.data)}
        return [case for path in self.files for case in read_cases(path, intents)]


def subset(root: Path, languages: Sequence[str], most: int | None = None) -> Subset:
    """Our own held-out sentences of these languages. Raises EvaluationError."""
    files = [root / "tests" / "nlu" / f"{tag}.tsv" for tag in languages]
    return of_files(root, files, most)


def of_files(root: Path, files: Sequence[Path], most: int | None = None) -> Subset:
    """The languages that the files are named after. Raises EvaluationError."""
    chosen = Subset(root / "data", tuple(dict.fromkeys(path.stem for path in files)), tuple(files), most)
    learned = {path.name for path in (chosen.data / "nlu").iterdir()}
    for path in files:
        if path.stem not in learned:
            raise EvaluationError(f"{path}: data/nlu has no language {path.stem}; there are {', '.join(sorted(learned))}")
    chosen.cases()
    return chosen


def choose(examples: Sequence[Example], most: int | None) -> list[Example]:
    """At most so many examples of each intent in each language, by lot; a larger choice holds the smaller one."""
    groups: dict[tuple[str, str], list[Example]] = defaultdict(list)
    for example in sorted(examples):
        groups[example.language, example.intent].append(example)
    for (language, intent), group in groups.items():
        random.Random(f"{SEED} {language} {intent}").shuffle(group)
    return sorted(example for group in groups.values() for example in group[:most])


def real_tensorflow() -> bool:
    """Whether this environment has TensorFlow itself."""
    with contextlib.suppress(ValueError):
        return importlib.util.find_spec("tensorflow") is not None
    return False


def pipeline(name: str, data: Path) -> list[dict[str, Any]]:
    """The components, as config.yml would name them."""
    if name == OURS:
        ours = ("LanguageIdentifier", "IntentClassifier")
        return [{"name": f"bot.nlu.components.{component}", "data_dir": str(data)} for component in ours]
    if name == STOCK:
        return [_TOKENS, _LETTERS, {"name": "LogisticRegressionClassifier"}]
    # Rasa's default without what does nothing for intents: synonyms, response selector, fallback.
    words = ("RegexFeaturizer", "LexicalSyntacticFeaturizer", "CountVectorsFeaturizer")
    classifier = {"name": "DIETClassifier", "epochs": DIET_EPOCHS, "constrain_similarities": True, "random_seed": SEED}
    return [_TOKENS, *({"name": component} for component in words), _LETTERS, classifier]


def measure(root: Path, chosen: Subset, clinc: Path | None = None) -> dict[str, Any]:
    """All figures. Raises BenchFailed."""
    figures: dict[str, Any] = {
        "languages": list(chosen.languages),
        "examples": len(chosen.examples()),
        "most": chosen.most,
        "sentences": len(chosen.cases()),
        "pipelines": {OURS: against(root, OURS, chosen), STOCK: against(root, STOCK, chosen)},
    }
    figures["pipelines"][DIET] = against(root, DIET, chosen) if real_tensorflow() else None
    figures["curve"] = _process(root, {"what": CURVE, "subset": chosen.as_dict()})["curve"]
    if clinc:
        figures["clinc"] = _process(root, {"what": CLINC, "path": str(clinc.resolve())})
    return figures


def against(root: Path, name: str, chosen: Subset) -> dict[str, Any]:
    """The figures of one pipeline. Raises BenchFailed."""
    return _process(root, {"what": name, "subset": chosen.as_dict()})


def _process(root: Path, job: dict[str, Any]) -> dict[str, Any]:
    """Do the job in a process of its own, and look how much memory it and its children take together."""
    with tempfile.TemporaryDirectory() as folder:
        result, printed = Path(folder) / "result.json", Path(folder) / "printed.txt"
        with printed.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "bot.nlu.bench", json.dumps({**job, "result": str(result)})],
                cwd=root,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        most = 0.0
        try:
            while process.poll() is None:
                most = max(most, _memory(process.pid))
                time.sleep(SECONDS_BETWEEN_LOOKS)
        finally:
            process.kill()
            process.wait()
        if process.returncode or not result.exists():
            last = printed.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
            raise BenchFailed(f"{job['what']}: could not be measured: {''.join(last)}")
        figures: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        return {**figures, "megabytes": most}


def _session(leader: int) -> Iterator[int]:
    """The processes that a process began, itself among them."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError):
                # The name in brackets may hold anything; after it come state, parent, group, session.
                if int((entry / "stat").read_text().rpartition(")")[2].split()[3]) == leader:
                    yield int(entry.name)


def _memory(leader: int) -> float:
    """Megabytes of a process at its highest until now, or now with what its children have beyond what they share with it."""
    together = 0
    for pid in _session(leader):
        found = _kilobytes(Path(f"/proc/{pid}/smaps_rollup"))
        own = found.get("Private_Clean", 0) + found.get("Private_Dirty", 0)
        together += found.get("Rss", 0) if pid == leader else own
    return max(together, _kilobytes(Path(f"/proc/{leader}/status")).get("VmHWM", 0)) / 1024


def _kilobytes(path: Path) -> dict[str, int]:
    """The amounts of memory in one of the kernel's files; empty when the process has ended."""
    with contextlib.suppress(OSError):
        rows = (line.split() for line in path.read_text().splitlines() if line.endswith(" kB"))
        return {row[0].rstrip(":"): int(row[1]) for row in rows}
    return {}


def as_table(figures: dict[str, Any]) -> str:
    """Markdown."""
    languages = figures["languages"]
    most = f"at most {figures['most']} an intent" if figures["most"] else "all there are"
    lines = [
        f"`andrum bench nlu` on {time.strftime('%Y-%m-%d')}: Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"{platform.machine()}. Languages {', '.join(languages)}: {figures['examples']} examples ({most}), "
        f"{figures['sentences']} held-out sentences. Each pipeline alone in a process of its own, trained and asked through "
        "Rasa; seconds and MB are those of Rasa's training with that pipeline.",
        "",
        "| pipeline | s to train | MB, most | MB, model | ms, median | ms, p95 | first, % | in three, % |"
        f"{''.join(f' {tag} first |' for tag in languages)}",
        f"|---|{'---:|' * (7 + len(languages))}",
    ]
    for name, found in figures["pipelines"].items():
        if found is None:
            lines.append(f"| {NAMES[name]} | {NEEDS_TENSORFLOW} |{' |' * (6 + len(languages))}")
            continue
        cells = [found["seconds"], found["megabytes"], found["model"], found["median"], found["p95"]]
        cells += [100 * found["all"]["first"], 100 * found["all"]["in_three"]]
        cells += [100 * found["languages"][tag]["first"] for tag in languages]
        lines.append(f"| {NAMES[name]} | {' | '.join(f'{cell:.1f}' for cell in cells)} |")
    lines += [
        "",
        f"How ours learns: examples of each intent in each language, chosen by lot (seed {SEED}), the same sentences asked.",
        "",
        "| examples an intent | all | s to train, without Rasa | first, % | in three, % |",
        "|---:|---:|---:|---:|---:|",
    ]
    for point in figures["curve"]:
        cells = [point["seconds"], 100 * point["all"]["first"], 100 * point["all"]["in_three"]]
        lines.append(f"| {point['most']} | {point['examples']} | {' | '.join(f'{cell:.1f}' for cell in cells)} |")
    if "clinc" in figures:
        lines += ["", clinc_line(figures["clinc"])]
    return "\n".join(lines)


def clinc_line(found: dict[str, Any]) -> str:
    """What the architecture does with somebody else's data."""
    return (
        f"The architecture alone, without our words, on CLINC150 (Larson et al. 2019): {found['examples']} examples, "
        f"150 intents; the threshold chosen on its validation set. In scope {100 * found['in_scope']:.1f} % right, out of "
        f"scope {100 * found['recall']:.1f} % found ({100 * found['in_scope_without']:.1f} % right in scope without a "
        f"threshold); {found['seconds']:.0f} s to train."
    )


def beside(ours: dict[str, Any], stock: dict[str, Any]) -> str:
    """For a terminal: ours as `andrum evaluate` found it, and the stock pipeline. `ours`: Report.as_dict()["figures"]."""
    lines = [
        f"against {NAMES[STOCK]}, trained just now on the same languages' examples ({stock['seconds']:.1f} s):",
        "language  first: ours  stock   in 3: ours  stock",
    ]
    for tag, found in [*stock["languages"].items(), ("all", stock["all"])]:
        own = ours[tag]["all"]
        shares = [100 * value for value in (own["first"], found["first"], own["in_three"], found["in_three"])]
        lines.append("{:8}       {:5.1f}  {:5.1f}        {:5.1f}  {:5.1f}".format(tag, *shares))
    lines.append(f"time for a message, stock: median {stock['median']:.2f} ms, p95 {stock['p95']:.2f} ms")
    return "\n".join(lines)


def _judge(cases: Sequence[Case], rank: Callable[[str], Sequence[str]]) -> dict[str, Any]:
    """Ask every sentence; shares and times."""
    judged: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    times: list[float] = []
    for case in cases:
        began = time.perf_counter()
        ranking = rank(case.text)
        times.append((time.perf_counter() - began) * 1000)
        right = [intent in case.right for intent in ranking[:3]]
        judged[case.language].append((any(right[:1]), any(right)))
    return {
        "languages": {tag: _shares(found) for tag, found in judged.items()},
        "all": _shares([one for found in judged.values() for one in found]),
        "median": statistics.median(times),
        "p95": sorted(times)[int(len(times) * 0.95)],
    }


def _shares(judged: Sequence[tuple[bool, bool]]) -> dict[str, float]:
    first, in_three = (sum(column) / len(judged) for column in zip(*judged, strict=True))
    return {"first": first, "in_three": in_three}


def _through_rasa(name: str, chosen: Subset, scratch: Path) -> dict[str, Any]:
    """Train and ask one pipeline as `rasa train nlu` and Rasa's agent do."""
    from bot.engine import host
    from bot.settings import Settings

    settings = Settings()
    host.prepare(replace(settings, engine=replace(settings.engine, tensorflow="real" if name == DIET else "none")), scratch)
    # Otherwise Rasa takes what it learned from the same examples the last time.
    os.environ["RASA_CACHE_DIRECTORY"] = str(scratch / "cache")
    import rasa.model_training
    from rasa.core.agent import Agent
    from rasa.shared.constants import DEFAULT_NLU_FALLBACK_INTENT_NAME

    config = {"recipe": "default.v1", "assistant_id": "bench", "language": "mul", "pipeline": pipeline(name, chosen.data)}
    # JSON is YAML too.
    (scratch / "config.yml").write_text(json.dumps(config), encoding="utf-8")
    blocks = _as_training_data(chosen.examples())
    (scratch / "nlu.yml").write_text(blocks, encoding="utf-8")
    began = time.perf_counter()
    model = rasa.model_training.train_nlu(str(scratch / "config.yml"), str(scratch / "nlu.yml"), str(scratch / "model"))
    seconds = time.perf_counter() - began
    agent = Agent.load(model)
    loop = asyncio.new_event_loop()

    def rank(text: str) -> list[str]:
        # A leading slash would make Rasa take the text for the name of an intent.
        parsed = loop.run_until_complete(agent.parse_message(text.lstrip("/")))
        names = [str(row["name"]) for row in parsed["intent_ranking"]]
        return [intent for intent in names if intent != DEFAULT_NLU_FALLBACK_INTENT_NAME]

    rank("")  # The first one loads what the others find loaded.
    judged = _judge(chosen.cases(), rank)
    return {"seconds": seconds, "model": Path(str(model)).stat().st_size / 1e6, **judged}


def _as_training_data(examples: Sequence[Example]) -> str:
    """Rasa's file, the language in the metadata as ours have it."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for language, intent, text in examples:
        groups[language, intent].append(text)
    lines = ['version: "3.1"', "nlu:"]
    for (language, intent), texts in groups.items():
        lines += [f"- intent: {intent}", f"  metadata: {{language: {language}}}", "  examples: |"]
        lines += [f"    - {text}" for text in texts]
    return "\n".join(lines) + "\n"


def _curve(chosen: Subset) -> list[dict[str, Any]]:
    """Ours with few examples and with more."""
    from bot.nlu.model import IntentModel

    points = []
    for most in EXAMPLES_AN_INTENT:
        examples = replace(chosen, most=most).examples()
        began = time.perf_counter()
        model = IntentModel.train(examples, chosen.data)
        seconds = time.perf_counter() - began

        def rank(text: str, model: IntentModel = model) -> list[str]:
            return [intent for intent, _ in model.parse(text).ranking]

        points.append({"most": most, "examples": len(examples), "seconds": seconds, **_judge(chosen.cases(), rank)})
    return points


def _main(job: dict[str, Any]) -> None:
    """The measuring process."""
    with tempfile.TemporaryDirectory() as scratch:
        if job["what"] == CURVE:
            figures: dict[str, Any] = {"curve": _curve(Subset.from_dict(job["subset"]))}
        elif job["what"] == CLINC:
            figures = _clinc(Path(job["path"]))
        else:
            figures = _through_rasa(job["what"], Subset.from_dict(job["subset"]), Path(scratch))
    Path(job["result"]).write_text(json.dumps(figures), encoding="utf-8")


def _clinc(path: Path) -> dict[str, Any]:
    """In scope and out of scope on CLINC150, with the classifier alone: no lexicon, no concepts, one language."""
    from bot.nlu.concepts import Concepts
    from bot.nlu.romanisation import Romanisation
    from bot.nlu.safety import SafetyLexicon
    from bot.nlu.training import train

    content = json.loads(path.read_text(encoding="utf-8"))
    examples = [Example("en", intent, text) for text, intent in content["train"]]
    began = time.perf_counter()
    model = train(examples, SafetyLexicon({}), Concepts({}), Romanisation({}, {}))
    seconds = time.perf_counter() - began

    def judged(rows: Sequence[tuple[str, str]]) -> list[tuple[float, bool]]:
        found = [(model.parse(text, "en").ranking[0], intent) for text, intent in rows]
        return [(confidence, best == intent) for (best, confidence), intent in found]

    inside, outside = judged(content["val"]), judged(content["oos_val"])

    def right(threshold: float) -> int:
        """How many of the validation set: answered rightly, or rightly not answered."""
        answered = sum(is_right and confidence >= threshold for confidence, is_right in inside)
        return answered + sum(confidence < threshold for confidence, _ in outside)

    threshold = max((number / 100 for number in range(100)), key=right)
    inside, outside = judged(content["test"]), judged(content["oos_test"])
    return {
        "examples": len(examples),
        "seconds": seconds,
        "threshold": threshold,
        "in_scope": sum(is_right and confidence >= threshold for confidence, is_right in inside) / len(inside),
        "in_scope_without": sum(is_right for _, is_right in inside) / len(inside),
        "recall": sum(confidence < threshold for confidence, _ in outside) / len(outside),
    }


if __name__ == "__main__":
    _main(json.loads(sys.argv[1]))
