"""How the intent model is made from the examples.

On the road: `andrum train` and Rasa's training call it once. It promises: the same model from the same examples; every
threshold chosen on examples as they look to a model that has not learned from them; no number of the gate written by
hand. It must never need more than SciPy, two cores and a minute.

How: each language has a head of its own, a linear model of least squares (ridge regression). Its solution gives, without
learning again, what each example would have got from a model that had learned from all the others (leave-one-out); so the
thresholds cost nothing, and a language of 2,500 examples is learned in about two seconds.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import groupby

import numpy as np

from bot.language.detection import Detector
from bot.nlu.concepts import Concepts
from bot.nlu.examples import Example
from bot.nlu.features import Block, Features, Numbers
from bot.nlu.model import OUT_OF_SCOPE, Gate, Head, IntentModel, of_clauses, reader, softmax, weigh
from bot.nlu.normalise import normalise, split_clauses
from bot.nlu.romanisation import Romanisation
from bot.nlu.safety import SafetyLexicon

# How much the weights are held back; the best of 0.3, 0.5, 1 and 2 when measured.
RESTRAINT = 0.5
# Each needs a quarter of a gigabyte.
MOST_PROCESSES = 4
CLAUSE_SHARES = (0.0, 0.15, 0.3, 0.45, 0.6)

# What the gate must hold on examples as a model sees them that did not learn from them: at most so many of all messages
# answered wrongly, and of those that are about something else; right among those answered with a safety intent; found of
# those that are one; and worth asking back when the first three hold it so often.
MOST_WRONG_ANSWERS = 0.06
MOST_ANSWERED_OUTSIDE = 0.08
LEAST_RIGHT_SAFETY_ANSWERS = 0.8
SAFETY_RECALL = 0.97
SAFETY_RECALL_ALONE = 0.96
LEAST_RIGHT_IN_THREE = 0.5


def train(
    examples: Sequence[Example],
    lexicon: SafetyLexicon,
    concepts: Concepts,
    romanisation: Romanisation,
    others: Iterable[tuple[str, str]] = (),
) -> IntentModel:
    """others: texts in languages that are not ours, with their tags."""
    intents = sorted({example.intent for example in examples})
    if len(intents) < 3:
        raise ValueError("training needs examples of at least three intents in data/nlu")
    by_language = {language: list(group) for language, group in groupby(sorted(examples), key=lambda example: example.language)}

    def head(language: str) -> Head:
        return _head(by_language[language], intents, lexicon, reader(language, concepts, romanisation))

    heads = _each(head, sorted(by_language))
    detector = Detector.train(((example.language, example.text) for example in examples), others)
    return IntentModel(intents, heads, lexicon, concepts, romanisation, detector)


def _each(head: Callable[[str], Head], languages: Sequence[str]) -> dict[str, Head]:
    """The head of each language, on as many cores as there are; each is the same as if it had been made alone."""
    workers = min(MOST_PROCESSES, os.cpu_count() or 1, len(languages))
    if workers < 2:
        return {language: head(language) for language in languages}
    # Forked, the processes have the examples already: nothing is sent to them but the language.
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(workers, context, initializer=_take, initargs=(head,)) as pool:
        return dict(zip(languages, pool.map(_taken, languages), strict=True))


_heads: list[Callable[[str], Head]] = []


def _take(head: Callable[[str], Head]) -> None:
    _heads[:] = [head]


def _taken(language: str) -> Head:
    return _heads[0](language)


def _head(examples: Sequence[Example], intents: list[str], lexicon: SafetyLexicon, read: Callable[[str], list[Block]]) -> Head:
    texts = [read(normalise(example.text)) for example in examples]
    features = Features.learn(texts)
    rows = features.matrix(texts)
    labels = np.searchsorted(intents, [example.intent for example in examples])
    # The one stands for the bias: a feature that every text has.
    alike = (rows @ rows.T).toarray() + 1
    duals, inverse = _solve(alike, labels, len(intents))
    own = np.diag(inverse)[:, None]
    whole = _targets(labels, len(intents)) - duals / own

    clauses = whole.copy()
    pieces = [split_clauses(example.text) for example in examples]
    several = np.array([len(of_example) > 1 for of_example in pieces])
    origin = np.array([at for at in np.flatnonzero(several) for _ in pieces[at]], dtype=int)
    if len(origin):
        like_others = (
            features.matrix([read(piece) for at in np.flatnonzero(several) for piece in pieces[at]]) @ rows.T
        ).toarray()
        like_others += 1
        # What the example itself has added to the margins of its clauses is taken off again.
        added = (like_others * inverse[origin]).sum(axis=1, keepdims=True) / own[origin]
        margins = like_others @ duals - added * duals[origin]
        for at in np.flatnonzero(several):
            clauses[at] = of_clauses(margins[origin == at])
    signs = np.array([bool(lexicon.find(example.text, example.language).seen) for example in examples])
    gate = _choose_gate(whole, clauses, labels, several, signs, intents, lexicon.intents)
    return Head.from_weights(features, np.asarray(rows.T @ duals), duals.sum(axis=0), gate)


def _targets(labels: Numbers, count: int) -> Numbers:
    targets = np.full((len(labels), count), -1, dtype=np.float32)
    targets[np.arange(len(labels)), labels] = 1
    return targets


def _solve(alike: Numbers, labels: Numbers, count: int) -> tuple[Numbers, Numbers]:
    """The dual weights of each example, and the inverse that the leave-one-out values are read from."""
    from scipy.linalg.lapack import spotrf, spotri

    alike = alike.astype(np.float32)
    alike[np.diag_indices_from(alike)] += RESTRAINT
    factor, failed = spotrf(alike, lower=1, overwrite_a=1)
    lower, failed_too = spotri(factor, lower=1, overwrite_c=1)
    if failed or failed_too:
        raise ArithmeticError("the examples could not be solved for; this should not happen with any restraint above 0")
    inverse = np.tril(lower) + np.tril(lower, -1).T
    return inverse @ _targets(labels, count), inverse


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
    outside = np.array([intent == OUT_OF_SCOPE for intent in intents])[truth]
    answer_from = _lowest(
        top,
        lambda chosen: (
            float((chosen & ~right).mean()) <= MOST_WRONG_ANSWERS
            and float((chosen & ~right & outside).sum()) <= MOST_ANSWERED_OUTSIDE * max(1, int(outside.sum()))
        ),
    )
    names_safety = is_safety[best]
    answer_safety_from = _lowest(
        np.where(names_safety, top, 0.0), lambda chosen: float(right[chosen].mean()) >= LEAST_RIGHT_SAFETY_ANSWERS
    )
    in_three = (order[:, :3] == truth[:, None]).any(axis=1)
    sum_of_three = np.take_along_axis(shares, order[:, :3], axis=1).sum(axis=1)
    of_safety = shares[:, is_safety].sum(axis=1)[is_safety[truth]]
    found_anyway = signs[is_safety[truth]]
    return Gate(
        temperature=temperature,
        clause_share=clause_share,
        answer_from=answer_from,
        answer_safety_from=min(answer_from, answer_safety_from),
        clarify_from=_where_three_help(sum_of_three, in_three),
        safety_share=_safety_share(of_safety, found_anyway),
    )


def _safety_share(shares: Numbers, found_anyway: Numbers) -> float:
    """From how much of the safety intents together there is an alarm."""
    if not len(shares):
        return 1.0
    # What the lexicon finds by itself need not be found twice; but its writers knew the examples, so it finds more among
    # them than it will in life, and the classifier must find nearly all alone.
    together = np.quantile(np.where(found_anyway, 1.0, shares), 1 - SAFETY_RECALL)
    return float(min(together, np.quantile(shares, 1 - SAFETY_RECALL_ALONE)))


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
