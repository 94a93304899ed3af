"""What the intent model sees of a text: its letters, two to five at a time, and its words, one and two at a time, in one
plain Latin spelling (bot/nlu/romanisation.py); the same as it was written, where that differs; and what it is about
(bot/nlu/concepts.py), one concept and each two that stand together.

On the road: the same code serves training and every message, so that both see the same. It promises to work for any
script and to be the same on every machine. It must never keep a text.

Every n-gram of the text counts in the length of its vector, the unknown ones too: nonsense then points nowhere, and a
text that points nowhere is not answered.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from bot.nlu.normalise import fold

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

# Any array of numbers; the element type is numpy's affair.
Numbers: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"

SHORTEST_GRAM = 2
LONGEST_GRAM = 5
# Words break under misspelling, letters do not: words weigh half. The others so much, because that was best when measured.
WEIGHT_OF_WORDS = 0.5
WEIGHT_OF_WRITTEN_LETTERS = 0.6
WEIGHT_OF_CONCEPTS = 0.6
LEAST_TEXTS = 2
_WORD_MARK = "\x01"
_CONCEPT_MARK = "\x02"
_WRITTEN_WORD_MARK = "\x03"


def letter_grams(normalised: str) -> Counter[str]:
    grams: Counter[str] = Counter()
    for word in normalised.split(" "):
        padded = f" {word} "
        length = len(padded)
        for size in range(SHORTEST_GRAM, LONGEST_GRAM + 1):
            if length <= size:
                grams[padded] += 1
                break
            grams.update([padded[at : at + size] for at in range(length - size + 1)])
    return grams


def word_grams(normalised: str, mark: str = _WORD_MARK) -> Counter[str]:
    words = normalised.split(" ")
    grams = Counter(mark + word for word in words)
    grams.update(f"{mark}{one} {other}" for one, other in pairwise(words))
    return grams


def concept_grams(concepts: Sequence[str]) -> Counter[str]:
    grams = Counter(_CONCEPT_MARK + concept for concept in concepts)
    grams.update(f"{_CONCEPT_MARK}{one} {other}" for one, other in combinations(concepts, 2))
    return grams


class Text(NamedTuple):
    """A normalised text, the same in plain Latin letters, and the concepts that were found in it."""

    written: str
    plain: str
    concepts: Sequence[str] = ()


# Some n-grams and how much their kind weighs.
Block: TypeAlias = "tuple[Counter[str], float]"


def blocks(text: Text) -> list[Block]:
    """The kinds of n-grams of a text."""
    found: list[Block] = []
    if text.plain:
        found += [(letter_grams(text.plain), 1.0), (word_grams(text.plain), WEIGHT_OF_WORDS)]
    if text.written != text.plain and text.written:
        found.append((word_grams(text.written, _WRITTEN_WORD_MARK), WEIGHT_OF_WORDS))
        if (folded := fold(text.written)) != text.plain and not folded.isascii():
            found.append((letter_grams(folded), WEIGHT_OF_WRITTEN_LETTERS))
    if text.concepts:
        found.append((concept_grams(text.concepts), WEIGHT_OF_CONCEPTS))
    return found


class Features:
    """The n-grams that training has seen, and how telling each is."""

    def __init__(self, grams: Sequence[str], rarity: Numbers, rarity_of_unknown: float) -> None:
        self.grams = list(grams)
        self.rarity = rarity
        self.rarity_of_unknown = rarity_of_unknown
        self._known = {gram: (at, float(weight)) for at, (gram, weight) in enumerate(zip(self.grams, rarity, strict=True))}

    @classmethod
    def learn(cls, texts: Sequence[Sequence[Block]]) -> Features:
        """From the blocks of each text."""
        in_texts: Counter[str] = Counter()
        for text in texts:
            for grams, _ in text:
                in_texts.update(grams.keys())
        kept = sorted(gram for gram, seen in in_texts.items() if seen >= LEAST_TEXTS)
        count = len(texts)
        rarity = np.array([math.log((1 + count) / (1 + in_texts[gram])) + 1 for gram in kept], dtype=np.float32)
        return cls(kept, rarity, math.log((1 + count) / 2) + 1)

    def of(self, text: Iterable[Block]) -> tuple[list[int], list[float]]:
        """The known n-grams of a text and their weights."""
        where: list[int] = []
        weights: list[float] = []
        for grams, share in text:
            found: list[tuple[int, float]] = []
            length = 0.0
            for gram, times in grams.items():
                known = self._known.get(gram)
                weight = self.rarity_of_unknown if known is None else known[1]
                if times > 1:
                    weight *= 1 + math.log(times)
                length += weight * weight
                if known is not None:
                    found.append((known[0], weight))
            scale = share / math.sqrt(length)
            where.extend(at for at, _ in found)
            weights.extend(weight * scale for _, weight in found)
        return where, weights

    def matrix(self, texts: Sequence[Sequence[Block]]) -> csr_matrix:
        """One row for each text."""
        from scipy.sparse import csr_matrix

        ends = [0]
        where: list[int] = []
        weights: list[float] = []
        for text in texts:
            at, weight = self.of(text)
            where.extend(at)
            weights.extend(weight)
            ends.append(len(where))
        return csr_matrix((weights, where, ends), shape=(len(texts), len(self.grams)), dtype=np.float32)
