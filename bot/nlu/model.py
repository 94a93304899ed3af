"""What a person wants: one of the intents, how sure that is, and whether to answer, to ask back, or to offer the menu.

On the road: Rasa's pipeline calls it for every message (bot/nlu/components.py), the command line calls it without
Rasa. It promises: all intents ranked, with probabilities that are right about as often as they say; no sign of danger
left out (a union of the classifier and the lexicon, never a vote); the same answer for the same text everywhere. It
must never import Rasa, keep or log a text, or load anything that can run code (npz and JSON, no pickle).
"""

from __future__ import annotations

import json
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bot.language.detection import Detector, read_others
from bot.nlu.concepts import Concepts
from bot.nlu.examples import Example
from bot.nlu.features import Block, Features, Numbers, Text, blocks
from bot.nlu.normalise import normalise, split_clauses, words
from bot.nlu.romanisation import Romanisation
from bot.nlu.safety import SafetyLexicon

ANSWER, CLARIFY, FALLBACK = "answer", "clarify", "fallback"
OUT_OF_SCOPE = "out_of_scope"
MODEL_FILE = "andrum-intents.json"
WEIGHTS_FILE = "andrum-intents.npz"
FORMAT = 2
LONGEST_TEXT = 4000
# Where a message may well be in a second language too (a few words, or two languages in one), it is read in both.
SECOND_READING_FROM = 0.15
LARGEST_STEP = 127


@dataclass(frozen=True)
class Gate:
    """The numbers that training chose from examples it had not learned from."""

    temperature: float
    answer_from: float
    answer_safety_from: float
    clarify_from: float
    safety_share: float
    clause_share: float


@dataclass(frozen=True)
class Parse:
    """What a message means; ranking holds every intent, best first."""

    language: str | None
    intent: str
    confidence: float
    decision: str
    safety: bool
    ranking: list[tuple[str, float]]


class Head:
    """What one language's examples taught: how much each n-gram speaks for each intent, in steps of one byte."""

    def __init__(self, features: Features, steps: Numbers, scale: Numbers, bias: Numbers, gate: Gate) -> None:
        self.features = features
        self.steps = steps
        self.scale = scale
        self.bias = bias
        self.gate = gate

    @classmethod
    def from_weights(cls, features: Features, weights: Numbers, bias: Numbers, gate: Gate) -> Head:
        largest = np.maximum(np.abs(weights).max(axis=1), 1e-9)
        scale = (largest / LARGEST_STEP).astype(np.float32)
        steps = np.rint(weights / scale[:, None]).astype(np.int8)
        return cls(features, steps, scale, bias.astype(np.float32), gate)

    def margins(self, text: Sequence[Block]) -> Numbers:
        """How much speaks for each intent, in one text."""
        where, weights = self.features.of(text)
        if not where:
            return self.bias
        weighed = np.asarray(weights, dtype=np.float32) * self.scale[where]
        return np.asarray(self.bias + weighed @ self.steps[where].astype(np.float32))

    def shares(self, whole: Sequence[Block], clauses: Sequence[Sequence[Block]]) -> Numbers:
        """The probability of each intent."""
        margins = self.margins(whole)
        if len(clauses) > 1:
            margins = weigh(margins, of_clauses(np.array([self.margins(clause) for clause in clauses])), self.gate.clause_share)
        return np.asarray(softmax(margins[None, :] / self.gate.temperature)[0])


