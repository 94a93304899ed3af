"""How a word is written down in our word lists, and finding it in a message.

On the road: the safety lexicon and the concepts both look for words of data files. `word` is the whole word, `word*`
begins so, `*word*` stands anywhere in it (for languages that join small words to the next one, or write without
spaces). It promises to find them with marks left out and, where asked to forgive, with one letter wrong in words of
five letters and more. It must never keep a word of a message.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from bot.nlu.normalise import fold, normalise

FORGIVING_FROM_LETTERS = 5


class PatternError(ValueError):
    """A pattern cannot be used; the message says why."""


def canonical(written: str) -> str:
    """A pattern as it is looked for; two that look for the same are the same."""
    bare = fold(normalise(written.strip("*")))
    if not bare or "*" in bare or " " in bare:
        raise PatternError(f"`{written}`: write one word, with stars only at its ends")
    if written.startswith("*") and not written.endswith("*"):
        raise PatternError(f"`{written}`: write *{bare}*, with a star at both ends")
    return "*" * written.startswith("*") + bare + "*" * written.endswith("*")


class WordPatterns:
    """Many canonical patterns, looked for at once."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._whole: dict[str, str] = {}
        self._stems: dict[str, str] = {}
        self._inside: dict[str, str] = {}
        self._misspelt: dict[str, set[str]] = defaultdict(set)
        for pattern in patterns:
            bare = pattern.strip("*")
            if pattern.startswith("*"):
                self._inside[bare] = pattern
            elif pattern.endswith("*"):
                self._stems[bare] = pattern
            else:
                self._whole[bare] = pattern
            if len(bare) >= FORGIVING_FROM_LETTERS and not pattern.startswith("*"):
                for variant in deletions(bare):
                    self._misspelt[variant].add(pattern)
        self._inside_lengths = sorted({len(bare) for bare in self._inside})

    def matches(self, word: str) -> set[str]:
        """The patterns that a normalised, folded word of a message may be."""
        found: set[str] = set()
        if word in self._whole:
            found.add(self._whole[word])
        for end in range(1, len(word) + 1):
            if (begins := word[:end]) in self._stems:
                found.add(self._stems[begins])
        for length in self._inside_lengths:
            for at in range(len(word) - length + 1):
                if (inside := word[at : at + length]) in self._inside:
                    found.add(self._inside[inside])
        if found:
            return found
        # A stem may be misspelt at the beginning of a longer word, so every beginning is tried.
        for end in range(FORGIVING_FROM_LETTERS - 1, len(word) + 1):
            begins = word[:end]
            for variant in deletions(begins):
                for pattern in self._misspelt.get(variant, ()):
                    if (pattern.endswith("*") or end == len(word)) and one_apart(begins, pattern.strip("*")):
                        found.add(pattern)
        return found


def deletions(word: str) -> set[str]:
    """The word and all its forms with one letter less: two words one slip apart share one of these."""
    return {word} | {word[:at] + word[at + 1 :] for at in range(len(word))}


def one_apart(one: str, other: str) -> bool:
    """One letter wrong, missing, too many, or two neighbours changed about; the first letter is seldom wrong."""
    if one == other:
        return True
    if abs(len(one) - len(other)) > 1 or one[:1] != other[:1]:
        return False
    at = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    left, right = one[at:], other[at:]
    if len(one) == len(other):
        return left[1:] == right[1:] or (left[:2] == right[1::-1] and left[2:] == right[2:])
    return left[1:] == right or left == right[1:]
