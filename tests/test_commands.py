"""The commands as somebody types them: `andrum parse` above all, so that anyone can try a sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
KEYS = {"language", "intent", "confidence", "decision", "safety", "ranking", "ms"}


def andrum(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-m", "bot", *arguments], input=given, capture_output=True, cwd=ROOT)


@pytest.mark.engine
def test_parse_reads_lines_and_writes_one_object_a_line() -> None:
    lines = ["i am 16", "mi-e frica, e la usa", "", "ماذا يحدث بعد ثلاثين يوما؟", "😀", "/ask_rights"]
    done = andrum("parse", given=("\n".join(lines) + "\n").encode() + b"\xff\xfe help\n")
    assert done.returncode == 0, done.stderr
    parsed = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(parsed) == len(lines) + 1
    for one in parsed:
        assert set(one) == KEYS
        assert len(one["ranking"]) == 54
        assert [set(row) for row in one["ranking"][:3]] == [{"intent", "confidence"}] * 3
        assert one["ranking"][0]["intent"] == one["intent"]
        confidences = [row["confidence"] for row in one["ranking"]]
        assert confidences == sorted(confidences, reverse=True)
        assert one["decision"] in ("answer", "clarify", "fallback")
    assert (parsed[0]["language"], parsed[0]["intent"], parsed[0]["safety"]) == ("en", "under_18", True)
    assert (parsed[1]["language"], parsed[1]["intent"], parsed[1]["safety"]) == ("ro", "in_danger", True)
    assert (parsed[3]["language"], parsed[3]["intent"], parsed[3]["safety"]) == ("ar", "ask_after_reflection", False)


@pytest.mark.engine
def test_parse_takes_the_language_it_is_given() -> None:
    done = andrum("parse", "--lang", "ro", given=b"ok\n")
    assert json.loads(done.stdout)["language"] == "ro"


@pytest.mark.engine
def test_evaluate_gives_a_table_and_json() -> None:
    table = andrum("evaluate", "tests/nlu/ro.tsv")
    assert table.returncode == 0
    assert b"story" in table.stdout
    report = json.loads(andrum("evaluate", "--json", "tests/nlu/ro.tsv").stdout)
    assert report


@pytest.mark.engine
def test_evaluate_names_the_file_that_does_not_fit(tmp_path: Path) -> None:
    broken = tmp_path / "broken.tsv"
    broken.write_text("style\tintent\ttext\nplain\tgreet\thello\n", encoding="utf-8")
    done = andrum("evaluate", str(broken))
    assert done.returncode == 1
    assert b"broken.tsv" in done.stderr
    assert b"Traceback" not in done.stderr


def test_an_unknown_command_says_which_there_are() -> None:
    done = andrum("sing")
    assert done.returncode == 2
    assert b"serve" in done.stderr


@pytest.mark.engine
def test_bench_nlu_measures_each_pipeline_on_the_same_sentences(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- andrum bench nlu: begin -->\nold\n<!-- andrum bench nlu: end -->\nafter\n", encoding="utf-8")
    cached = sorted(ROOT.glob(".rasa/**/*"))
    done = andrum("bench", "nlu", "--json", "--languages", "sv", "--most", "2", "--write", str(page))
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert (figures["examples"], figures["sentences"]) == (108, 182)
    assert set(figures["pipelines"]) == {"ours", "stock", "diet"}
    for found in figures["pipelines"].values():
        if found:
            assert 0 < found["all"]["first"] <= found["all"]["in_three"] <= 1
            assert min(found[key] for key in ("seconds", "megabytes", "model", "median")) > 0
            assert found["median"] <= found["p95"]
    assert [point["most"] for point in figures["curve"]] == [5, 10, 20, 40]
    # Rasa's cache would give back what an earlier run had learned, and the seconds would be those of reading it.
    assert sorted(ROOT.glob(".rasa/**/*")) == cached
    written = page.read_text(encoding="utf-8")
    assert written.startswith("before\n<!-- andrum bench nlu: begin -->\n`andrum bench nlu` on ")
    assert written.endswith("<!-- andrum bench nlu: end -->\nafter\n")
    assert "\nold\n" not in written


@pytest.mark.engine
def test_bench_nlu_names_a_language_that_is_not_there() -> None:
    done = andrum("bench", "nlu", "--languages", "sv,xx")
    assert done.returncode == 1
    assert b"language xx" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.engine
def test_evaluate_stands_beside_the_stock_pipeline() -> None:
    figures = json.loads(andrum("evaluate", "--json", "--against", "stock", "tests/nlu/ro.tsv").stdout)
    assert figures["against"]["languages"].keys() == {"ro"}
    assert 0 < figures["against"]["all"]["first"] <= figures["figures"]["ro"]["all"]["in_three"] <= 1
