"""`andrum bench nlu`: the same examples for each pipeline, by lot but always the same, and a row that says what it needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.nlu import bench
from bot.nlu.evaluation import EvaluationError
from bot.nlu.examples import Example

ROOT = Path(__file__).parent.parent
EXAMPLES = [Example(tag, intent, f"{intent} {n}") for tag in ("sv", "ar") for intent in ("greet", "goodbye") for n in range(9)]
SHARES = {"first": 0.5, "in_three": 0.75}


def test_a_choice_is_by_lot_and_always_the_same() -> None:
    five, three = bench.choose(EXAMPLES, 5), bench.choose(list(reversed(EXAMPLES)), 3)
    assert (len(five), len(three)) == (20, 12)
    assert set(three) < set(five)
    assert bench.choose(EXAMPLES, None) == sorted(EXAMPLES)
    assert bench.choose(EXAMPLES, 3) == three != sorted(EXAMPLES)[:12]


def test_the_subset_holds_only_its_languages() -> None:
    chosen = bench.subset(ROOT, ["sv"], 2)
    assert {example.language for example in chosen.examples()} == {case.language for case in chosen.cases()} == {"sv"}
    assert bench.Subset.from_dict(chosen.as_dict()) == chosen


def test_a_file_of_no_language_is_named(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=r"xx\.tsv: data/nlu has no language xx"):
        bench.of_files(ROOT, [tmp_path / "xx.tsv"])


def test_each_pipeline_has_its_own_classifier() -> None:
    names = {name: [component["name"] for component in bench.pipeline(name, ROOT)] for name in bench.NAMES}
    assert names[bench.OURS] == ["bot.nlu.components.LanguageIdentifier", "bot.nlu.components.IntentClassifier"]
    assert names[bench.STOCK] == ["WhitespaceTokenizer", "CountVectorsFeaturizer", "LogisticRegressionClassifier"]
    assert names[bench.DIET][-1] == "DIETClassifier"


@pytest.fixture
def figures() -> dict[str, Any]:
    found = {"seconds": 1.0, "megabytes": 2.0, "model": 3.0, "median": 4.0, "p95": 5.0}
    judged = {"languages": {"sv": SHARES, "ar": SHARES}, "all": SHARES}
    return {
        "languages": ["sv", "ar"],
        "examples": 10,
        "most": None,
        "sentences": 20,
        "pipelines": {bench.OURS: {**found, **judged}, bench.STOCK: {**found, **judged}, bench.DIET: None},
        "curve": [{"most": 5, "examples": 7, "seconds": 1.0, **judged}],
    }


def test_a_pipeline_that_cannot_run_says_what_it_needs(figures: dict[str, Any]) -> None:
    table = bench.as_table(figures)
    (row,) = [line for line in table.splitlines() if "DIET" in line]
    assert bench.NEEDS_TENSORFLOW in row
    rows = [line for line in table.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in rows[:5]}) == len({line.count("|") for line in rows[5:]}) == 1


def test_beside_shows_both(figures: dict[str, Any]) -> None:
    ours = {tag: {"all": {"first": 0.9, "in_three": 0.95}} for tag in ("sv", "ar", "all")}
    shown = bench.beside(ours, figures["pipelines"][bench.STOCK])
    assert ["sv", "90.0", "50.0", "95.0", "75.0"] in [line.split() for line in shown.splitlines()]


def test_a_process_that_fails_is_named() -> None:
    with pytest.raises(bench.BenchFailed, match="sing"):
        bench._process(ROOT, {"what": "sing", "subset": bench.subset(ROOT, ["sv"], 2).as_dict()})
