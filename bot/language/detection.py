"""Which of our languages a message is written in.

On the road: the edge asks before anything is understood, so that even the safe answer comes in her language, and the
pipeline asks the same code when a message arrives without a language. It learns from the project's own examples at
start-up, so a new language needs data and nothing else. It promises the same answer for the same text on every
machine, and None rather than a guess. It must never need more than the standard library, keep a text, or name a
language in code.

How: the script of the letters first; within the script, naive Bayes over the letters of each word (1 to 5 at a time),
closed to the languages that have examples in that script. A word that several languages' examples use (ok, telefon, a
Swedish term that everyone must know) is judged by how often each of them uses it, never by its letters. A text whose
words look unlike those of every language is "other".
"""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.nlu.examples import read_examples
from bot.nlu.normalise import fold, normalise, script_of, words

LONGEST_GRAM = 5
# Each n-gram repeats what its neighbours said: the share of a word's summed evidence that is believed. Chosen so that
# the posterior of held-out texts is right about as often as it says.
BELIEF = 0.2
# Evidence per n-gram is mixed with what all languages have in common, so that no language wins by what none has seen.
COMMON_SHARE = 0.15
UNSEEN = 1e-7
# A language that seldom writes in a script (Arabic in Latin letters) is less likely there, but not impossible.
LEAST_SCRIPT_SHARE = 0.05
PRIOR_OF_CONVERSATION = 0.9
SURE_ENOUGH = 0.6
# "Ok" is written by everybody: where all words are like that, one language must stand out.
SURE_ENOUGH_OF_SHARED_WORDS = 0.7
# How far below its own held-out words, in standard errors, a language's letters must be for a text to be "other".
FOREIGN = 2.6
SAMPLED_TEXTS = 80
TELLING_SHARE = 0.2


@dataclass(frozen=True)
class Detection:
    """What was found; language is None when nothing is sure enough, and other says that it is clearly none of ours."""

    language: str | None
    confidence: float
    ranking: list[tuple[str, float]]
    letters: int
    other: bool = False


class _Script:
    """The languages that have examples in one script, and what their words look like."""

    def __init__(self, counts: dict[str, Counter[str]], share: dict[str, float]) -> None:
        self.languages = sorted(counts)
        self.words = {tag: counts[tag] for tag in self.languages}
        part_in_script = {tag: max(share[tag], LEAST_SCRIPT_SHARE) for tag in self.languages}
        self.log_share = {tag: math.log(part) for tag, part in part_in_script.items()}
        # Of all that a language writes, in any script: a Swedish word in the few Latin lines of Arabic is not a usual one.
        self.totals = {tag: sum(counts[tag].values()) / part_in_script[tag] for tag in self.languages}
        used_by = Counter(word for tag in self.languages for word, count in counts[tag].items() if count > 1)
        self.shared = {word for word, languages in used_by.items() if languages > 1}
        # A word belongs to the languages that use it most, one that seldom writes in this script counting little; to the
        # others it is borrowed, and its letters are not theirs.
        use = {tag: {word: n * part_in_script[tag] for word, n in counts[tag].items()} for tag in self.languages}
        most: dict[str, float] = {}
        for of_language in use.values():
            for word, weight in of_language.items():
                most[word] = max(weight, most.get(word, 0.0))
        self.grams: dict[str, dict[str, int]] = {}
        for tag in self.languages:
            grams: dict[str, int] = defaultdict(int)
            for word, count in counts[tag].items():
                if use[tag][word] == most[word]:
                    for gram in _grams(word):
                        grams[gram] += count
            self.grams[tag] = dict(grams)
        self.gram_totals = {tag: max(1, sum(self.grams[tag].values())) for tag in self.languages}

    def mean_without(self, word: str, tag: str) -> float:
        """The mean evidence of a word's n-grams for a language, as if this one use of it had not been seen."""
        grams = _grams(word)
        total = 0.0
        for gram in grams:
            rates = [
                (self.grams[other].get(gram, 0) - (other == tag and gram in self.grams[tag])) / self.gram_totals[other]
                for other in self.languages
            ]
            total += _mixed_log(rates[self.languages.index(tag)], sum(rates) / len(rates))
        return total / len(grams)

    def of_word(self, word: str) -> tuple[dict[str, float], dict[str, float]]:
        """For each language: the evidence of the word, and its mean per n-gram (empty for a shared word)."""
        if word in self.shared:
            rates = {tag: self.words[tag][word] / self.totals[tag] for tag in self.languages}
            common = sum(rates.values()) / len(rates)
            return {tag: _mixed_log(rate, common) for tag, rate in rates.items()}, {}
        sums = dict.fromkeys(self.languages, 0.0)
        grams = _grams(word)
        for gram in grams:
            rates = {tag: self.grams[tag].get(gram, 0) / self.gram_totals[tag] for tag in self.languages}
            common = sum(rates.values()) / len(rates)
            for tag, rate in rates.items():
                sums[tag] += _mixed_log(rate, common)
        return (
            {tag: BELIEF * value for tag, value in sums.items()},
            {tag: value / len(grams) for tag, value in sums.items()},
        )


