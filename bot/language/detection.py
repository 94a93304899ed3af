"""Which of our languages a message is written in.

On the road: the edge asks before anything is understood, so that even the safe answer comes in her language, and the
pipeline asks the same code when a message arrives without a language. It learns from the project's own examples at
start-up, so a new language needs data and nothing else. It promises the same answer for the same text on every
machine, and None rather than a guess. It must never need more than the standard library, keep a text, or name a
language in code.

How: the script of the letters first; within the script, naive Bayes over the letters of each word (1 to 5 at a time),
closed to the languages that have examples in that script. A word that several languages' examples use (ok, telefon, a
Swedish term that everyone must know) is judged by how often each of them uses it, never by its letters. A text whose
words look unlike those of every language is "other"; so is one that looks most like one of data/language_others.yml, and
then it has a name.
"""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from bot.nlu.examples import read_examples
from bot.nlu.normalise import fold, normalise, script_of, words

LONGEST_GRAM = 5
# Each n-gram repeats what its neighbours said: the share of a word's summed evidence that is believed. Chosen so that
# the posterior of held-out texts is right about as often as it says.
BELIEF = 0.2
# Who writes to us writes one of our languages, unless the words say otherwise.
SHARE_OF_OTHERS = 0.1
OTHERS = "language_others.yml"
# As it is kept in a model.
DETECTOR_FILE = "andrum-detector.json"
# Evidence per n-gram is mixed with what all languages have in common, so that no language wins by what none has seen.
COMMON_SHARE = 0.08
UNSEEN = 1e-7
# A language that seldom writes in a script (Arabic in Latin letters) is less likely there, but not impossible.
LEAST_SCRIPT_SHARE = 0.05
PRIOR_OF_CONVERSATION = 0.9
SURE_ENOUGH = 0.4
# Where a text is not said to be one of ours, the name of another language must be right.
SURE_OF_NAME = 0.7
# "Ok" is written by everybody: where all words are like that, one language must stand out among all that use them.
SURE_ENOUGH_OF_SHARED_WORDS = 0.4
# How far below its own held-out words, in standard errors, a language's letters must be for a text to be "other".
FOREIGN = 2.6
SAMPLED_TEXTS = 80
MOST_WORDS = 24
# The words of a story are about one thing: more of them say little more about whether it is one of our languages.
MOST_INDEPENDENT = 4
# An n-gram of so many letters that a language's examples have once says little and fills the memory.
SELDOM_FROM_LETTERS = 4
PLACE_BITS = 24
LARGEST_COUNT = (1 << PLACE_BITS) - 1
TELLING_SHARE = 0.2


@dataclass(frozen=True)
class Detection:
    """What was found; language is None when nothing is sure enough, and other says that it is clearly none of ours."""

    language: str | None
    confidence: float
    ranking: list[tuple[str, float]]
    letters: int
    other: bool = False
    # The tag of a language that is not ours, where it is known which.
    named: str | None = None


class OthersError(ValueError):
    """data/language_others.yml cannot be used; the message says where and what to do."""


