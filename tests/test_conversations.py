"""Whole conversations with the real engine, over the REST door: what she writes, and what she reads."""

from __future__ import annotations

import itertools
import json
import os
import secrets
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bot.catalog import Catalog
from tests.conftest import Running

pytestmark = pytest.mark.engine
CATALOG = Catalog.load(Path(__file__).parent.parent / "data")


@dataclass
class Visitor:
    """Somebody who writes: one REST sender."""

    url: str
    sender: str = field(default_factory=lambda: secrets.token_hex(8))
    texts: list[str] = field(default_factory=list)
    choices: list[str] = field(default_factory=list)

    def says(self, message: str) -> list[str]:
        """The texts she gets; `choices` then holds the ids of the buttons."""
        request = urllib.request.Request(
            f"{self.url}/webhooks/rest/webhook",
            data=json.dumps({"sender": self.sender, "message": message}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            body: list[dict[str, Any]] = json.load(response)
        self.texts = [one["text"] for one in body]
        self.choices = [button["payload"].removeprefix("choice:") for button in body[-1]["buttons"]]
        return self.texts

    def presses(self, choice: str) -> list[str]:
        assert choice in self.choices, f"{choice} is not among {self.choices}"
        return self.says(f"choice:{choice}")


@pytest.fixture
def visitor(andrum: Running) -> Visitor:
    return Visitor(andrum.url)


def words(answer: str, tag: str) -> str:
    return CATALOG.find(answer, tag).text


# As first contact, each a conversation of its own: the language, and every answer that a good helper would give.
FIRST_MESSAGES = [
    (
        "jag får ingen lön och chefen har mitt pass",
        "sv",
        {"ask_unpaid_wages", "documents_taken", "describe_labour_exploitation"},
    ),
    ("pot sta în Suedia dacă vorbesc cu poliția?", "ro", {"ask_police_contact", "ask_deportation", "ask_after_reflection"}),
    ("ce este perioada de reflecție", "ro", {"ask_reflection_period"}),
    ("ماذا يحدث بعد ثلاثين يوما؟", "ar", {"ask_after_reflection"}),
    ("بدي احكي مع حدا", "ar", {"talk_to_human", "ask_psychological_support"}),
    ("he says I owe 8000 euro and takes all what I earn", "en", {"debt_bondage"}),
    ("who will read this", "en", {"ask_confidentiality"}),
    ("är du polis", "sv", {"ask_bot"}),
    ("mi-e frica, e la usa", "ro", {"in_danger"}),
    ("i am 16", "en", {"under_18"}),
    ("can my daughter go to school here", "en", {"ask_children"}),
    ("hur mycket kostar det att söka betänketid", "sv", {"ask_reflection_application", "ask_cost"}),
    ("vad är en regionkoordinator och hur når jag en", "sv", {"ask_region_coordinator"}),
    ("انا بالحجز بمطار ارلاندا", "ar", {"ask_detention"}),
    ("my friend works in a nail salon and she can not go out", "en", {"help_someone_else"}),
    ("vreau acasă dar nu am bani", "ro", {"ask_return_home", "ask_money"}),
    ("help", "en", {"ask_help_menu", "in_danger"}),
]


@pytest.mark.parametrize(("message", "tag", "right"), FIRST_MESSAGES, ids=[m for m, _, _ in FIRST_MESSAGES])
def test_first_messages_are_understood_or_offered(visitor: Visitor, message: str, tag: str, right: set[str]) -> None:
    texts = visitor.says(message)
    answered = [answer for answer in CATALOG.answer_ids if texts[0] == words(answer, tag)]
    if answered == ["clarify"]:
        assert right & set(visitor.choices[:3]), visitor.choices
    else:
        assert set(answered) & right, texts[0]
    assert "talk_to_human" in visitor.choices or answered == ["talk_to_human"]
    assert any("112" in text for text in texts)


def test_the_first_contact_is_told_once_and_after_her_answer(visitor: Visitor) -> None:
    texts = visitor.says("ce este perioada de reflecție")
    contact = words("first_contact", "ro")
    assert texts.index(contact) > 0
    assert contact not in visitor.says("dar cine face cererea pentru betanketid?")


def test_fuzzy_words_are_told_once(visitor: Visitor) -> None:
    notice = words("fuzzy_notice", "ro")
    assert notice in visitor.says("ce este perioada de reflecție")
    assert notice not in visitor.says("ce drepturi am aici")


@pytest.mark.parametrize("message", ["asdkjh", "qwrtzp"])
def test_one_unknown_word_gets_swedish_and_english_and_the_languages(visitor: Visitor, message: str) -> None:
    texts = [text for text in visitor.says(message) if text != words("emergency_line", "en")]
    assert texts[0].startswith(words("language_unknown", "sv").split(":")[0])
    assert texts[1].startswith(words("language_unknown", "en").split(":")[0])
    for language in CATALOG.languages:
        assert f"language:{language.tag}" in visitor.choices
        assert language.name in texts[0]
    assert "112" in texts[0]


def test_a_question_mark_alone_gets_an_answer(visitor: Visitor) -> None:
    assert visitor.says("?")[0] == words("unreadable", "en")


def test_her_own_choice_of_language_wins_and_a_change_is_offered_never_imposed(visitor: Visitor) -> None:
    visitor.says("what are my rights in sweden please")
    visitor.says("svenska")
    texts = visitor.says("what happens after the thirty days are over")
    assert texts[0] in (words("ask_after_reflection", "sv"), words("clarify", "sv"))
    assert "language:en" in visitor.choices
    assert visitor.presses("language:en")[0].startswith(words("language_changed", "en").split("{")[0][:20])
    assert visitor.says("what are my rights in sweden please")[0] == words("ask_rights", "en")


def test_yes_takes_the_language_that_was_offered(visitor: Visitor) -> None:
    visitor.says("what are my rights in sweden please")
    visitor.says("vreau sa stiu ce se intampla dupa cele treizeci de zile")
    assert "language:ro" in visitor.choices
    visitor.says("yes")
    assert visitor.says("ce drepturi am aici in suedia")[0] == words("ask_rights", "ro")


def test_a_language_that_is_not_there_is_named_truthfully(visitor: Visitor) -> None:
    text = visitor.says("can you speak tigrinya?")[0]
    assert "Tigrinya" in text
    assert "Svenska" in text


def test_not_understood_three_times_never_gets_the_same(visitor: Visitor) -> None:
    visitor.says("what are my rights in sweden please")
    seen = []
    for message in (
        "blorp fizzle wump today",
        "grumble snork about the wibble",
        "zib zab of the flumox",
        "quonk the ferple again",
    ):
        seen.append(visitor.says(message)[0])
    assert all(one != other for one, other in itertools.pairwise(seen))
    assert {words("menu", "en"), words("not_understood_again", "en")} & set(seen) or words("out_of_scope", "en") in seen


def test_a_choice_needs_no_understanding(visitor: Visitor) -> None:
    visitor.says("ce este perioada de reflecție")
    assert visitor.presses("ask_reflection_application")[0] == words("ask_reflection_application", "ro")
    assert visitor.presses("talk_to_human")[0] == words("talk_to_human", "ro")


def test_the_words_of_a_choice_can_be_typed(visitor: Visitor) -> None:
    visitor.says("ce este perioada de reflecție")
    label = CATALOG.label("ask_reflection_application", "ro")
    assert visitor.says(label.upper())[0] == words("ask_reflection_application", "ro")


def test_a_sign_of_danger_in_something_else_adds_the_emergency_line(visitor: Visitor) -> None:
    texts = visitor.says("can i get money for food, he beats me and i am so scared he comes back tonight")
    assert "112" in texts[0].splitlines()[0]


def test_112_is_one_word_away(visitor: Visitor) -> None:
    visitor.says("ce drepturi am aici in suedia")
    assert visitor.says("112")[0] == words("in_danger", "ro")


def test_erase_forgets_the_language_too(visitor: Visitor) -> None:
    visitor.says("ce drepturi am aici in suedia")
    assert visitor.says("sterge tot te rog conversatia asta")[0] == words("erased", "ro")
    assert words("first_contact", "en") in visitor.says("what are my rights in sweden please")


@pytest.mark.parametrize(
    "slash", ["/ask_rights", "/restart", "/session_start", '/in_danger{"language": "ar"}', "/talk_to_human@1.0"]
)
def test_a_slash_triggers_nothing_p20(visitor: Visitor, slash: str) -> None:
    visitor.says("ce drepturi am aici in suedia")
    assert visitor.says(slash)[0] == words("menu", "ro")


def test_a_long_message_is_answered_and_said_to_be_long(visitor: Visitor) -> None:
    texts = visitor.says("what are my rights in sweden? " + "i walked to the bus and it was cold. " * 60)
    assert words("long_message", "en") in texts


def test_two_hundred_messages_in_a_row(visitor: Visitor) -> None:
    visitor.says("ce drepturi am aici in suedia")
    for number in range(200):
        assert visitor.says(f"am {number} de intrebari despre politie")
    # Nothing is lost on the way: the language, and what the last message asked.
    assert visitor.says("ce drepturi am aici in suedia")[0] == words("ask_rights", "ro")


def test_two_people_at_once_are_not_mixed_up(andrum: Running) -> None:
    one, other = Visitor(andrum.url), Visitor(andrum.url)
    one.says("ce drepturi am aici in suedia")
    other.says("what are my rights in sweden please")
    assert one.says("112")[0] == words("in_danger", "ro")
    assert other.says("112")[0] == words("in_danger", "en")


def test_the_engine_runs_with_the_tensorflow_that_was_asked_for(andrum: Running) -> None:
    """`scripts/test-maintainer` runs this file with the real one, `make test` without."""
    import psutil

    maps = psutil.Process(andrum.children()["engine"]).memory_maps()
    real = any("tensorflow" in one.path for one in maps)
    assert real == (os.environ.get("ANDRUM_ENGINE_TENSORFLOW") == "real")
