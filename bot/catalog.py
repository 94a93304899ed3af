"""Words and facts: an answer's id becomes text and HTML in a language.

Road: after the engine, before the channel; the edge holds it whole in RAM, so the words exist when the engine is down.
Sources: data/answers.yml and data/interface.yml (English), data/answers/<tag>.po and data/interface/<tag>.po (gettext,
msgctxt = id), data/contacts.yml (every number). Promise: once `Catalog.load` returned, `find` cannot fail for any answer,
language or placeholder: a text that is missing or broken in one language is shown in English, and every text is filled on
trial when it is loaded. Never: decides what to say; holds a number, an address or an hour of its own.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from babel.messages.pofile import read_po
from markupsafe import Markup, escape
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from bot import contacts
from bot.contacts import Placeholder
from bot.language.registry import Language, Languages

SOURCE_LANGUAGE = "en"
# Filled by the code, not from contacts.yml.
GIVEN = frozenset({"language", "languages", "days", "from", "to"})
# In a right-to-left text: a quotation without any of its letters (a Swedish sentence to show, with the number in it), or a
# Latin word or run (a Swedish term in parentheses). Neither may pull its neighbours around.
_LATIN = "A-Za-zÅÄÖåäöÉé"
_WORD = rf"[{_LATIN}0-9§](?:[{_LATIN}0-9:.'’-]*[{_LATIN}0-9])?"
_LEFT_TO_RIGHT = re.compile(rf"(?<=«)(?=[^«»]*[{_LATIN}])[^«»\u0590-\u08ff]+(?=»)|(?=[{_LATIN}]){_WORD}(?:\.? {_WORD})*")
_PARTS = string.Formatter().parse


class CatalogError(ValueError):
    """The words cannot be used. One line per finding: file, what is wrong, what to do."""


@dataclass(frozen=True)
class Choice:
    """A button: the answer it leads to and its words."""

    id: str
    label: str


@dataclass(frozen=True)
class Words:
    """An answer in a language. `language` is the one it is really in; `reviewed` False while it is fuzzy."""

    answer: str
    language: Language
    html: Markup
    text: str
    choices: tuple[Choice, ...]
    reviewed: bool


@dataclass(frozen=True)
class _Entry:
    text: str
    fuzzy: bool


def _fields(text: str) -> set[str]:
    """Names of the placeholders in a python-brace-format text. Raises ValueError where the braces do not match."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


