"""What the words of a message are about, under names that are the same in every language.

On the road: the intent model sees these beside the letters and words, so that what the Swedish examples teach about a
passport that was taken helps Romanian too, and a word that no example uses is still understood. The words stand in
data/concepts/<tag>.yml. It promises that a language without such a file works, only less well. It must never name a
concept in code: which ones matter for what, training finds out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from bot.nlu.normalise import fold, words
from bot.nlu.patterns import PatternError, WordPatterns, canonical


class ConceptsError(ValueError):
    """A concepts file cannot be used; the message says where and what to do."""


class Concepts:
    """The words of each language and the concepts that they speak of."""

    def __init__(self, files: Mapping[str, Mapping[str, list[str]]]) -> None:
        self._files = {tag: {name: list(written) for name, written in content.items()} for tag, content in files.items()}
        self._patterns: dict[str, WordPatterns] = {}
        self._concepts: dict[str, dict[str, list[str]]] = {}
        for tag, content in self._files.items():
            concepts: dict[str, list[str]] = defaultdict(list)
            for name, written in content.items():
                for word in written:
                    try:
                        concepts[canonical(word)].append(name)
                    except PatternError as error:
                        raise ConceptsError(f"{tag}.yml: {name}: {error}") from error
            self._concepts[tag] = dict(concepts)
            self._patterns[tag] = WordPatterns(concepts)

    @classmethod
    def load(cls, concepts_dir: Path | str) -> Concepts:
        """All files of data/concepts; there may be none."""
        files: dict[str, dict[str, list[str]]] = {}
        for path in sorted(Path(concepts_dir).glob("*.yml")):
            try:
                content = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
            except YAMLError as error:
                raise ConceptsError(f"{path}: not valid YAML: {error}") from error
            if not isinstance(content, dict) or not all(isinstance(listed, list) for listed in content.values()):
                raise ConceptsError(f"{path}: each line must be `concept: [word, word*, *word*]`")
            files[path.stem] = {str(name): [str(word) for word in listed] for name, listed in content.items()}
        return cls(files)

    def as_dict(self) -> dict[str, dict[str, list[str]]]:
        """For JSON, so that a trained model carries them."""
        return self._files

    def reader(self, language: str | None) -> Callable[[str], list[str]]:
        """For one message: gives the concepts of its normalised text and clauses, each once, in a fixed order.

        A message's clauses repeat its words, so the reader remembers them; it is dropped with the message.
        """
        if language not in self._patterns:
            return lambda _: []
        patterns, concepts = self._patterns[language], self._concepts[language]
        of_word: dict[str, set[str]] = {}

        def read(normalised: str) -> list[str]:
            found: set[str] = set()
            for word in words(fold(normalised)):
                if word not in of_word:
                    of_word[word] = {name for pattern in patterns.matches(word) for name in concepts[pattern]}
                found |= of_word[word]
            return sorted(found)

        return read
