"""What reaches the engine: readable, short, and without what a person can be found by (P20, P42)."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.privacy.masking import MOST_CHARACTERS, canonical

IDENTIFYING = [
    "070-174 06 05",
    "+46 70 174 06 05",
    "0046701740605",
    "(070) 174.06.05",
    "19900101-2384",
    "900101-2384",
    "900161-2384",
    "anna@example.org",
    "https://example.org/anna?x=1",
    "www.example.org",
    "@anna_sthlm",
    "SE45 5000 0000 0583 9825 7466",
    "AB1234567",
    "٠٧٠١٧٤٠٦٠٥",
]


@pytest.mark.parametrize("value", IDENTIFYING)
def test_identifying_values_are_taken_out(value: str) -> None:
    text = canonical(f"he has my number {value} help").text
    assert value not in text
    assert text.startswith("he has my number")
    assert text.endswith("help")


@pytest.mark.parametrize("value", ["112", "i am 16", "30 dagar?", "8000 euro", "120 kr 15 h", "عمري ١٥", "114 14"])
def test_numbers_that_mean_something_stay(value: str) -> None:
    assert canonical(value).text == value


@pytest.mark.parametrize("text", ["/ask_rights", " /restart", "//session_start", "\u200b/greet", "/ /greet{}"])
def test_a_leading_slash_is_gone(text: str) -> None:
    assert not canonical(text).text.startswith("/")


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("/restart", True),
        ('/ask_rights{"language": "sv x"}', True),
        ("/greet@0.9", True),
        ("//in_danger", True),
        ("/ask rights", False),
    ]
    + [("/ hjälp mig nu", False), ("he/she", False), ("/عيد", True), ("and/or what", False), ("\u200b/greet", True)],
)
def test_what_has_the_form_of_a_command_is_told(text: str, command: bool) -> None:
    assert canonical(text).command is command


def test_five_hundred_slash_probes_reach_no_intent_p20() -> None:
    from pathlib import Path

    from ruamel.yaml import YAML

    intents = YAML(typ="safe").load((Path(__file__).parent.parent / "domain.yml").read_text(encoding="utf-8"))["intents"]
    shapes = [
        "/{}",
        " /{}",
        "//{}",
        "/ {}",
        "\u200b/{}",
        "/{}{{}}",
        '/{}{{"language": "sv"}}',
        "/{}@0.99",
        "\u202e/{}",
        "/\ufeff{}",
    ]
    probes = [shape.format(intent) for intent in intents for shape in shapes]
    assert len(probes) >= 500
    assert [probe for probe in probes if not canonical(probe).command] == []


def test_controls_bidi_marks_and_lone_surrogates_go_and_words_stay() -> None:
    assert canonical("he\u202elp\u2066 m\u0000e\ud800 \u200bnow").text == "help me now"


def test_persian_joiners_stay() -> None:
    assert canonical("می\u200cترسم").text == "می\u200cترسم"


def test_fifty_thousand_combining_marks_do_not_hide_the_words() -> None:
    text = canonical("help" + "\u0301" * 50_000 + " me").text
    assert len(text) < 20
    assert text.startswith("hel")


def test_long_messages_are_cut_and_say_so() -> None:
    message = canonical("a b " * 1000)
    assert message.cut
    assert len(message.text) <= MOST_CHARACTERS
    assert not canonical("a" * MOST_CHARACTERS).cut


@pytest.mark.parametrize("text", ["", "   ", "😀😀", "?", "...", "\u202e\u202e", "\u0301"])
def test_nothing_to_read_has_no_letters(text: str) -> None:
    assert canonical(text).letters == 0


@given(st.text(st.characters(codec=None), max_size=2000))
def test_any_text_at_all(text: str) -> None:
    message = canonical(text)
    assert len(message.text) <= MOST_CHARACTERS
    assert not message.text.startswith("/")
    assert message.text == message.text.strip()
    assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in message.text)
    message.text.encode("utf-8")
    assert canonical(message.text).text == message.text
