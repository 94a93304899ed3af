"""The languages that there are.

On the road: every part that needs a language's name or direction asks here; data/languages.yml is the only place that
lists them. It promises that a registry that loaded is whole (each tag once, each direction ltr or rtl). It must never
name a language itself: adding one is a line of data.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

DIRECTIONS = ("ltr", "rtl")


class LanguagesError(ValueError):
    """data/languages.yml cannot be used; the message says where and what to do."""


@dataclass(frozen=True)
class Language:
    """One language: BCP-47 tag, the name its speakers use, writing direction, ISO 15924 script."""

    tag: str
    name: str
    direction: str
    script: str


class Languages:
    """All languages, in the order in which they are offered."""

    def __init__(self, languages: list[Language]) -> None:
        self._by_tag = {language.tag: language for language in languages}

    @classmethod
    def load(cls, data_dir: Path | str) -> Languages:
        path = Path(data_dir) / "languages.yml"
        try:
            content = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
        except YAMLError as error:
            raise LanguagesError(f"{path}: not valid YAML: {error}") from error
        entries = content.get("languages") if isinstance(content, dict) else None
        if not isinstance(entries, list) or not entries:
            raise LanguagesError(f"{path}: needs a list under `languages:`")
        languages: list[Language] = []
        for number, entry in enumerate(entries, 1):
            languages.append(_language(entry, f"{path}: language {number}"))
        tags = [language.tag for language in languages]
        for tag in tags:
            if tags.count(tag) > 1:
                raise LanguagesError(f"{path}: the tag {tag} stands twice; keep one")
        return cls(languages)

    @property
    def tags(self) -> tuple[str, ...]:
        return tuple(self._by_tag)

    def get(self, tag: str) -> Language | None:
        return self._by_tag.get(tag)

    def __contains__(self, tag: object) -> bool:
        return tag in self._by_tag

    def __iter__(self) -> Iterator[Language]:
        return iter(self._by_tag.values())

    def __len__(self) -> int:
        return len(self._by_tag)


def _language(entry: Any, where: str) -> Language:
    if not isinstance(entry, dict):
        raise LanguagesError(f"{where}: write {{tag: .., name: .., direction: ltr, script: Latn}}")
    fields: dict[str, str] = {}
    for field in ("tag", "name", "direction", "script"):
        value = entry.get(field)
        if not isinstance(value, str) or not value.strip():
            raise LanguagesError(f"{where}: `{field}` is missing or is not text")
        fields[field] = value.strip()
    if fields["direction"] not in DIRECTIONS:
        raise LanguagesError(f"{where}: `direction` must be ltr or rtl, not {fields['direction']}")
    return Language(**fields)
