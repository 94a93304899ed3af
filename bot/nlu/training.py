"""How the intent model is made from the examples.

On the road: `andrum train` and Rasa's training call it once. It promises: the same model from the same examples; every
threshold chosen on examples that the model judging them had not learned from, held out whole (no misspelt copy of a
held-out example is learned); no number of the gate written by hand. It must never need more than scikit-learn, two
cores and a minute.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from bot.language.detection import Detector
from bot.nlu.concepts import Concepts
from bot.nlu.examples import Example
from bot.nlu.features import Features, Numbers, Text
from bot.nlu.model import Gate, IntentModel, softmax, weigh
from bot.nlu.normalise import fold, normalise, split_clauses
from bot.nlu.safety import SafetyLexicon

SEED = 20
FOLDS = 3
COST = 1.0
CLAUSE_SHARES = (0.0, 0.15, 0.3, 0.45, 0.6)

# What the gate must hold on held-out examples: at most so many of all messages answered wrongly, right among those
# answered with a safety intent, found of those that are one, and worth asking back when the first three hold it so often.
MOST_WRONG_ANSWERS = 0.06
LEAST_RIGHT_SAFETY_ANSWERS = 0.8
SAFETY_RECALL = 0.97
LEAST_RIGHT_IN_THREE = 0.5


def train(examples: Sequence[Example], lexicon: SafetyLexicon, concepts: Concepts) -> IntentModel:
    if len({example.intent for example in examples}) < 3:
        raise ValueError("training needs examples of at least three intents in data/nlu")
    texts: list[Text] = []
    origin: list[int] = []
    readers = {language: concepts.reader(language) for language in sorted({example.language for example in examples})}
    for number, example in enumerate(examples):
        plain = normalise(example.text)
        about = readers[example.language](plain)
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
        Gate(1.0, 1.0, 1.0, 1.0, 1.0, 0.0),
        lexicon,
        concepts,
        Detector.train((example.language, example.text) for example in examples),
    )
    dice = random.Random(SEED)
    fold_of = np.array([dice.randrange(FOLDS) for _ in examples])
    first_row = np.searchsorted(row_of, np.arange(len(examples)))
    # What each example looks like to a model that has not learned from it: the whole of it, and its clauses.
    whole = np.zeros((len(examples), len(intents)))
    clauses = np.zeros_like(whole)
    several = np.array([len(split_clauses(example.text)) > 1 for example in examples])
    for number in range(FOLDS):
        held = fold_of == number
        learned = ~held[row_of]
        weights, bias = _fit(rows[learned], labels[row_of][learned], len(intents))
        whole[held] = clauses[held] = rows[first_row[held]] @ weights + bias
        judge = IntentModel(intents, features, weights, bias, model.gate, lexicon, concepts, model.detector)
        for at in np.flatnonzero(held & several):
            clauses[at] = judge.evidence(examples[at].text, examples[at].language)[1]
    signs = np.array([bool(lexicon.find(example.text, example.language).seen) for example in examples])
    model.gate = _choose_gate(whole, clauses, labels, several, signs, intents, lexicon.intents)
    return model


def _fit(rows: Any, labels: Numbers, count: int) -> tuple[Numbers, Numbers]:
    from sklearn.svm import LinearSVC

    classifier = LinearSVC(C=COST, random_state=SEED).fit(rows, labels)
    # An intent whose examples are all held out is never the best.
    weights = np.zeros((rows.shape[1], count))
    bias = np.full(count, -2.0)
    weights[:, classifier.classes_] = classifier.coef_.T
    bias[classifier.classes_] = classifier.intercept_
    return weights, bias


def _choose_gate(
    whole: Numbers,
    clauses: Numbers,
    truth: Numbers,
    several: Numbers,
    signs: Numbers,
    intents: list[str],
    safety_intents: Collection[str],
) -> Gate:
    """All thresholds, from examples as seen by models that did not learn from them."""

    def right_in_stories(share: float) -> float:
        best = weigh(whole[several], clauses[several], share).argmax(axis=1)
        return float((best == truth[several]).mean()) if several.any() else 0.0

    clause_share = max(CLAUSE_SHARES, key=right_in_stories)
    held_out = weigh(whole, clauses, clause_share)
    temperature = _best_temperature(held_out, truth)
    shares = softmax(held_out / temperature)
    order = np.argsort(-shares, axis=1, kind="stable")
    best = order[:, 0]
    top = np.take_along_axis(shares, order[:, :1], axis=1)[:, 0]
    right = best == truth
    is_safety = np.array([intent in safety_intents for intent in intents])
    answer_from = _lowest(top, lambda chosen: float((chosen & ~right).mean()) <= MOST_WRONG_ANSWERS)
    names_safety = is_safety[best]
    answer_safety_from = _lowest(
        np.where(names_safety, top, 0.0), lambda chosen: float(right[chosen].mean()) >= LEAST_RIGHT_SAFETY_ANSWERS
    )
    in_three = (order[:, :3] == truth[:, None]).any(axis=1)
    sum_of_three = np.take_along_axis(shares, order[:, :3], axis=1).sum(axis=1)
    # What the lexicon finds by itself need not be found twice.
    unsigned = np.where(signs, 1.0, shares[:, is_safety].sum(axis=1))[is_safety[truth]]
    return Gate(
        temperature=temperature,
        clause_share=clause_share,
        answer_from=answer_from,
        answer_safety_from=min(answer_from, answer_safety_from),
        clarify_from=_where_three_help(sum_of_three, in_three),
        safety_share=float(np.quantile(unsigned, 1 - SAFETY_RECALL)) if len(unsigned) else 1.0,
    )


def _best_temperature(scores: Numbers, labels: Numbers) -> float:
    """The one that makes the probabilities say how often they are right (least log loss)."""

    def loss(temperature: float) -> float:
        shares = softmax(scores / temperature)
        return float(-np.log(shares[np.arange(len(labels)), labels] + 1e-12).mean())

    return float(min(np.geomspace(0.05, 2.0, 40), key=loss))


def _lowest(values: Numbers, holds: Callable[[Numbers], bool]) -> float:
    """The lowest threshold from which the choice of all values above it holds."""
    for threshold in np.arange(0.02, 1.0, 0.01):
        chosen = values >= threshold
        if chosen.any() and holds(chosen):
            return float(threshold)
    return 1.0


def _where_three_help(sums: Numbers, in_three: Numbers) -> float:
    """Below this, messages with about the same sum are found among the first three less often than the promise."""
    for threshold in np.arange(0.02, 1.0, 0.02):
        near = (sums >= threshold - 0.04) & (sums < threshold + 0.04)
        if near.sum() >= 20 and float(in_three[near].mean()) >= LEAST_RIGHT_IN_THREE:
            return float(threshold)
    return 0.0
