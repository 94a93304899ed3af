"""Languages that a visitor names in a message.

On the road: the pipeline marks the name, so that "can you write tigrinya" changes the language or says that we do not
have it. It promises names in every language of ours and each language's own name, without marks and with one letter
wrong in longer names. It must never take a word for a language's tag ("ar" is a Swedish verb), nor know a language that
is not in data.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from babel import Locale, UnknownLocaleError
from ruamel.yaml import YAML

from bot.language.registry import Languages
from bot.nlu.normalise import fold, normalise, script_of
from bot.nlu.patterns import deletions, one_apart

SHORTEST_NAME = 4
# Scripts that write no vowels, or whole words in one character, have shorter names.
SHORTEST_NAME_IN_SCRIPT = {"ARABIC": 3, "CJK": 2, "HANGUL": 2, "THAI": 3}
FUZZY_FROM_LETTERS = 6
LONGEST_NAME_WORDS = 3

_WORD = re.compile(r"[^\W\d_](?:[^\W_]|[\u0300-\u036f\u0900-\u109f\u0e31-\u0e4e])*")
# In Arabic script the article and small words are joined to the name; in Thai "(speak) the language".
_ARTICLE = re.compile("^ال")
_JOINED = (re.compile("^[وبفلك]?(?:ال|لل)"), re.compile("^[وبفلك]"), re.compile("^(?:พูด)?ภาษา"))


class Mention(NamedTuple):
    """A language named in a text."""

    tag: str
    start: int
    end: int


class LanguageNames:
    """Every name, by what it looks like without marks."""

    def __init__(self, names: Mapping[str, str], refused: Iterable[str] = ()) -> None:
        self._names = dict(names)
        self._refused = frozenset(refused)
        self._misspelt: dict[str, list[str]] = {}
        for name in self._names:
            if len(name) >= FUZZY_FROM_LETTERS and " " not in name:
                for variant in deletions(name):
                    self._misspelt.setdefault(variant, []).append(name)

    @classmethod
    def load(cls, data_dir: Path | str) -> LanguageNames:
        languages = Languages.load(data_dir)
        content = YAML(typ="safe").load((Path(data_dir) / "language_names.yml").read_text(encoding="utf-8"))
        refused = {_bare(str(word)) for word in content.get("not") or ()}
        names: dict[str, str] = {}

        def add(name: str, tag: str) -> None:
            bare = " ".join(_ARTICLE.sub("", word) for word in _bare(name).split())
            if not bare:
                return
            least = SHORTEST_NAME_IN_SCRIPT.get(script_of(bare[0]) or "", SHORTEST_NAME)
            if len(bare) >= least and bare not in refused:
                names.setdefault(bare, tag)

        # Our own first: where two languages share a name, ours is meant.
        for language in languages:
            add(language.name, language.tag)
        codes = [*languages.tags, *(code for code in map(str, content["codes"]) if code not in languages)]
        for code in codes:
            for word in (content.get("also") or {}).get(code, ()):
                add(str(word), _tag(code))
        for code in codes:
            for name in _names_of(code, languages.tags):
                add(name, _tag(code))
        return cls(names, refused)

    def as_dict(self) -> dict[str, Any]:
        """For JSON, so that a trained model carries them."""
        return {"names": self._names, "refused": sorted(self._refused)}

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> LanguageNames:
        return cls(kept["names"], kept["refused"])

    def find(self, text: str) -> list[Mention]:
        """The languages named in a text, in order, each stretch once."""
        words = [(found.start(), found.end(), _bare(found[0])) for found in _WORD.finditer(text)]
        mentions: list[Mention] = []
        at = 0
        while at < len(words):
            for size in range(min(LONGEST_NAME_WORDS, len(words) - at), 0, -1):
                tag = self._tag_of(" ".join(word for _, _, word in words[at : at + size]))
                if tag is not None:
                    mentions.append(Mention(tag, words[at][0], words[at + size - 1][1]))
                    at += size
                    break
            else:
                at += 1
        return mentions

    def _tag_of(self, name: str) -> str | None:
        forms = [name, *(joined.sub("", name) for joined in _JOINED if joined.match(name))]
        for form in forms:
            if form in self._names:
                return self._names[form]
        for form in forms:
            if len(form) < FUZZY_FROM_LETTERS or " " in form or self._refused.intersection(forms):
                continue
            for variant in sorted(deletions(form)):
                for candidate in self._misspelt.get(variant, ()):
                    if one_apart(form, candidate):
                        return self._names[candidate]
        return None


def _bare(name: str) -> str:
    return fold(normalise(name))


def _tag(code: str) -> str:
    return code.replace("_", "-")


def _names_of(code: str, in_languages: Iterable[str]) -> Iterator[str]:
    for language in in_languages:
        name = Locale.parse(language, sep="-").languages.get(code)
        if name:
            yield name
    try:
        own = Locale.parse(code).languages.get(code)
    except (UnknownLocaleError, ValueError):
        # Babel has no data in that language itself.
        return
    if own:
        yield own
