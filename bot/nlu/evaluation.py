"""How well messages are understood, on sentences that training has not seen.

On the road: `andrum evaluate` reads tests/nlu/<tag>.tsv and shows this report. It promises figures for each language
and style, so that a language that falls behind is seen. It must never show a sentence, only what became of it: the
same code may be pointed at real messages one day.

A file has a header line and the columns style, intent, also_right (comma separated, may be empty), text.
"""

from __future__ import annotations

import csv
import io
import statistics
import time
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.nlu.model import ANSWER, CLARIFY, FALLBACK, OUT_OF_SCOPE, IntentModel

COLUMNS = ["style", "intent", "also_right", "text"]
ALL = "all"
SHOWN_CONFUSIONS = 30
BINS = 10
MARKDOWN = {
    "first": "first",
    "in the first three": "in_three",
    "answered": "answered",
    "right when answered": "right_when_answered",
    "answered wrongly": "wrong_answers",
    "safety found": "safety_found",
    "false alarms": "false_alarms",
    "language found": "language_found",
    "calibration error": "calibration_error",
}


class EvaluationError(ValueError):
    """A test file cannot be used; the message says file, line and what to do."""


@dataclass(frozen=True)
class Case:
    """One sentence and what it should be understood as."""

    language: str
    style: str
    intent: str
    right: frozenset[str]
    text: str


@dataclass(frozen=True)
class Outcome:
    """What became of one sentence; no text."""

    language: str
    style: str
    intent: str
    found: str
    right: bool
    right_in_three: bool
    confidence: float
    decision: str
    is_safety: bool
    safety: bool
    language_found: bool
    ms: float


class Report:
    """Figures by language and style."""

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        self.outcomes = list(outcomes)

    def as_dict(self) -> dict[str, Any]:
        groups: dict[str, dict[str, Any]] = {}
        for language in [*dict.fromkeys(o.language for o in self.outcomes), ALL]:
            of_language = [o for o in self.outcomes if language in (o.language, ALL)]
            groups[language] = {
                style: _figures([o for o in of_language if style in (o.style, ALL)])
                for style in [*dict.fromkeys(o.style for o in of_language), ALL]
            }
        wrong = Counter((o.language, o.intent, o.found) for o in self.outcomes if not o.right)
        times = sorted(o.ms for o in self.outcomes)
        return {
            "figures": groups,
            "confusions": [
                {"language": language, "intent": intent, "found": found, "times": times_seen}
                for (language, intent, found), times_seen in wrong.most_common(SHOWN_CONFUSIONS)
            ],
            "median_ms": statistics.median(times) if times else 0.0,
            "p95_ms": times[min(len(times) - 1, int(len(times) * 0.95))] if times else 0.0,
        }

    def table(self) -> str:
        """For a terminal, in per cent."""
        content = self.as_dict()
        lines = [
            "language style        sentences  first  in 3  answered right | asked back right in 3 | menu | "
            "wrong answers  safety found  false alarms  outside answered  language  calibration error",
        ]
        for language, styles in content["figures"].items():
            for style, f in styles.items():
                answered, asked = _per_cent(f["answered"]), _per_cent(f["asked_back"])
                right, in_three = _per_cent(f["right_when_answered"]), _per_cent(f["right_in_three_when_asked_back"])
                wrong, outside = _per_cent(f["wrong_answers"]), _per_cent(f["outside_answered"])
                lines.append(
                    f"{language:8} {style:12} {f['sentences']:9}  {_per_cent(f['first'])}  {_per_cent(f['in_three'])}"
                    f"   {answered} {right} |     {asked} {in_three}      | {_per_cent(f['menu'])}|"
                    f"     {wrong}         {_per_cent(f['safety_found'])}         {_per_cent(f['false_alarms'])}"
                    f"             {outside}     {_per_cent(f['language_found'])}"
                    f"              {_per_cent(f['calibration_error'])}"
                )
        lines.append("")
        lines.append("most often taken for another:")
        lines.extend(f"  {c['times']:3}  {c['language']:3} {c['intent']} → {c['found']}" for c in content["confusions"])
        lines.append(f"time for a message: median {content['median_ms']:.2f} ms, p95 {content['p95_ms']:.2f} ms")
        return "\n".join(lines)

    def as_markdown(self) -> str:
        """For a page: a line a language, in per cent."""
        content = self.as_dict()
        lines = [
            f"`andrum evaluate` on {time.strftime('%Y-%m-%d')}, in per cent. Calibration error: how far, on average, the "
            f"probability of the first intent is from how often it is right ({BINS} bins).",
            "",
            f"| language | sentences | {' | '.join(MARKDOWN)} |",
            f"|---|---:|{'---:|' * len(MARKDOWN)}",
        ]
        for language, styles in content["figures"].items():
            f = styles[ALL]
            shares = (_per_cent(f[key]).strip() for key in MARKDOWN.values())
            lines.append(f"| {language} | {f['sentences']} | {' | '.join(shares)} |")
        return "\n".join(lines)


