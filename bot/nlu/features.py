"""What the intent model sees of a text: its letters, two to five at a time, and its words, one and two at a time.

On the road: the same code serves training and every message, so that both see the same. It promises to work for any
script and to be the same on every machine. It must never keep a text.

Every n-gram of the text counts in the length of its vector, the unknown ones too: nonsense then points nowhere, and a
text that points nowhere is not answered.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

SHORTEST_GRAM = 2
LONGEST_GRAM = 5
# Words break under misspelling, letters do not: words weigh half.
WEIGHT_OF_WORDS = 0.5
LEAST_TEXTS = 2
_WORD_MARK = "\x01"


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
    grams.update(f"{_WORD_MARK}{one} {other}" for one, other in zip(words, words[1:]))
    return grams


class Features:
    """The n-grams that training has seen, and how telling each is."""

    def __init__(self, grams: Sequence[str], rarity: np.ndarray, rarity_of_unknown: float) -> None:
        self.grams = list(grams)
        self.rarity = rarity
        self.rarity_of_unknown = rarity_of_unknown
        self._known = {gram: (at, float(weight)) for at, (gram, weight) in enumerate(zip(self.grams, rarity))}

    @classmethod
    def learn(cls, texts: Iterable[str]) -> Features:
        """From normalised texts."""
        in_texts: Counter[str] = Counter()
        count = 0
        for text in texts:
            count += 1
            in_texts.update(letter_grams(text).keys())
            in_texts.update(word_grams(text).keys())
        grams = sorted(gram for gram, seen in in_texts.items() if seen >= LEAST_TEXTS)
        rarity = np.array([math.log((1 + count) / (1 + in_texts[gram])) + 1 for gram in grams], dtype=np.float32)
        return cls(grams, rarity, math.log((1 + count) / 2) + 1)

    def of(self, normalised: str) -> tuple[list[int], list[float]]:
        """The known n-grams of a text and their weights."""
        where: list[int] = []
        weights: list[float] = []
        if not normalised:
            return where, weights
        for grams, share in ((letter_grams(normalised), 1.0), (word_grams(normalised), WEIGHT_OF_WORDS)):
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

    def matrix(self, texts: Sequence[str]) -> csr_matrix:
        """One row for each normalised text."""
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
