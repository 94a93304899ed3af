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

from bot.language.detection import Detector
from bot.nlu.concepts import Concepts
from bot.nlu.examples import Example
from bot.nlu.features import Features, Numbers, Text
from bot.nlu.normalise import normalise, split_clauses
from bot.nlu.safety import SafetyLexicon

ANSWER, CLARIFY, FALLBACK = "answer", "clarify", "fallback"
OUT_OF_SCOPE = "out_of_scope"
MODEL_FILE = "andrum-intents.json"
WEIGHTS_FILE = "andrum-intents.npz"
FORMAT = 1
LONGEST_TEXT = 4000


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


class IntentModel:
    """Trained once, read by many; made by train(), save() and load()."""

    def __init__(
        self,
        intents: list[str],
        features: Features,
        weights: Numbers,
        bias: Numbers,
        gate: Gate,
        lexicon: SafetyLexicon,
        concepts: Concepts,
        detector: Detector,
    ) -> None:
        self.intents = intents
        self.features = features
        self.weights = weights
        self.bias = bias
        self.gate = gate
        self.lexicon = lexicon
        self.concepts = concepts
        self.detector = detector
        self._safety = np.array([intent in lexicon.intents for intent in intents])

    @classmethod
    def train(cls, examples: Iterable[Example], lexicon: SafetyLexicon, concepts: Concepts) -> IntentModel:
        from bot.nlu.training import train

        return train(list(examples), lexicon, concepts)

    def parse(self, text: str, language: str | None = None) -> Parse:
        """Judge one message; language is what it is written in where that is known."""
        text = text[:LONGEST_TEXT]
        detection = self.detector.detect(text, prior=language)
        # Read as what it most looks like, even where that is too unsure to be said.
        read_as = detection.ranking[0][0] if detection.ranking and not detection.other else None
        shares = self.shares(text, read_as)
        signs = self.lexicon.find(text, read_as)
        order = np.argsort(-shares, kind="stable")
        best = int(order[0])
        decision = self._decision(shares, order)
        safety = bool(signs.seen or float(shares[self._safety].sum()) >= self.gate.safety_share)
        named = signs.decided
        if named is None and decision != ANSWER and signs.seen:
            named = next(intent for intent in self.lexicon.intents_by_urgency if intent in signs.seen)
        if named in self.intents:
            best, decision = self.intents.index(named), ANSWER
            # What the person said outright stands first; the rest keeps its order.
            shares = shares.copy()
            shares[best] = max(float(shares[best]), float(shares[order[0]]), self.gate.answer_from)
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

    def shares(self, text: str, language: str | None) -> Numbers:
        """The probability of each intent."""
        evidence = weigh(*self.evidence(text, language), self.gate.clause_share)
        return np.asarray(softmax(evidence[None, :] / self.gate.temperature)[0])

    def evidence(self, text: str, language: str | None) -> tuple[Numbers, Numbers]:
        """The margin of each intent in the whole message, and in its clauses: the strongest of each, and the last once
        more, because people tell their story first and say what they want at the end."""
        about = self.concepts.reader(language)
        whole = self._scores(normalise(text), about)
        clauses = split_clauses(text)
        if len(clauses) < 2:
            return whole, whole
        parts = np.array([self._scores(clause, about) for clause in clauses])
        return whole, (parts.max(axis=0) + parts[-1]) / 2

    def _scores(self, normalised: str, about: Callable[[str], Sequence[str]]) -> Numbers:
        where, weights = self.features.of(Text(normalised, about(normalised)))
        if not where:
            return self.bias
        return np.asarray(self.bias + np.asarray(weights, dtype=np.float32) @ self.weights[where].astype(np.float32))

    def _decision(self, shares: Numbers, order: Numbers) -> str:
        return decide(self.gate, self.intents, self._safety, shares, order)

    def save(self, path: Path | str) -> None:
        """Two files in a folder: numbers (npz) and everything else (JSON)."""
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(
            folder / WEIGHTS_FILE,
            weights=self.weights.astype(np.float16),
            bias=self.bias.astype(np.float32),
            rarity=self.features.rarity.astype(np.float32),
        )
        content = {
            "format": FORMAT,
            "intents": self.intents,
            "gate": asdict(self.gate),
            "rarity_of_unknown": self.features.rarity_of_unknown,
            "lexicon": self.lexicon.as_dict(),
            "concepts": self.concepts.as_dict(),
            "detector": self.detector.as_dict(),
            "grams": self.features.grams,
        }
        (folder / MODEL_FILE).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, path: Path | str) -> IntentModel:
        folder = Path(path)
        content = json.loads((folder / MODEL_FILE).read_text(encoding="utf-8"))
        if content.get("format") != FORMAT:
            raise ValueError(f"{folder / MODEL_FILE}: made by another version; train again with `andrum train`")
        with np.load(folder / WEIGHTS_FILE, allow_pickle=False) as numbers:
            weights, bias, rarity = numbers["weights"], numbers["bias"], numbers["rarity"]
        return cls(
            content["intents"],
            Features(content["grams"], rarity, content["rarity_of_unknown"]),
            weights,
            bias,
            Gate(**content["gate"]),
            SafetyLexicon(content["lexicon"]),
            Concepts(content["concepts"]),
            Detector.from_dict(content["detector"]),
        )


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