def evaluate(model: IntentModel, files: Iterable[Path | str]) -> Report:
    """Every sentence as a first message: nothing is known, not even its language."""
    outcomes: list[Outcome] = []
    for file in files:
        for case in read_cases(Path(file), model.intents):
            began = time.perf_counter()
            parse = model.parse(case.text)
            took = time.perf_counter() - began
            outcomes.append(
                Outcome(
                    language=case.language,
                    style=case.style,
                    intent=case.intent,
                    found=parse.intent,
                    right=parse.intent in case.right,
                    confidence=parse.confidence,
                    right_in_three=any(intent in case.right for intent, _ in parse.ranking[:3]),
                    decision=parse.decision,
                    is_safety=case.intent in model.lexicon.intents,
                    safety=parse.safety,
                    language_found=parse.language == case.language,
                    ms=took * 1000,
                )
            )
    return Report(outcomes)


def read_cases(path: Path, intents: Collection[str] | None = None) -> list[Case]:
    """The sentences of one file; its name is the language tag. intents: those there are; another is a mistake."""
    cases: list[Case] = []
    try:
        content = path.read_text(encoding="utf-8")
    except OSError as error:
        raise EvaluationError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise EvaluationError(f"{path}:{line}: is not UTF-8; save the file as UTF-8") from error
    rows = csv.reader(io.StringIO(content, newline=""), delimiter="\t", quoting=csv.QUOTE_NONE)
    header = next(rows, [])
    if header != COLUMNS:
        missing = ", ".join(column for column in COLUMNS if column not in header)
        what = f"the column {missing} is missing; " if missing else ""
        raise EvaluationError(f"{path}:1: {what}the header must be {', '.join(COLUMNS)}, with tabs between")
    for row in rows:
        where = f"{path}:{rows.line_num}"
        if not row:
            continue
        if len(row) != len(COLUMNS):
            raise EvaluationError(
                f"{where}: has {len(row)} columns; needs style, intent, also_right and text with tabs between "
                "(also_right may be empty, its tab may not be left out)"
            )
        style, intent, also_right, text = (column.strip() for column in row)
        empty = [name for name, value in (("style", style), ("intent", intent), ("text", text)) if not value]
        if empty:
            raise EvaluationError(f"{where}: {' and '.join(empty)} must not be empty")
        right = frozenset({intent, *(other.strip() for other in also_right.split(",") if other.strip())})
        if intents is not None and (unknown := sorted(right - set(intents))):
            raise EvaluationError(f"{where}: unknown intent {', '.join(unknown)}; data/nlu has no examples of it")
        cases.append(Case(path.stem, style, intent, right, text))
    return cases


def _figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    answered = [o for o in outcomes if o.decision == ANSWER]
    asked_back = [o for o in outcomes if o.decision == CLARIFY]
    safety = [o for o in outcomes if o.is_safety]
    others = [o for o in outcomes if not o.is_safety]
    outside = [o for o in outcomes if o.intent == OUT_OF_SCOPE]
    return {
        "sentences": len(outcomes),
        "first": _share(o.right for o in outcomes),
        "in_three": _share(o.right_in_three for o in outcomes),
        "answered": _share(o.decision == ANSWER for o in outcomes),
        "right_when_answered": _share(o.right for o in answered),
        "asked_back": _share(o.decision == CLARIFY for o in outcomes),
        "right_in_three_when_asked_back": _share(o.right_in_three for o in asked_back),
        "menu": _share(o.decision == FALLBACK for o in outcomes),
        "wrong_answers": _share(o.decision == ANSWER and not o.right for o in outcomes),
        "safety_found": _share(o.safety for o in safety),
        "false_alarms": _share(o.safety for o in others),
        "outside_answered": _share(o.decision == ANSWER and not o.right for o in outside),
        "language_found": _share(o.language_found for o in outcomes),
        "calibration_error": calibration_error([(o.confidence, o.right) for o in outcomes]),
    }


def calibration_error(judged: Sequence[tuple[float, bool]]) -> float | None:
    """How far probabilities are from how often they are right, on average: over bins of equal width, each counting by what
    is in it (expected calibration error)."""
    bins: dict[int, list[tuple[float, bool]]] = {}
    for confidence, right in judged:
        bins.setdefault(min(BINS - 1, int(confidence * BINS)), []).append((confidence, right))
    apart = (abs(sum(confidence - right for confidence, right in of_bin)) for of_bin in bins.values())
    return sum(apart) / len(judged) if judged else None


def _share(values: Iterable[bool]) -> float | None:
    found = list(values)
    return sum(found) / len(found) if found else None


def _per_cent(share: float | None) -> str:
    return "    -" if share is None else f"{100 * share:5.1f}"
