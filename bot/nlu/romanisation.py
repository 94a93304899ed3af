"""One plain Latin spelling for a text, so that what is written in a script and what is typed with Latin letters meet.

On the road: the intent model reads this spelling beside the written one; "помощь" and "pomosch", "جوازي" and "jawazi" then
share their letters, and what the examples in one way of writing teach holds in the other. It promises that a script
without rules in data/romanisation.yml only loses its marks. The spelling is for comparing, never for showing: it throws
letters together that a reader keeps apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from bot.nlu.normalise import fold

FILE = "romanisation.yml"
_DOUBLED = re.compile(r"([a-z])\1+")


class RomanisationError(ValueError):
    """The rules cannot be used; the message says where and what to do."""


class Romanisation:
    """The rules of every script, and which script each language is written in."""

    def __init__(self, scripts: Mapping[str, Mapping[str, Any]], script_of: Mapping[str, str]) -> None:
        self._scripts = {name: dict(rules) for name, rules in scripts.items()}
        self._script_of = dict(script_of)
        self._spell = {name: _spelling(name, rules) for name, rules in self._scripts.items()}

    @classmethod
    def load(cls, data_dir: Path | str) -> Romanisation:
        """The rules, and the script of each language from data/languages.yml."""
        data = Path(data_dir)
        try:
            scripts = YAML(typ="safe").load((data / FILE).read_text(encoding="utf-8"))
            languages = YAML(typ="safe").load((data / "languages.yml").read_text(encoding="utf-8"))["languages"]
        except YAMLError as error:
            raise RomanisationError(f"{data / FILE}: not valid YAML: {error}") from error
        return cls(scripts, {str(entry["tag"]): str(entry["script"]) for entry in languages})

    def as_dict(self) -> dict[str, Any]:
        """For JSON, so that a trained model carries them."""
        return {"scripts": self._scripts, "script_of": self._script_of}

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Romanisation:
        return cls(kept["scripts"], kept["script_of"])

    def speller(self, language: str) -> Callable[[str], str]:
        """For texts of one language: takes a normalised text."""
        return self._spell.get(self._script_of.get(language, ""), fold)


def _spelling(name: str, rules: Mapping[str, Any]) -> Callable[[str], str]:
    unknown = set(rules) - {"letters", "spellings", "leave_out"}
    if unknown or not rules.get("letters"):
        raise RomanisationError(f"{FILE}: {name}: write letters, spellings and leave_out; not `{sorted(unknown)}`")
    letters = str.maketrans({str(letter): str(latin or "") for letter, latin in rules["letters"].items()})
    spellings = [(str(one), str(other or "")) for one, other in rules.get("spellings") or ()]
    left_out = re.compile(f"(?<=[a-z])[{re.escape(rules['leave_out'])}]") if rules.get("leave_out") else None

    def spell(normalised: str) -> str:
        text = fold(normalised)
        if not text.isascii():
            text = text.translate(letters)
        for one, other in spellings:
            text = text.replace(one, other)
        if left_out is not None:
            text = left_out.sub("", text)
        return _DOUBLED.sub(r"\1", text)

    return spell
