"""How the intent model is made from the examples.

On the road: `andrum train` and Rasa's training call it once. It promises: the same model from the same examples; every
threshold chosen on examples that the model judging them had not learned from, held out whole (no misspelt copy of a
held-out example is learned); no number of the gate written by hand. It must never need more than scikit-learn, two
cores and a minute.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bot.language.detection import Detector
from bot.nlu.concepts import Concepts
from bot.nlu.examples import Example
from bot.nlu.features import Features, Text
from bot.nlu.model import SMALL_TALK, Gate, IntentModel, softmax
from bot.nlu.normalise import fold, normalise, split_clauses
from bot.nlu.safety import SafetyLexicon

SEED = 20
FOLDS = 3
COST = 1.0
STORIES = 900

# What the gate must hold on held-out examples: at most so many of all messages answered wrongly, right among those
# answered with a safety intent, found of those that are one, and worth asking back when the first three hold it so often.
MOST_WRONG_ANSWERS = 0.06
LEAST_RIGHT_SAFETY_ANSWERS = 0.7
SAFETY_RECALL = 0.98
LEAST_RIGHT_IN_THREE = 0.5


def train(examples: Sequence[Example], lexicon: SafetyLexicon, concepts: Concepts) -> IntentModel:
    if len({example.intent for example in examples}) < 3:
        raise ValueError("training needs examples of at least three intents in data/nlu")
    texts: list[Text] = []
    origin: list[int] = []
    for number, example in enumerate(examples):
        plain = normalise(example.text)
        about = concepts.of(plain, example.language)
        bare = fold(plain)
        # Also as it is typed on a phone that has no marks.
        for copy in [plain] if bare == plain else [plain, bare]:
            texts.append(Text(copy, about))
            origin.append(number)

    intents = sorted({example.intent for example in examples})
    position = {intent: at for at, intent in enumerate(intents)}
    labels = np.array([position[example.intent] for example in examples])
    row_of = np.array(origin)
    features = Features.learn(texts)
    rows = features.matrix(texts)

    weights, bias = _fit(rows, labels[row_of], len(intents))
    model = IntentModel(
        intents,
        features,
        weights.astype(np.float16),
        bias.astype(np.float32),
        Gate(1.0, 1.0, 1.0, 1.0, 1.0, 0.5),
        lexicon,
        concepts,
        Detector.train((example.language, example.text) for example in examples),
    )
    dice = random.Random(SEED)
    fold_of = np.array([dice.randrange(FOLDS) for _ in examples])
    fold_models: list[IntentModel] = []
    held_out = np.zeros((len(texts), len(intents)))
    for number in range(FOLDS):
        held = fold_of[row_of] == number
        weights, bias = _fit(rows[~held], labels[row_of][~held], len(intents))
        held_out[held] = rows[held] @ weights + bias
        fold_models.append(
            IntentModel(intents, features, weights.astype(np.float32), bias, model.gate, lexicon, concepts, model.detector)
        )
    first_row = np.searchsorted(row_of, np.arange(len(examples)))
    model.gate = _choose_gate(examples, labels, held_out, labels[row_of], fold_of, fold_models, first_row)
    return model


def _fit(rows: Any, labels: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.svm import LinearSVC

    classifier = LinearSVC(C=COST, random_state=SEED).fit(rows, labels)
    # An intent whose examples are all held out is never the best.
    weights = np.zeros((rows.shape[1], count))
    bias = np.full(count, -2.0)
    weights[:, classifier.classes_] = classifier.coef_.T
    bias[classifier.classes_] = classifier.intercept_
    return weights, bias


def _choose_gate(
    examples: Sequence[Example],
    labels: np.ndarray,
    held_out: np.ndarray,
    row_labels: np.ndarray,
    fold_of: np.ndarray,
    fold_models: list[IntentModel],
    first_row: np.ndarray,
) -> Gate:
    model = fold_models[0]
    temperature = _best_temperature(held_out, row_labels)
    gate = replace(model.gate, temperature=temperature)
    stories, story_labels, story_folds = _stories(examples, labels, fold_of)

    def judge(texts: Sequence[Example], folds: np.ndarray, gate: Gate) -> tuple[np.ndarray, np.ndarray]:
        for fold_model in fold_models:
            fold_model.gate = gate
        judged = [fold_models[fold].shares(one.text, one.language) for one, fold in zip(texts, folds)]
        return np.array([shares for shares, _ in judged]), np.array([safety for _, safety in judged])

    def right_in_stories(share: float) -> float:
        shares, _ = judge(stories, story_folds, replace(gate, strongest_clause=share))
        return float((shares.argmax(axis=1) == story_labels).mean())

    gate = replace(gate, strongest_clause=max((0.3, 0.5, 0.7, 0.9), key=right_in_stories))

    shares = softmax(held_out[first_row] / temperature)
    is_safety = np.array([intent in model.lexicon.intents for intent in model.intents])
    safety_shares = shares[:, is_safety].sum(axis=1)
    several = np.array([len(split_clauses(example.text)) > 1 for example in examples])
    if several.any():
        texts = [example for example, many in zip(examples, several) if many]
        shares[several], safety_shares[several] = judge(texts, fold_of[several], gate)
    story_shares, story_safety = judge(stories, story_folds, gate)
    shares = np.vstack([shares, story_shares])
    safety_shares = np.concatenate([safety_shares, story_safety])
    truth = np.concatenate([labels, story_labels])

    order = np.argsort(-shares, axis=1, kind="stable")
    best = order[:, 0]
    top = shares[np.arange(len(best)), best]
    right = best == truth
    names_safety = is_safety[best]
    truly_safety = is_safety[truth]
    answer_from = _lowest(top, lambda chosen: float((chosen & ~right).mean()) <= MOST_WRONG_ANSWERS)
    answer_safety_from = _lowest(
        np.where(names_safety, top, 0.0),
        lambda chosen: float(right[chosen & names_safety].mean()) >= LEAST_RIGHT_SAFETY_ANSWERS,
    )
    in_three = (order[:, :3] == truth[:, None]).any(axis=1)
    sum_of_three = np.take_along_axis(shares, order[:, :3], axis=1).sum(axis=1)
    return replace(
        gate,
        answer_from=answer_from,
        answer_safety_from=min(answer_from, answer_safety_from),
        clarify_from=_where_three_help(sum_of_three, in_three),
        safety_share=float(np.quantile(safety_shares[truly_safety], 1 - SAFETY_RECALL)) if truly_safety.any() else 1.0,
    )


def _best_temperature(scores: np.ndarray, labels: np.ndarray) -> float:
    """The one that makes the probabilities say how often they are right (least log loss)."""

    def loss(temperature: float) -> float:
        shares = softmax(scores / temperature)
        return float(-np.log(shares[np.arange(len(labels)), labels] + 1e-12).mean())

    return float(min(np.geomspace(0.05, 2.0, 40), key=loss))


def _lowest(values: np.ndarray, holds: Callable[[np.ndarray], bool]) -> float:
    """The lowest threshold from which the choice of all values above it holds."""
    for threshold in np.arange(0.02, 1.0, 0.01):
        chosen = values >= threshold
        if chosen.any() and holds(chosen):
            return float(threshold)
    return 1.0


def _where_three_help(sums: np.ndarray, in_three: np.ndarray) -> float:
    """Below this, messages with about the same sum are found among the first three less often than the promise."""
    for threshold in np.arange(0.02, 1.0, 0.02):
        near = (sums >= threshold - 0.04) & (sums < threshold + 0.04)
        if near.sum() >= 20 and float(in_three[near].mean()) >= LEAST_RIGHT_IN_THREE:
            return float(threshold)
    return 0.0


def _stories(
    examples: Sequence[Example], labels: np.ndarray, fold_of: np.ndarray
) -> tuple[list[Example], np.ndarray, np.ndarray]:
    """Rambling messages put together from examples of one language that were held out together: small talk, what the
    person wants, and often no sign between them."""
    dice = random.Random(SEED)
    small: dict[tuple[str, int], list[int]] = defaultdict(list)
    telling: list[int] = []
    for number, example in enumerate(examples):
        if example.intent in SMALL_TALK:
            small[example.language, int(fold_of[number])].append(number)
        else:
            telling.append(number)
    stories: list[Example] = []
    wanted: list[int] = []
    for number in dice.sample(telling, min(STORIES, len(telling))):
        around = small.get((examples[number].language, int(fold_of[number])))
        if not around:
            continue
        before, after = examples[dice.choice(around)].text, examples[dice.choice(around)].text
        told = dice.choice((". ", " ", ", ", "\n")).join((before, examples[number].text, after))
        stories.append(examples[number]._replace(text=told))
        wanted.append(number)
    return stories, labels[wanted], fold_of[wanted]
