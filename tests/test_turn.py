"""The road of one message where the real engine cannot be made to say what is needed: languages without words above all.

The engine here is a stand-in that says what each test gives it; everything else is real. Whole conversations with the real
engine: test_conversations.py.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.catalog import Catalog
from bot.channels import shown
from bot.conversation import Conversation, Incoming, Reply
from bot.engine.client import EngineTurn
from bot.language.detection import Detection
from bot.settings import Settings
from bot.turn import Road, visitor_turn

CATALOG = Catalog.load(Path(__file__).parent.parent / "data")


class Detector:
    """Finds what it is told to find."""

    def __init__(self, detection: Detection) -> None:
        self.detection = detection

    def detect(self, text: str, prior: str | None = None) -> Detection:
        return self.detection


class Engine:
    """Says what it is told to say."""

    def __init__(self, *replies: Reply, **parse: Any) -> None:
        self.said = EngineTurn(replies, parse)

    async def turn(self, *_: Any) -> EngineTurn:
        return self.said


SURE = Detection("en", 0.99, [("en", 0.99)], 40)


def road(detection: Detection, *replies: Reply, **parse: Any) -> Road:
    return Road(Settings(), CATALOG, Detector(detection), Engine(*replies, **parse))  # type: ignore[arg-type]


async def says(one: Road, conversation: Conversation, text: str = "some words") -> list[Reply]:
    return await visitor_turn(one, conversation, Incoming(text=text))


async def test_a_language_that_is_not_ours_is_named_in_swedish_and_english() -> None:
    detection = Detection(None, 0.0, [], 40, True, "de")
    conversation = Conversation("en")
    replies = await says(road(detection, Reply("clarify", ("ask_rights",)), decision="clarify"), conversation)
    texts = [message.text for message in shown.messages(CATALOG, conversation, replies)]
    assert "tyska" in texts[0]
    assert "German" in texts[1]
    assert all("112" in text for text in texts[:2])
    assert "clarify" not in [reply.answer for reply in replies]
    assert "language:sv" in conversation.choices
    assert conversation.language is None


async def test_what_was_understood_in_a_language_without_words_is_answered_with_the_truth_about_it() -> None:
    detection = replace(SURE, language="xx")
    conversation = Conversation("sv")
    replies = await says(road(detection, Reply("ask_rights"), decision="answer"), conversation)
    assert [reply.answer for reply in replies][:3] == ["ask_rights", "language_not_available", "language_not_available"]
    assert conversation.answer_language == "sv"


async def test_danger_in_a_language_without_words_keeps_its_first_line() -> None:
    detection = Detection(None, 0.0, [], 40, True, "de")
    replies = await says(road(detection, Reply("clarify"), decision="clarify", safety=True), Conversation("en"))
    assert [reply.answer for reply in replies][:2] == ["emergency_line", "language_not_available"]


async def test_a_sign_of_danger_puts_the_emergency_line_first() -> None:
    replies = await says(road(SURE, Reply("ask_money"), decision="answer", safety=True), Conversation("en"))
    assert [reply.answer for reply in replies][:2] == ["emergency_line", "ask_money"]


async def test_the_answers_to_danger_need_no_second_line() -> None:
    replies = await says(road(SURE, Reply("in_danger"), decision="answer", safety=True), Conversation("en"))
    assert replies[0].answer == "in_danger"
    assert "emergency_line" not in [reply.answer for reply in replies]


@pytest.mark.parametrize("replies", [(), (Reply("no_such_answer"),), (Reply("", offer="talk_to_human"),)])
async def test_silence_and_nonsense_become_the_emergency_text(replies: tuple[Reply, ...]) -> None:
    said = await says(road(SURE, *replies), Conversation("en"))
    assert said[0].answer == "emergency"


async def test_an_offer_of_a_person_joins_the_choices_of_the_answer_before_it() -> None:
    conversation = Conversation("en")
    await says(road(SURE, Reply("ask_compensation"), Reply("", offer="ask_bot"), decision="answer"), conversation)
    assert "ask_bot" in conversation.choices


async def test_a_message_in_another_language_is_answered_in_hers_and_the_other_offered() -> None:
    conversation = Conversation("en", language="ro", chosen=True)
    replies = await says(road(SURE, Reply("ask_rights"), decision="answer"), conversation)
    assert conversation.answer_language == "ro"
    assert ("language_offer", "en") in [(reply.answer, reply.shown_in) for reply in replies]


async def test_a_short_message_offers_nothing() -> None:
    conversation = Conversation("en", language="ro")
    replies = await says(road(replace(SURE, letters=5), Reply("ask_rights"), decision="answer"), conversation)
    assert "language_offer" not in [reply.answer for reply in replies]