class Catalog:
    """All words of all languages."""

    def __init__(
        self,
        languages: Languages,
        answers: Mapping[str, Mapping[str, Any]],
        texts: Mapping[tuple[str, str], _Entry],
        placeholders: Mapping[str, Placeholder],
        show_fuzzy: bool,
    ) -> None:
        """Use `Catalog.load`. `texts`: (language, msgctxt) → entry; interface words have the msgctxt `interface|<key>`."""
        self.languages = languages
        self._answers = answers
        self._texts = texts
        self._placeholders = placeholders
        self._show_fuzzy = show_fuzzy
        self._cache: dict[tuple[str, str], Words] = {}

    @classmethod
    def load(cls, data_dir: Path, show_fuzzy: bool = True) -> Catalog:
        """Read everything. Raises CatalogError with every finding at once.

        `languages` are then those that have words; one that is only understood so far is answered in another.
        """
        languages = Languages(
            [
                language
                for language in Languages.load(data_dir)
                if language.tag == SOURCE_LANGUAGE or (data_dir / "answers" / f"{language.tag}.po").exists()
            ]
        )
        placeholders = contacts.load(data_dir)
        answers = _yaml(data_dir / "answers.yml", "answers")
        interface = _yaml(data_dir / "interface.yml", "interface")
        findings: list[str] = []
        source: dict[str, str] = {}
        for key, entry in answers.items():
            source[key] = str(entry["text"]).strip()
            if entry.get("label"):
                source[f"{key}|label"] = str(entry["label"]).strip()
            for choice in entry.get("choices") or []:
                if choice not in answers:
                    findings.append(f"{data_dir / 'answers.yml'}: {key}: the choice {choice} leads nowhere.")
                elif not answers[choice].get("label"):
                    findings.append(f"{data_dir / 'answers.yml'}: {choice}: is offered as a choice, so it needs a label.")
        for key, entry in interface.items():
            source[f"interface|{key}"] = str(entry["text"]).strip()
        texts = {(SOURCE_LANGUAGE, key): _Entry(text, False) for key, text in source.items()}
        for language in languages:
            if language.tag == SOURCE_LANGUAGE:
                continue
            for folder, prefix in (("answers", ""), ("interface", "interface|")):
                path = data_dir / folder / f"{language.tag}.po"
                if path.exists():
                    with path.open("rb") as file:
                        for message in read_po(file, locale=language.tag.replace("-", "_"), abort_invalid=False):
                            if message.id and message.string and message.context:
                                key = f"{prefix}{message.context}"
                                texts[language.tag, key] = _Entry(str(message.string).strip(), message.fuzzy)
        for (tag, key), text_entry in texts.items():
            where = f"{data_dir}: {tag}: {key}"
            try:
                unknown = _fields(text_entry.text) - set(placeholders) - GIVEN
            except ValueError as error:
                findings.append(f"{where}: {error}. Write placeholders as {{name}}.")
                continue
            if unknown:
                findings.append(f"{where}: no such placeholder: {', '.join(sorted(unknown))}. See data/contacts.yml.")
        if findings:
            raise CatalogError("\n".join(findings))
        return cls(languages, answers, texts, placeholders, show_fuzzy)

    def __contains__(self, answer: object) -> bool:
        return answer in self._answers

    @property
    def answer_ids(self) -> tuple[str, ...]:
        """Every answer, in the order of answers.yml."""
        return tuple(self._answers)

    def importance(self, answer: str) -> str:
        """`safety` or `normal`."""
        return str(self._answers[answer].get("importance", "normal"))

    def choice_ids(self, answer: str) -> tuple[str, ...]:
        """The choices under an answer, as answers.yml has them."""
        return tuple(self._answers[answer].get("choices") or ())

    def _entry(self, key: str, tag: str) -> tuple[_Entry, str]:
        entry = self._texts.get((tag, key))
        if entry is None or (entry.fuzzy and not self._show_fuzzy):
            return self._texts[SOURCE_LANGUAGE, key], SOURCE_LANGUAGE
        return entry, tag

    def word(self, key: str, tag: str, **values: str) -> str:
        """An interface word as plain text, placeholders filled."""
        entry, found = self._entry(f"interface|{key}", tag)
        return self._fill(entry.text, found, values)[1]

    def words(self, tag: str) -> dict[str, str]:
        """Every interface word that needs no value of the moment, in one language."""
        return {
            key.removeprefix("interface|"): self.word(key.removeprefix("interface|"), tag)
            for (language, key) in self._texts
            if language == SOURCE_LANGUAGE
            and key.startswith("interface|")
            and not _fields(self._entry(key, tag)[0].text) & GIVEN
        }

    def label(self, answer: str, tag: str) -> str:
        """The words on the button that leads to this answer."""
        if answer.startswith("language:"):
            language = self.languages.get(answer.removeprefix("language:"))
            return language.name if language else answer
        return self._entry(f"{answer}|label", tag)[0].text

    def placeholder(self, name: str) -> Placeholder:
        """A contact's value, for the page's own links (112). Raises KeyError."""
        return self._placeholders[name]

    def find(self, answer: str, tag: str, values: Mapping[str, str] | None = None) -> Words:
        """The answer's words in the language `tag`, in English where that language does not have them.

        `values`: what the code knows (`language`, `languages`). Raises KeyError for an answer that does not exist.
        """
        if not values and (answer, tag) in self._cache:
            return self._cache[answer, tag]
        entry, found = self._entry(answer, tag)
        language = self.languages.get(found)
        assert language is not None
        html, text = self._fill(entry.text, found, values or {})
        words = Words(
            answer,
            language,
            html,
            text,
            tuple(Choice(choice, self.label(choice, tag)) for choice in self.choice_ids(answer)),
            not entry.fuzzy and found != SOURCE_LANGUAGE,
        )
        if not values:
            self._cache[answer, tag] = words
        return words

    def _fill(self, text: str, tag: str, values: Mapping[str, str]) -> tuple[Markup, str]:
        """A text with its placeholders filled: HTML, one paragraph a line, and plain text."""

        def word(key: str) -> str:
            return self._entry(f"interface|{key}", tag)[0].text

        def value(name: str) -> tuple[Markup, str]:
            if name in self._placeholders:
                return self._placeholders[name].html(tag, word), self._placeholders[name].text(tag, word)
            given = values.get(name, "")
            return Markup("<bdi>{}</bdi>").format(given), given

        language = self.languages.get(tag)
        rtl = language is not None and language.direction == "rtl"
        paragraphs: list[Markup] = []
        plain: list[str] = []
        for line in filter(None, map(str.strip, text.splitlines())):
            parts = [(literal, *value(name)) if name else (literal, Markup(""), "") for literal, name, _, _ in _PARTS(line)]
            plain.append("".join(literal + filled for literal, _, filled in parts))
            # Each filled value is one private character while the direction of the text around it is settled.
            marked = "".join(literal + (_mark(number) if filled else "") for number, (literal, _, filled) in enumerate(parts))
            html = _isolate(marked) if rtl else escape(marked)
            for number, (_, filled_html, filled) in enumerate(parts):
                if filled:
                    html = Markup(html.replace(_mark(number), filled_html))
            paragraphs.append(Markup("<p>{}</p>").format(html))
        return Markup("").join(paragraphs), "\n".join(plain)


def _mark(number: int) -> str:
    return chr(0xE000 + number)


def _isolate(text: str) -> Markup:
    """Right-to-left text with each left-to-right run in it kept together: a Swedish sentence to show, whole; a term."""
    html = Markup("")
    end = 0
    for run in _LEFT_TO_RIGHT.finditer(text):
        html += escape(text[end : run.start()]) + Markup('<bdi lang="sv" dir="ltr">{}</bdi>').format(run.group())
        end = run.end()
    return html + escape(text[end:])


def _yaml(path: Path, key: str) -> dict[str, dict[str, Any]]:
    try:
        content = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except (YAMLError, OSError) as error:
        raise CatalogError(f"{path}: {error}") from error
    entries = content.get(key) if isinstance(content, dict) else None
    if not isinstance(entries, dict):
        raise CatalogError(f"{path}: needs entries under `{key}:`.")
    for name, entry in entries.items():
        if not isinstance(entry, dict) or not isinstance(entry.get("text"), str):
            raise CatalogError(f"{path}: {name}: needs a `text`.")
    return entries
