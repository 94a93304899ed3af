"""The training data as Rasa's training takes it, read once and by our own reader.

Road: `andrum train` → Rasa's training → here → data/nlu, data/rules, data/stories. Rasa's own way reads each YAML file about
seven times and copies, compares and hashes each example at every step: a minute of waiting with thirty thousand examples, and
nothing gained. Promise: the examples, rules and stories are the same ones that `rasa train` would use (a test compares them).
Never: leaves anything out in silence; a file that the reader does not understand is an error with its line.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from rasa.shared.importers.rasa import RasaFileImporter
from rasa.shared.nlu.constants import INTENT, METADATA, METADATA_INTENT, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from bot.nlu.examples import Example, ExamplesError, read_examples


class _Examples(TrainingData):
    """Examples that are known to be clean and to differ, with a fingerprint that costs nothing."""

    def __init__(self, examples: list[Example]) -> None:
        super().__init__()
        self.training_examples = [
            Message({TEXT: text, INTENT: intent, METADATA: {METADATA_INTENT: {"language": language}}})
            for language, intent, text in examples
        ]
        self._fingerprint = hashlib.sha256(repr(examples).encode()).hexdigest()

    def fingerprint(self) -> str:
        return self._fingerprint


class ExamplesImporter(RasaFileImporter):
    """All that a training needs, from a project's folder."""

    def __init__(self, root: Path) -> None:
        self._data = root / "data"
        super().__init__(
            config_file=str(root / "config.yml"),
            domain_path=str(root / "domain.yml"),
            training_data_paths=[str(self._data)],
        )
        # Rasa finds examples in any file below the folder, our reader in these only.
        unread = sorted(set(self._nlu_files) - set(map(str, self._data.glob("nlu/*/*.yml"))))
        if unread:
            raise ExamplesError(f"{', '.join(unread)}: examples must stand in data/nlu/<tag>/<theme>.yml; move them there")

    def get_nlu_data(self, language: str | None = None) -> TrainingData:
        return _read(self._data)


@lru_cache(maxsize=1)
def _read(data: Path) -> TrainingData:
    # As Rasa does: the same example twice teaches once.
    return _Examples(list(dict.fromkeys(read_examples(data))))