class IntentModel:
    """Trained once, read by many; made by train(), save() and load()."""

    def __init__(
        self,
        intents: list[str],
        heads: dict[str, Head],
        lexicon: SafetyLexicon,
        concepts: Concepts,
        romanisation: Romanisation,
        detector: Detector,
    ) -> None:
        self.intents = intents
        self.heads = heads
        self.lexicon = lexicon
        self.concepts = concepts
        self.romanisation = romanisation
        self.detector = detector
        self._safety = np.array([intent in lexicon.intents for intent in intents])

    @classmethod
    def train(cls, examples: Iterable[Example], data_dir: Path | str) -> IntentModel:
        """From the examples, and from the lexicon, concepts and spellings that stand in data_dir."""
        from bot.nlu.training import train

        data = Path(data_dir)
        return train(
            list(examples),
            SafetyLexicon.load(data / "lexicon"),
            Concepts.load(data / "concepts"),
            Romanisation.load(data),
            read_others(data),
        )

    def parse(self, text: str, language: str | None = None) -> Parse:
        """Judge one message; language is what it is written in where that is known."""
        text = text[:LONGEST_TEXT]
        detection = self.detector.detect(text, prior=language)
        readings = self._readings(detection.ranking)
        # A single word that is a sign in one language may be an everyday word of another that we do not know.
        signs = self.lexicon.find(text, None if detection.other else readings[0][0])
        gate = self.heads[readings[0][0]].gate
        shares = self._shares(text, readings)
        order = np.argsort(-shares, kind="stable")
        best = int(order[0])
        decision = decide(gate, self.intents, self._safety, shares, order)
        if detection.other and decision == ANSWER:
            decision = CLARIFY
        # Without a word there is nothing to judge, and what is left of the shares is how common each intent is.
        alarm = bool(words(normalise(text))) and float(shares[self._safety].sum()) >= gate.safety_share
        safety = bool(signs.seen or alarm)
        named = signs.decided
        if named is None and decision != ANSWER:
            # A sign, and the classifier thinks of it too. A sign alone puts the line with the number first, and no more.
            likely = {self.intents[n] for n in order[:3]} & signs.seen
            named = next((intent for intent in self.lexicon.intents_by_urgency if intent in likely), None)
        if named in self.intents:
            best, decision = self.intents.index(named), ANSWER
            # What the person said outright stands first; the rest keeps its order.
            shares = shares.copy()
            shares[best] = max(float(shares[best]), float(shares[order[0]]), gate.answer_from)
            shares /= shares.sum()
            order = np.array([best, *(n for n in order if n != best)])
        return Parse(
            language=language or detection.language,
            intent=self.intents[best],
            confidence=float(shares[best]),
            decision=decision,
            safety=safety,
            ranking=[(self.intents[n], float(shares[n])) for n in order],
        )

    def _readings(self, ranking: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
        """The languages that a message is read in, even where none is sure enough to be said, and how much each counts."""
        known = [(tag, share) for tag, share in ranking if tag in self.heads][:2] or [(next(iter(self.heads)), 1.0)]
        if len(known) > 1 and known[1][1] < SECOND_READING_FROM:
            known = known[:1]
        total = sum(share for _, share in known)
        return [(tag, share / total) for tag, share in known]

    def _shares(self, text: str, readings: Sequence[tuple[str, float]]) -> Numbers:
        """The probability of each intent."""
        whole, clauses = normalise(text), split_clauses(text)
        total = np.zeros(len(self.intents))
        for tag, share in readings:
            read = reader(tag, self.concepts, self.romanisation)
            parts = [read(clause) for clause in clauses] if len(clauses) > 1 else []
            total += share * self.heads[tag].shares(read(whole), parts)
        return total

    def save(self, path: Path | str) -> None:
        """Two files in a folder: numbers (npz) and everything else (JSON)."""
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        numbers: dict[str, Numbers] = {}
        for tag, head in self.heads.items():
            of_head = {"steps": head.steps, "scale": head.scale, "bias": head.bias, "rarity": head.features.rarity}
            numbers |= {f"{tag} {name}": values for name, values in of_head.items()}
        np.savez(folder / WEIGHTS_FILE, **numbers)
        content = {
            "format": FORMAT,
            "intents": self.intents,
            "heads": {
                tag: {
                    "gate": asdict(head.gate),
                    "rarity_of_unknown": head.features.rarity_of_unknown,
                    "grams": head.features.grams,
                }
                for tag, head in self.heads.items()
            },
            "lexicon": self.lexicon.as_dict(),
            "concepts": self.concepts.as_dict(),
            "romanisation": self.romanisation.as_dict(),
            "detector": self.detector.as_dict(),
        }
        (folder / MODEL_FILE).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, path: Path | str) -> IntentModel:
        folder = Path(path)
        content = json.loads((folder / MODEL_FILE).read_text(encoding="utf-8"))
        if content.get("format") != FORMAT:
            raise ValueError(f"{folder / MODEL_FILE}: made by another version; train again with `andrum train`")
        heads: dict[str, Head] = {}
        with np.load(folder / WEIGHTS_FILE, allow_pickle=False) as numbers:
            for tag, kept in content["heads"].items():
                steps, scale, bias, rarity = (numbers[f"{tag} {name}"] for name in ("steps", "scale", "bias", "rarity"))
                features = Features(kept["grams"], rarity, kept["rarity_of_unknown"])
                heads[tag] = Head(features, steps, scale, bias, Gate(**kept["gate"]))
        return cls(
            content["intents"],
            heads,
            SafetyLexicon(content["lexicon"]),
            Concepts(content["concepts"]),
            Romanisation.from_dict(content["romanisation"]),
            Detector.from_dict(content["detector"]),
        )