class Detector:
    """Trained detection; make it with train() or from_data(), keep it with as_dict() and from_dict()."""

    def __init__(
        self,
        counts: dict[str, dict[str, Counter[str]]],
        share: dict[str, dict[str, float]],
        usual: dict[str, dict[str, tuple[float, float]]],
    ) -> None:
        self._counts = counts
        self._share = share
        self._usual = usual
        self._scripts = {script: _Script(by_tag, share[script]) for script, by_tag in counts.items()}
        self.languages = tuple(sorted({tag for by_tag in counts.values() for tag in by_tag}))

    @classmethod
    def from_data(cls, data_dir: Path | str) -> Detector:
        return cls.train((example.language, example.text) for example in read_examples(data_dir))

    @classmethod
    def train(cls, examples: Iterable[tuple[str, str]]) -> Detector:
        """From (language tag, text) pairs."""
        kept: list[tuple[str, str, list[str]]] = []
        for tag, text in examples:
            script, found = _main_script(_words_by_script(normalise(text)))
            # Words in another script than the rest of the line (a Swedish term in Arabic) say nothing about the language.
            if script is not None:
                kept.append((tag, script, found))
        detector = cls(*_count(kept), {})
        detector._learn_what_is_usual(kept)
        return detector

    def _learn_what_is_usual(self, lines: list[tuple[str, str, list[str]]]) -> None:
        """How like its own language a word looks that was not learned from: the measure of "other"."""
        by_language: dict[tuple[str, str], list[list[str]]] = defaultdict(list)
        for tag, script, found in lines:
            by_language[script, tag].append(found)
        for (script, tag), texts in by_language.items():
            model = self._scripts[script]
            values = [
                model.mean_without(word, tag)
                for found in texts[:: max(1, len(texts) // SAMPLED_TEXTS)]
                for word in found
                if word not in model.shared
            ]
            if values:
                self._usual.setdefault(script, {})[tag] = _mean_and_spread(values)

    def as_dict(self) -> dict[str, Any]:
        """For JSON; holds words and how often, no text."""
        return {"counts": self._counts, "share": self._share, "usual": self._usual}

    @classmethod
    def from_dict(cls, kept: dict[str, Any]) -> Detector:
        counts = {script: {tag: Counter(found) for tag, found in by_tag.items()} for script, by_tag in kept["counts"].items()}
        usual = {
            script: {tag: (float(v[0]), float(v[1])) for tag, v in by_tag.items()} for script, by_tag in kept["usual"].items()
        }
        return cls(counts, kept["share"], usual)

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(self.as_dict(), ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Detector:
        return cls.from_dict(json.loads(path.read_text(encoding="utf-8")))

    def detect(self, text: str, prior: str | None = None) -> Detection:
        """The language of a text; prior is the language of the conversation so far."""
        by_script = _words_by_script(normalise(text))
        letters = sum(len(word) for found in by_script.values() for word in found)
        evidence = dict.fromkeys(self.languages, 0.0)
        other = False
        telling = False
        script, found = self._telling_script(by_script, letters)
        if script is not None:
            model = self._scripts.get(script)
            if model is None:
                return Detection(None, 0.0, self._ranking(evidence, prior), letters, other=True)
            evidence = dict.fromkeys(self.languages, -math.inf)
            evidence.update(model.log_share)
            means: list[dict[str, float]] = []
            for word in found:
                of_languages, of_letters = model.of_word(word)
                for tag, value in of_languages.items():
                    evidence[tag] += value
                means.append(of_letters)
            telling = not model.shared.issuperset(found)
            other = self._is_foreign(script, means, max(evidence, key=evidence.__getitem__))
        ranking = self._ranking(evidence, prior)
        if not ranking:
            return Detection(None, 0.0, [], letters)
        best, confidence = ranking[0]
        if other:
            return Detection(None, confidence, ranking, letters, other=True)
        if confidence >= (SURE_ENOUGH if telling else SURE_ENOUGH_OF_SHARED_WORDS):
            return Detection(best, confidence, ranking, letters)
        if not telling and prior in evidence:
            # What everybody writes speaks for no change.
            return Detection(prior, dict(ranking)[prior], ranking, letters)
        return Detection(None, confidence, ranking, letters)

    def _telling_script(self, by_script: dict[str, list[str]], letters: int) -> tuple[str | None, list[str]]:
        """Where a message mixes scripts, the one that fewest languages write, if enough of it is in that: people put
        Swedish terms into Arabic, not the other way round."""
        enough = {
            script: found
            for script, found in by_script.items()
            if script in self._scripts and sum(map(len, found)) >= TELLING_SHARE * letters
        }
        main = _main_script(by_script)
        if len(enough) < 2 or main[0] not in enough:
            return main
        script = min(enough, key=lambda name: len(self._scripts[name].languages))
        return script, enough[script]

    def _is_foreign(self, script: str, means: list[dict[str, float]], best: str) -> bool:
        usual = self._usual.get(script, {}).get(best)
        if usual is None or not means:
            return False
        mean, spread = usual
        # A shared word looks exactly as usual.
        values = [of_letters.get(best, mean) for of_letters in means]
        return sum(values) / len(values) < mean - FOREIGN * spread / math.sqrt(len(values))

    def _ranking(self, evidence: dict[str, float], prior: str | None) -> list[tuple[str, float]]:
        count = len(evidence)
        logs = dict(evidence)
        if prior in logs and count > 1:
            for tag in logs:
                logs[tag] += math.log(PRIOR_OF_CONVERSATION if tag == prior else (1 - PRIOR_OF_CONVERSATION) / (count - 1))
        top = max(logs.values(), default=0.0)
        weights = {tag: math.exp(value - top) for tag, value in logs.items()}
        total = sum(weights.values())
        return sorted(((tag, w / total) for tag, w in weights.items()), key=lambda item: (-item[1], item[0]))


def _count(
    lines: list[tuple[str, str, list[str]]],
) -> tuple[dict[str, dict[str, Counter[str]]], dict[str, dict[str, float]]]:
    """Words by script and language, and each language's share of lines in that script."""
    counts: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    in_script: Counter[tuple[str, str]] = Counter()
    in_all: Counter[str] = Counter()
    for tag, script, found in lines:
        counts[script][tag].update(found)
        in_script[script, tag] += 1
        in_all[tag] += 1
    plain = {script: dict(by_tag) for script, by_tag in counts.items()}
    for by_tag in plain.values():
        for found_in_all in by_tag.values():
            # Each word also without its marks, as it is typed on a phone that has none.
            for word, count in list(found_in_all.items()):
                if (bare := fold(word)) != word:
                    found_in_all[bare] += count
    return plain, {script: {tag: in_script[script, tag] / in_all[tag] for tag in by_tag} for script, by_tag in plain.items()}


def _words_by_script(normalised: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for word in words(normalised):
        script = script_of(word[0])
        if script is not None:
            found[script].append(word)
    return dict(found)


def _main_script(by_script: dict[str, list[str]]) -> tuple[str | None, list[str]]:
    """The script with the most letters and its words; ties go to the one that comes first in the text."""
    if not by_script:
        return None, []
    script = max(by_script, key=lambda name: sum(map(len, by_script[name])))
    return script, by_script[script]


def _grams(word: str) -> list[str]:
    padded = f" {word} "
    return [
        padded[at : at + size]
        for size in range(1, LONGEST_GRAM + 1)
        for at in range(len(padded) - size + 1)
        if padded[at : at + size] != " "
    ]


def _mixed_log(rate: float, common: float) -> float:
    return math.log((1 - COMMON_SHARE) * rate + COMMON_SHARE * common + UNSEEN)


def _mean_and_spread(values: list[float]) -> tuple[float, float]:
    mean = sum(values) / len(values)
    return mean, math.sqrt(sum((value - mean) ** 2 for value in values) / len(values)) + 0.1