class _Script:
    """The languages that have examples in one script, and what their words look like."""

    def __init__(
        self,
        counts: dict[str, Counter[str]],
        share: dict[str, float],
        others: frozenset[str],
        grams: dict[str, Any] | None = None,
    ) -> None:
        """grams: what as_dict() kept, so that it need not be counted again."""
        self.languages = sorted(counts)
        self.words = {tag: counts[tag] for tag in self.languages}
        part_in_script = {tag: max(share[tag], LEAST_SCRIPT_SHARE) for tag in self.languages}
        self.log_share = {
            tag: math.log(part * (SHARE_OF_OTHERS if tag in others else 1)) for tag, part in part_in_script.items()
        }
        # Of all that a language writes, in any script: a Swedish word in the few Latin lines of Arabic is not a usual one.
        self.totals = {tag: sum(counts[tag].values()) / part_in_script[tag] for tag in self.languages}
        used_by = Counter(
            word for tag in self.languages for word, count in counts[tag].items() if count > 1 and tag not in others
        )
        self.shared = {word for word, languages in used_by.items() if languages > 1}
        # How often each n-gram stands in each language that has it: the language's place in the list and the times, in one
        # number, or several numbers where several languages have it; so a hundred thousand of them need little memory.
        self.grams: dict[str, int | tuple[int, ...]] = {}
        self.gram_totals: list[int] = []
        if grams is None:
            self._count_grams(counts, part_in_script, others)
        else:
            self.gram_totals = list(grams["totals"])
            self.grams = {
                gram: tuple(packed) if isinstance(packed, list) else packed for gram, packed in grams["packed"].items()
            }

    def _count_grams(self, counts: dict[str, Counter[str]], part_in_script: dict[str, float], others: frozenset[str]) -> None:
        # A word belongs to the languages that use it most, one that seldom writes in this script counting little; to the
        # others it is borrowed, and its letters are not theirs.
        use = {
            tag: {word: n * part_in_script[tag] for word, n in counts[tag].items()}
            for tag in self.languages
            if tag not in others
        }
        most: dict[str, float] = {}
        for of_language in use.values():
            for word, weight in of_language.items():
                most[word] = max(weight, most.get(word, 0.0))
        for place, tag in enumerate(self.languages):
            counted: dict[str, int] = {}
            for word, count in counts[tag].items():
                if tag in others or use[tag][word] == most[word]:
                    for gram in _grams(word):
                        counted[gram] = counted.get(gram, 0) + count
            self.gram_totals.append(max(1, sum(counted.values())))
            for gram, count in counted.items():
                if count == 1 and len(gram) >= SELDOM_FROM_LETTERS and tag not in others:
                    continue
                packed = place << PLACE_BITS | count
                known = self.grams.get(gram)
                if known is None:
                    self.grams[gram] = packed
                else:
                    self.grams[gram] = (*known, packed) if isinstance(known, tuple) else (known, packed)

    def grams_as_dict(self) -> dict[str, Any]:
        return {"totals": self.gram_totals, "packed": self.grams}

    def _rates(self, gram: str) -> list[tuple[int, float]]:
        """The places of the languages that have an n-gram, and how often it stands in each."""
        found = self.grams.get(gram, ())
        return [
            (packed >> PLACE_BITS, (packed & LARGEST_COUNT) / self.gram_totals[packed >> PLACE_BITS])
            for packed in (found if isinstance(found, tuple) else (found,))
        ]

    def mean_without(self, word: str, tag: str) -> float:
        """The mean evidence of a word's n-grams for a language, as if this one use of it had not been seen."""
        grams = _grams(word)
        own = self.languages.index(tag)
        total = 0.0
        for gram in grams:
            rates = dict(self._rates(gram))
            if own in rates:
                rates[own] -= 1 / self.gram_totals[own]
            total += _mixed_log(rates.get(own, 0.0), sum(rates.values()) / len(self.languages))
        return total / len(grams)

    def of_word(self, word: str) -> tuple[dict[str, float], dict[str, float]]:
        """For each language: the evidence of the word, and its mean per n-gram (empty for a shared word)."""
        count = len(self.languages)
        if word in self.shared:
            uses = [self.words[tag][word] / self.totals[tag] for tag in self.languages]
            common = sum(uses) / count
            return {tag: _mixed_log(rate, common) for tag, rate in zip(self.languages, uses, strict=True)}, {}
        # Most n-grams stand in few languages: what all the rest get is added once.
        sums = [0.0] * count
        of_all = 0.0
        grams = _grams(word)
        for gram in grams:
            rates = self._rates(gram)
            common = sum(rate for _, rate in rates) / count
            unseen = _mixed_log(0.0, common)
            of_all += unseen
            for place, rate in rates:
                sums[place] += _mixed_log(rate, common) - unseen
        values = {tag: of_all + value for tag, value in zip(self.languages, sums, strict=True)}
        return (
            {tag: BELIEF * value for tag, value in values.items()},
            {tag: value / len(grams) for tag, value in values.items()},
        )