def reader(language: str, concepts: Concepts, romanisation: Romanisation) -> Callable[[str], list[Block]]:
    """For one message: what the model sees of its normalised text and clauses."""
    about, spell = concepts.reader(language), romanisation.speller(language)
    return lambda normalised: blocks(Text(normalised, spell(normalised), about(normalised)))


def of_clauses(margins: Numbers) -> Numbers:
    """The margins of all clauses in one: all of them count, and the last more, because people tell their story first and
    say what they want at the end."""
    return np.asarray((margins.mean(axis=0) + margins[-1]) / 2)


def weigh(whole: Numbers, clauses: Numbers, clause_share: float) -> Numbers:
    """The margins of a message, from those of its whole and of its clauses."""
    return np.asarray((1 - clause_share) * whole + clause_share * clauses)


def softmax(scores: Numbers) -> Numbers:
    """Row by row."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def decide(gate: Gate, intents: list[str], is_safety: Numbers, shares: Numbers, order: Numbers) -> str:
    """Answer when sure; ask back when the first three probably hold it; otherwise the menu."""
    best = int(order[0])
    enough = gate.answer_safety_from if is_safety[best] else gate.answer_from
    if shares[best] >= enough:
        return ANSWER
    if intents[best] == OUT_OF_SCOPE or float(shares[order[:3]].sum()) < gate.clarify_from:
        return FALLBACK
    return CLARIFY


def load_from_archive(path: Path | str) -> IntentModel:
    """The intent model inside a Rasa model archive, without Rasa."""
    with tarfile.open(path, "r:*") as archive, tempfile.TemporaryDirectory() as folder:
        found: set[str] = set()
        for member in archive:
            name = Path(member.name).name
            content = archive.extractfile(member) if name in (MODEL_FILE, WEIGHTS_FILE) and member.isfile() else None
            if content is not None:
                (Path(folder) / name).write_bytes(content.read())
                found.add(name)
        if found != {MODEL_FILE, WEIGHTS_FILE}:
            raise ValueError(f"{path}: holds no intent model of ours; train with this repository's config.yml")
        return IntentModel.load(folder)


def parse_line(model: IntentModel, text: str, language: str | None) -> dict[str, Any]:
    """One message for the command line, with the time it took."""
    began = time.perf_counter()
    parse = model.parse(text, language)
    took = time.perf_counter() - began
    return {
        "language": parse.language,
        "intent": parse.intent,
        "confidence": parse.confidence,
        "decision": parse.decision,
        "safety": parse.safety,
        "ranking": [{"intent": intent, "confidence": share} for intent, share in parse.ranking],
        "ms": took * 1000,
    }
