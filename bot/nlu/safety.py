"""Signs that a person is in danger, wants to die, was raped, or is a child: found by their words, whatever else is asked.

On the road: beside the intent classifier, for every message, in all languages at once (a person writes in the language
that she is afraid in). It promises that a phrase of data/lexicon/<tag>.yml is found with its marks left out, with one
wrong letter in a longer word, and with a word in between; and that an age under 18 is found in digits of any script or
in words. A false alarm costs one line with a number to call; a missed sign may cost more, so it errs on that side. It
must never keep a text.

How the words of a phrase are written: bot/nlu/patterns.py; a phrase after `= ` must be the whole message; `{age}` is a
number under 18, or the year of birth of such a person.
"""

from __future__ import annotations

import datetime
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from bot.nlu.normalise import fold, normalise
from bot.nlu.patterns import PatternError, WordPatterns, canonical

UNDER_18 = "under_18"
ADULT = 18
# Below this nobody writes to us: a smaller number counts something else.
YOUNGEST_WRITER = 7
LONGEST_GAP = 1
LONGEST_WHOLE_STEM = 2
AGE = "{age}"
WHOLE = "= "

_TOKEN = re.compile(r"\d+(?:[.,:/-]\d+)*|[^\W\d_](?:[^\W_]|[\u0300-\u036f\u0900-\u109f\u0e31-\u0e4e])*|[?%€$£]")


class LexiconError(ValueError):
    """A lexicon file cannot be used; the message says where and what to do."""


@dataclass(frozen=True)
class Signs:
    """What the words say: the intent that they decide, if any, and whether there is any sign at all."""

    decided: str | None
    seen: frozenset[str]


@dataclass(frozen=True)
class _Phrase:
    intent: str
    decides: bool
    tokens: tuple[str, ...]
    language: str
    whole_message: bool = False

    def counts_in(self, language: str | None) -> bool:
        """A single word that is only a sign may be an everyday word of another language."""
        return self.decides or len(self.tokens) > 1 or language is None or language == self.language


