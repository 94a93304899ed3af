"""The road of one message, from a channel to what is said. Read this first.

    visitor_turn: readable? → language → engine, within the deadline → what else she must hear → replies

Road: channels call `visitor_turn` with a Conversation and an Incoming, and get replies (answer ids) in the order in which
they are to be shown. Promise: always at least one reply, within `Settings.engine.answer_seconds` and a moment; danger is
answered with 112 even when it is only suspected; when the engine does not answer, the emergency text (and the answer
itself, where a button was pressed) comes from the edge's own memory. Never: words, logs of text, waiting without an end.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.catalog import Catalog
from bot.conversation import Conversation, Incoming, Reply
from bot.engine.client import EngineClient, EngineTurn, EngineUnavailable
from bot.language.detection import Detection, Detector
from bot.privacy import logs
from bot.privacy.masking import canonical
from bot.settings import Settings

EMERGENCY_WORD = "112"
# A change of language is offered when a message is this surely in another one, and this long (knowledge/nlp.md 1.6).
OFFER_CONFIDENCE = 0.95
OFFER_LETTERS = 12
# Below this, a first message does not decide the language of the conversation.
FIRST_CONFIDENCE = 0.5
# Written to people whose language nothing has told: Swedish and English, then the page's (issue: first contact).
LANGUAGES_FOR_UNKNOWN = ("sv", "en")
# Said beside an answer; the choices under the answer stay.
EMERGENCY_LINE = "emergency_line"
ASIDES = frozenset({EMERGENCY_LINE, "first_contact", "fuzzy_notice", "long_message", "language_offer"})
ABOUT_LANGUAGE = frozenset({"language_changed", "language_choice", "language_not_available"})
PERSON = "talk_to_human"
DANGER = "in_danger"
# Answers that follow an unknown language as the engine understood nothing either.
NOT_UNDERSTOOD = frozenset({"clarify", "menu", "not_understood_again", "out_of_scope"})


@dataclass
class Road:
    """What a turn needs, made once at the start of the edge. The detector knows no language until it has been loaded, some
    moments after the edge answers; until then the page's own language is used."""

    settings: Settings
    catalog: Catalog
    detector: Detector
    engine: EngineClient


async def visitor_turn(road: Road, conversation: Conversation, incoming: Incoming) -> list[Reply]:
    """One message or choice from a visitor. Turns of one conversation follow each other; each has its own deadline."""
    deadline = road.settings.engine.answer_seconds
    try:
        replies = await asyncio.wait_for(_in_order(road, conversation, incoming, deadline), deadline)
    except asyncio.TimeoutError:
        # Another turn of this conversation was still waiting for an engine that hangs.
        replies = _without_engine(road, incoming)
    return _remember(road, conversation, replies)


async def _in_order(road: Road, conversation: Conversation, incoming: Incoming, deadline: float) -> list[Reply]:
    async with conversation.lock:
        if incoming.choice is not None:
            return await _choice(road, conversation, incoming, deadline)
        return await _text(road, conversation, incoming.text or "", deadline)


async def _choice(road: Road, conversation: Conversation, incoming: Incoming, deadline: float) -> list[Reply]:
    choice = incoming.choice or ""
    if choice.startswith("language:"):
        return _change_language(road, conversation, choice.removeprefix("language:"))
    if choice not in road.catalog:
        return [Reply("menu")]
    try:
        turn = await road.engine.turn(conversation.id, None, choice, conversation.answer_language, deadline * 0.95)
    except EngineUnavailable:
        # An answer of the conversation's own (no intent) is not Rasa's to give; any other was asked for by name, and the
        # words are here.
        return _without_engine(road, incoming)
    return _spoken(road, conversation, turn)


async def _text(road: Road, conversation: Conversation, text: str, deadline: float) -> list[Reply]:
    message = canonical(text)
    pressed = _choice_typed(road, conversation, message.text)
    if pressed:
        return await _choice(road, conversation, Incoming(choice=pressed), deadline)
    if message.command:
        return [Reply("menu")]
    if message.letters == 0 or not message.text:
        return [Reply("unreadable")]
    if message.text.strip(" .!?") == EMERGENCY_WORD:
        return [Reply("in_danger")]
    detection = road.detector.detect(message.text, prior=conversation.language)
    unspoken = _hold_language(road, conversation, detection)
    try:
        turn = await road.engine.turn(conversation.id, message.text, None, detection.language, deadline * 0.95)
    except EngineUnavailable:
        return _without_engine(road, Incoming(text=text))
    replies = _spoken(road, conversation, turn)
    if turn.parse.get("intent") == "affirm" and conversation.offered_language:
        return _change_language(road, conversation, conversation.offered_language)
    changed = any(reply.answer in ABOUT_LANGUAGE for reply in replies)
    if unspoken and not changed:
        replies = _for_unspoken_language(road, conversation, replies, unspoken)
    elif conversation.language is None and not changed:
        replies = _for_unknown_language(road, conversation, replies)
    conversation.offered_language = None if changed else _language_to_offer(road, conversation, detection)
    if conversation.offered_language:
        tag = conversation.offered_language
        replies.append(Reply("language_offer", (f"language:{tag}",), tag, shown_in=tag))
    if message.cut:
        replies.append(Reply("long_message"))
    return replies


def _choice_typed(road: Road, conversation: Conversation, text: str) -> str | None:
    """The choice whose words were typed, where buttons cannot be pressed; None if the text is none of them."""
    typed = text.strip(" .!?").casefold()
    for choice in conversation.choices:
        if typed and typed == road.catalog.label(choice, conversation.answer_language).strip(" .!?").casefold():
            return choice
    return None


