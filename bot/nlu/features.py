"""What the intent model sees of a text: its letters, two to five at a time, its words, one and two at a time, and what
they are about (bot/nlu/concepts.py), one concept and each two that stand together.

On the road: the same code serves training and every message, so that both see the same. It promises to work for any
script and to be the same on every machine. It must never keep a text.

Every n-gram of the text counts in the length of its vector, the unknown ones too: nonsense then points nowhere, and a
text that points nowhere is not answered.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

# Any array of numbers; the element type is numpy's affair.
Numbers: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"

SHORTEST_GRAM = 2
LONGEST_GRAM = 5
# Words break under misspelling, letters do not: words weigh half. Concepts so much, because that was best when measured.
WEIGHT_OF_WORDS = 0.5
WEIGHT_OF_CONCEPTS = 0.5
LEAST_TEXTS = 2
_WORD_MARK = "\x01"
_CONCEPT_MARK = "\x02"


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


def word_grams(normalised: str) -> Counter[str]:
    words = normalised.split(" ")
    grams = Counter(_WORD_MARK + word for word in words)
    grams.update(f"{_WORD_MARK}{one} {other}" for one, other in pairwise(words))
    return grams


def concept_grams(concepts: Sequence[str]) -> Counter[str]:
    grams = Counter(_CONCEPT_MARK + concept for concept in concepts)
    grams.update(f"{_CONCEPT_MARK}{one} {other}" for one, other in combinations(concepts, 2))
    return grams


class Text(NamedTuple):
    """A normalised text and the concepts that were found in it."""

    normalised: str
    concepts: Sequence[str] = ()


def blocks(text: Text) -> Iterator[tuple[Counter[str], float]]:
    """The kinds of n-grams and how much each kind weighs."""
    if text.normalised:
        yield letter_grams(text.normalised), 1.0
        yield word_grams(text.normalised), WEIGHT_OF_WORDS
    if text.concepts:
        yield concept_grams(text.concepts), WEIGHT_OF_CONCEPTS


class Features:
    """The n-grams that training has seen, and how telling each is."""

    def __init__(self, grams: Sequence[str], rarity: Numbers, rarity_of_unknown: float) -> None:
        self.grams = list(grams)
        self.rarity = rarity
        self.rarity_of_unknown = rarity_of_unknown
        self._known = {gram: (at, float(weight)) for at, (gram, weight) in enumerate(zip(self.grams, rarity, strict=True))}

    @classmethod
    def learn(cls, texts: Iterable[Text]) -> Features:
        in_texts: Counter[str] = Counter()
        count = 0
        for text in texts:
            count += 1
            for grams, _ in blocks(text):
                in_texts.update(grams.keys())
        kept = sorted(gram for gram, seen in in_texts.items() if seen >= LEAST_TEXTS)
        rarity = np.array([math.log((1 + count) / (1 + in_texts[gram])) + 1 for gram in kept], dtype=np.float32)
        return cls(kept, rarity, math.log((1 + count) / 2) + 1)

    def of(self, text: Text) -> tuple[list[int], list[float]]:
        """The known n-grams of a text and their weights."""
        where: list[int] = []
        weights: list[float] = []
        for grams, share in blocks(text):
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

    def matrix(self, texts: Sequence[Text]) -> csr_matrix:
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
        return csr_matrix((weights, where, ends), shape=(len(texts), len(self.grams)), dtype=np.float64)