class SafetyLexicon:
    """The phrases of every language, ready to be looked for."""

    def __init__(self, files: Mapping[str, Mapping[str, Any]]) -> None:
        self._files = {tag: dict(content) for tag, content in sorted(files.items())}
        self._phrases: list[_Phrase] = []
        self._numbers: dict[str, int] = {}
        self._year = datetime.date.today().year
        self._not_years: list[str] = []
        for tag, content in self._files.items():
            self._take(tag, content)
        # The order in which the files name them is the order of urgency.
        self.intents_by_urgency = tuple(dict.fromkeys(phrase.intent for phrase in self._phrases))
        self.intents = frozenset(self.intents_by_urgency)
        self._patterns = WordPatterns({token for phrase in self._phrases for token in phrase.tokens if token != AGE})
        self._by_first: dict[str, list[_Phrase]] = defaultdict(list)
        for phrase in self._phrases:
            self._by_first[phrase.tokens[0]].append(phrase)

    @classmethod
    def load(cls, lexicon_dir: Path | str) -> SafetyLexicon:
        """All files of data/lexicon."""
        files: dict[str, Mapping[str, Any]] = {}
        for path in sorted(Path(lexicon_dir).glob("*.yml")):
            try:
                content = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
            except YAMLError as error:
                raise LexiconError(f"{path}: not valid YAML: {error}") from error
            if not isinstance(content, dict):
                raise LexiconError(f"{path}: needs `decides:`, `signs:` and `age:`")
            files[path.stem] = content
        if not files:
            raise LexiconError(f"{lexicon_dir}: no lexicon files; there must be one <tag>.yml for each language")
        return cls(files)

    def as_dict(self) -> dict[str, Any]:
        """For JSON, so that a trained model carries its lexicon."""
        return self._files

    def _take(self, tag: str, content: Mapping[str, Any]) -> None:
        unknown = set(content) - {"decides", "signs", "age"}
        if unknown:
            raise LexiconError(f"{tag}.yml: `{sorted(unknown)[0]}` is not known; use decides, signs, age")
        for section in ("decides", "signs"):
            for intent, phrases in (content.get(section) or {}).items():
                for phrase in phrases:
                    self._add(tag, str(intent), section == "decides", str(phrase))
        age = content.get("age") or {}
        for phrase in age.get("own") or ():
            self._add(tag, UNDER_18, True, str(phrase))
        for phrase in age.get("of_others") or ():
            self._add(tag, UNDER_18, False, str(phrase))
        for word, value in (age.get("numbers") or {}).items():
            self._numbers[fold(normalise(str(word)))] = int(value)
        self._not_years.extend(fold(normalise(str(word))) for word in age.get("not_years") or ())

    def _add(self, tag: str, intent: str, decides: bool, phrase: str, whole_message: bool = False) -> None:
        tokens: list[str] = []
        if phrase.startswith(WHOLE):
            phrase, whole_message = phrase[len(WHOLE) :], True
        for written in phrase.split():
            if written == AGE:
                tokens.append(AGE)
                continue
            try:
                pattern = canonical(written)
            except PatternError as error:
                raise LexiconError(f"{tag}.yml: `{phrase}`: {error}") from error
            # Signs inside a word (an apostrophe, a hyphen) part it, as they do in a message.
            parts = _TOKEN.findall(pattern.strip("*"))
            tokens.extend(parts[:-1])
            tokens.append("*" * pattern.startswith("*") + parts[-1] + "*" * pattern.endswith("*"))
        if not tokens:
            raise LexiconError(f"{tag}.yml: an empty phrase for {intent}")
        self._phrases.append(_Phrase(intent, decides, tuple(tokens), tag, whole_message))

    def find(self, text: str, language: str | None = None) -> Signs:
        """Look through one message, in all languages; language is the one it is read in, where that is known."""
        found = self._with_digits(_TOKEN.findall(fold(normalise(text))))
        matches = [self._patterns.matches(word) for word in found]
        ages = [self._is_age(found, at) for at in range(len(found))]
        seen: set[str] = set()
        decided: set[str] = set()
        for at, tokens in enumerate(matches):
            firsts = tokens | {AGE} if ages[at] else tokens
            for first in firsts:
                for phrase in self._by_first.get(first, ()):
                    if phrase.intent in (decided if phrase.decides else seen) or not phrase.counts_in(language):
                        continue
                    if self._follows(phrase, at, matches, ages):
                        seen.add(phrase.intent)
                        if phrase.decides:
                            decided.add(phrase.intent)
        return Signs(next((i for i in self.intents_by_urgency if i in decided), None), frozenset(seen))

    def _follows(self, phrase: _Phrase, at: int, matches: list[set[str]], ages: list[bool]) -> bool:
        if phrase.whole_message and (at != 0 or len(matches) != len(phrase.tokens)):
            return False
        for token in phrase.tokens[1:]:
            # An age stands right after its words: anything between makes it count something else.
            gap = 0 if token == AGE or phrase.whole_message else LONGEST_GAP
            for step in range(1, gap + 2):
                if at + step < len(matches) and (ages[at + step] if token == AGE else token in matches[at + step]):
                    at += step
                    break
            else:
                return False
        return True

    def _with_digits(self, found: list[str]) -> list[str]:
        """Numbers in one or two words become digits."""
        tokens: list[str] = []
        at = 0
        while at < len(found):
            for size in (2, 1):
                value = self._numbers.get(" ".join(found[at : at + size]))
                if value is not None:
                    break
            tokens.append(found[at] if value is None else str(value))
            at += 1 if value is None else size
        return tokens

    def _is_age(self, found: list[str], at: int) -> bool:
        word = found[at]
        if not (word.isascii() and word.isdigit()):
            return False
        if len(word) == len(str(self._year)):
            # A year of birth: still a child at the end of this year.
            return YOUNGEST_WRITER <= self._year - int(word) < ADULT
        if not YOUNGEST_WRITER <= int(word) < ADULT:
            return False
        following = found[at + 1] if at + 1 < len(found) else ""
        # "16 kr" is money and "16 krub" is a polite Thai child: so short a stem must be the whole word.
        return not any(
            following == stem or (len(stem) > LONGEST_WHOLE_STEM and following.startswith(stem)) for stem in self._not_years
        )
