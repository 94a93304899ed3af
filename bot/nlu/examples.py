"""How people say it: the training examples, read without Rasa.

On the road: language detection at the edge and the training of the intents both learn from data/nlu/<tag>/<theme>.yml.
The files are Rasa's format, and Rasa reads them too; this reader exists because the edge has no Rasa, and because a
YAML library needs seconds for what must take a blink at start-up. So it knows only the shape that our files have, and
it promises to name file and line of anything else. It must never skip a line that it does not understand.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

_INTENT = re.compile(r"\s*- intent: ([a-z0-9_]+)\s*(?:#.*)?")
_LANGUAGE = re.compile(r"""\s+(?:metadata: \{\s*)?language: ["']?([A-Za-z0-9-]+)["']?\s*\}?\s*(?:#.*)?""")
_EXAMPLES = re.compile(r"\s+examples: \|[-+]?\s*")
_EXAMPLE = re.compile(r"\s+-(?: (.*)|\s*)")
_FRAME = re.compile(r"""\s+metadata:\s*(?:#.*)?|version: ["']3\.[01]["']\s*|nlu:\s*""")
_MARKUP = re.compile(r"\[[^\]]*\][({]")


class ExamplesError(ValueError):
    """A training file cannot be used; the message says file, line and what to do."""


class Example(NamedTuple):
    """One way of saying one thing in one language."""

    language: str
    intent: str
    text: str


def read_examples(data_dir: Path | str) -> list[Example]:
    """All examples below data/nlu, in a fixed order."""
    root = Path(data_dir) / "nlu"
    examples: list[Example] = []
    for path in sorted(root.glob("*/*.yml")):
        examples.extend(_read_file(path))
    return examples


def _read_file(path: Path) -> list[Example]:
    folder = path.parent.name
    examples: list[Example] = []
    intent: str | None = None
    language: str | None = None
    waiting: list[str] = []
    inside = False

    def close(line_number: int) -> None:
        """A block ends: its language may have stood below its examples."""
        if intent is None:
            return
        if language is None:
            raise ExamplesError(f"{path}:{line_number}: intent {intent} has no `metadata: {{language: {folder}}}`; add it")
        examples.extend(Example(language, intent, text) for text in waiting)
        waiting.clear()

    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        stripped = line.strip()
        if not stripped or (stripped.startswith("#") and not inside):
            continue
        if found := _INTENT.fullmatch(line):
            close(number)
            intent, language, inside = found[1], None, False
        elif inside and (found := _EXAMPLE.fullmatch(line)):
            text = (found[1] or "").strip()
            if not text:
                raise ExamplesError(f"{path}:{number}: an empty example; write one or remove the line")
            if _MARKUP.search(text):
                raise ExamplesError(f"{path}:{number}: entity markup is not used here; write the plain words")
            waiting.append(text)
        elif found := _LANGUAGE.fullmatch(line):
            if found[1] != folder:
                raise ExamplesError(f"{path}:{number}: language {found[1]} in the folder of {folder}; make them agree")
            language, inside = found[1], False
        elif _EXAMPLES.fullmatch(line):
            inside = True
        elif _FRAME.fullmatch(line):
            inside = False
        else:
            raise ExamplesError(f"{path}:{number}: not understood; an example is a line that begins with `    - `")
    close(len(lines))
    return examples