class Detector:
    """Trained detection; make it with train() or from_data(), keep it with as_dict() and from_dict()."""

    def __init__(
        self,
        counts: dict[str, dict[str, Counter[str]]],
        share: dict[str, dict[str, float]],
        usual: dict[str, dict[str, tuple[float, float]]],
        others: Iterable[str] = (),
        grams: dict[str, Any] | None = None,
    ) -> None:
        self._counts = counts
        self._share = share
        self._usual = usual
        self._others = frozenset(others)
        self._scripts = {
            script: _Script(by_tag, share[script], self._others, (grams or {}).get(script)) for script, by_tag in counts.items()
        }
        self.languages = tuple(sorted({tag for by_tag in counts.values() for tag in by_tag} - self._others))

    @classmethod
    def from_data(cls, data_dir: Path | str) -> Detector:
        examples = ((example.language, example.text) for example in read_examples(data_dir))
        return cls.train(examples, read_others(data_dir))

    @classmethod
    def train(cls, examples: Iterable[tuple[str, str]], others: Iterable[tuple[str, str]] = ()) -> Detector:
        """From (language tag, text) pairs; others are languages that are not ours."""
        ours = _lines(examples)
        languages = {tag for tag, _, _ in ours}
        foreign = [line for line in _lines(others) if line[0] not in languages]
        detector = cls(*_count([*ours, *foreign]), {}, {tag for tag, _, _ in foreign})
        detector._learn_what_is_usual(ours)
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
        return {
            "counts": self._counts,
            "share": self._share,
            "usual": self._usual,
            "others": sorted(self._others),
            "grams": {script: model.grams_as_dict() for script, model in self._scripts.items()},
        }

    @classmethod
    def from_dict(cls, kept: dict[str, Any]) -> Detector:
        counts = {script: {tag: Counter(found) for tag, found in by_tag.items()} for script, by_tag in kept["counts"].items()}
        usual = {
            script: {tag: (float(v[0]), float(v[1])) for tag, v in by_tag.items()} for script, by_tag in kept["usual"].items()
        }
        return cls(counts, kept["share"], usual, kept["others"], kept["grams"])

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
        named: str | None = None
        script, found = self._telling_script(by_script, letters)
        if script is not None:
            model = self._scripts.get(script)
            if model is None:
                return Detection(None, 0.0, self._ranking(evidence, prior), letters, other=True)
            evidence = dict.fromkeys([*self.languages, *model.languages], -math.inf)
            evidence.update(model.log_share)
            means: list[dict[str, float]] = []
            for word in _some(found):
                of_languages, of_letters = model.of_word(word)
                for tag, value in of_languages.items():
                    evidence[tag] += value
                means.append(of_letters)
            telling = not model.shared.issuperset(found)
            named = self._name(evidence, prior)
            evidence = {tag: evidence[tag] for tag in self.languages}
            if not any(map(math.isfinite, evidence.values())):
                return Detection(None, 0.0, self._ranking(dict.fromkeys(self.languages, 0.0), prior), letters, True, named)
            other = named is not None or self._is_foreign(script, means, max(evidence, key=evidence.__getitem__))
        ranking = self._ranking(evidence, prior)
        if not ranking:
            return Detection(None, 0.0, [], letters)
        best, confidence = ranking[0]
        if other:
            return Detection(None, confidence, ranking, letters, True, named)
        if confidence >= (SURE_ENOUGH if telling else SURE_ENOUGH_OF_SHARED_WORDS):
            return Detection(best, confidence, ranking, letters)
        if not telling and prior in evidence:
            # What everybody writes speaks for no change.
            return Detection(prior, dict(ranking)[prior], ranking, letters)
        return Detection(None, confidence, ranking, letters)

    def _name(self, evidence: dict[str, float], prior: str | None) -> str | None:
        """The language that is not ours which a text is surely in, if it is in one."""
        if not self._others.intersection(evidence):
            return None
        best, confidence = self._ranking(evidence, prior)[0]
        return best if best in self._others and confidence >= SURE_OF_NAME else None

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
        return sum(values) / len(values) < mean - FOREIGN * spread / math.sqrt(min(len(values), MOST_INDEPENDENT))

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


def read_others(data_dir: Path | str) -> list[tuple[str, str]]:
    """(language tag, text) for the languages that are not ours."""
    path = Path(data_dir) / OTHERS
    try:
        content = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except YAMLError as error:
        raise OthersError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(content, dict) or not all(isinstance(listed, list) for listed in content.values()):
        raise OthersError(f"{path}: write a list of texts under each language tag")
    return [(str(tag), str(text)) for tag, listed in content.items() for text in listed]


def _lines(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str, list[str]]]:
    """Tag, script and words of each text that has words."""
    lines: list[tuple[str, str, list[str]]] = []
    for tag, text in pairs:
        script, found = _main_script(_words_by_script(normalise(text)))
        # Words in another script than the rest of the line (a Swedish term in Arabic) say nothing about the language.
        if script is not None:
            lines.append((tag, script, found))
    return lines


def _some(found: list[str]) -> list[str]:
    """Of a long text, as many words as are needed, from all over it."""
    return found[:: 1 + len(found) // MOST_WORDS]


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