def _hold_language(road: Road, conversation: Conversation, detection: Detection) -> str | None:
    """Let the first message that tells decide the language of the conversation.

    Returns the tag of a language that the message is surely in and that has no words here, while nothing has been chosen.
    """
    if conversation.language is not None:
        return None
    if detection.named:
        return detection.named
    tag = detection.language if detection.confidence >= FIRST_CONFIDENCE else None
    if tag is None:
        return None
    if tag not in road.catalog.languages:
        return tag
    conversation.language = tag
    return None


def _language_to_offer(road: Road, conversation: Conversation, detection: Detection) -> str | None:
    sure = detection.confidence >= OFFER_CONFIDENCE and detection.letters >= OFFER_LETTERS
    other = detection.language if detection.language != conversation.answer_language else None
    return other if sure and other in road.catalog.languages else None


def _spoken(road: Road, conversation: Conversation, turn: EngineTurn) -> list[Reply]:
    """The engine's replies, with what the edge alone knows: which languages there are, and what danger asks for."""
    replies: list[Reply] = []
    opening: list[Reply] = []
    for reply in turn.replies:
        if reply.offer and replies:
            before = replies[-1]
            choices = before.choices or road.catalog.choice_ids(before.answer)
            if reply.offer not in (*choices, before.answer):
                replies[-1] = replace(before, choices=(*choices[:3], reply.offer))
        elif reply.answer == "first_contact":
            if not conversation.introduced:
                opening.append(reply)
        elif reply.answer == "language_changed":
            replies += _change_language(road, conversation, reply.language or "")
        elif reply.answer in road.catalog:
            replies.append(reply)
        elif reply.answer:
            logs.event("unknown_answer")
    if not replies and not opening:
        replies.append(Reply("emergency"))
    if turn.parse.get("safety") and not any(road.catalog.importance(one.answer) == "safety" for one in replies):
        replies.insert(0, Reply(EMERGENCY_LINE))
    # Her own question first, then what this is: a frightened person reads the first lines.
    return replies + opening


def _change_language(road: Road, conversation: Conversation, tag: str) -> list[Reply]:
    names = ", ".join(language.name for language in road.catalog.languages)
    language = road.catalog.languages.get(tag)
    conversation.offered_language = None
    if language is None:
        return [Reply("language_not_available", _language_choices(road), language=tag, values={"languages": names})]
    conversation.language = language.tag
    conversation.chosen = True
    return [Reply("language_changed", language=language.tag, values={"language": language.name, "languages": names})]


def _language_choices(road: Road) -> tuple[str, ...]:
    return tuple(f"language:{tag}" for tag in road.catalog.languages.tags)


def _for_unknown_language(road: Road, conversation: Conversation, replies: list[Reply]) -> list[Reply]:
    """Nothing has told the language: what was understood all the same, and the question in languages she may read."""
    understood, asides = _understood(replies)
    asked = [Reply("language_unknown", _language_choices(road), shown_in=tag) for tag in _readable(road, conversation)]
    return understood + asked + asides


def _for_unspoken_language(road: Road, conversation: Conversation, replies: list[Reply], tag: str) -> list[Reply]:
    """The message is in a language that has no words here: what was understood, and the truth about the languages."""
    understood, asides = _understood(replies)
    truth = [
        Reply("language_not_available", _language_choices(road), language=tag, shown_in=shown_in)
        for shown_in in _readable(road, conversation)
    ]
    return understood + truth + asides


def _understood(replies: list[Reply]) -> tuple[list[Reply], list[Reply]]:
    """Answers to what was asked, the emergency line before them, and what is said beside; "not understood" is neither."""
    asides = [reply for reply in replies if reply.answer in ASIDES and reply.answer != EMERGENCY_LINE]
    return [reply for reply in replies if reply.answer not in NOT_UNDERSTOOD and reply not in asides], asides


def _readable(road: Road, conversation: Conversation) -> list[str]:
    """Swedish and English, and the page's language."""
    tags = dict.fromkeys((*LANGUAGES_FOR_UNKNOWN, conversation.page_language))
    return [tag for tag in tags if tag in road.catalog.languages]


def _without_engine(road: Road, incoming: Incoming) -> list[Reply]:
    logs.event("engine_unavailable")
    replies = [Reply("emergency")]
    if incoming.choice is not None and incoming.choice in road.catalog and incoming.choice != "emergency":
        replies.append(Reply(incoming.choice))
    return replies


def offered(catalog: Catalog, replies: Sequence[Reply]) -> tuple[str, ...]:
    """The choices under these replies, in order: a person is always among them, and danger where no answer is about it."""
    spoken = [reply for reply in replies if reply.answer not in ASIDES] or list(replies)
    choices = [reply.choices or catalog.choice_ids(reply.answer) for reply in spoken]
    languages = [choice for reply in replies if reply.answer == "language_offer" for choice in reply.choices]
    answered = {reply.answer for reply in replies}
    danger = any(catalog.importance(reply.answer) == "safety" for reply in replies)
    always = [PERSON] if danger else [PERSON, DANGER]
    return tuple(
        choice for choice in dict.fromkeys([*languages, *itertools.chain(*choices), *always]) if choice not in answered
    )


def _remember(road: Road, conversation: Conversation, replies: list[Reply]) -> list[Reply]:
    """Note what the next turn needs to know, and say once in each language that its texts are not reviewed."""
    conversation.choices = offered(road.catalog, replies)
    if any(reply.answer == "first_contact" for reply in replies):
        conversation.introduced = True
    tag = conversation.answer_language
    if tag not in conversation.fuzzy_told and not road.catalog.find(replies[0].answer, tag).reviewed:
        conversation.fuzzy_told.add(tag)
        replies = [*replies, Reply("fuzzy_notice")]
    return replies
