"""The nouns that everything else speaks in. Standard library only; imports nothing of ours.

Promise: a Conversation holds nothing that identifies anybody: no text, number, name or address, only the language, which
choices were last offered, and when it was last used. Never: behaviour that needs another module.
"""

from __future__ import annotations

import asyncio
import enum
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field


class Stage(str, enum.Enum):
    """Who answers: the bot, or a coordinator once somebody waits for one."""

    BOT = "bot"
    WAITING = "waiting"
    CLAIMED = "claimed"
    CLOSED = "closed"


@dataclass(frozen=True)
class Incoming:
    """One message or one press of a button; exactly one of the two is set."""

    text: str | None = None
    choice: str | None = None


@dataclass(frozen=True)
class Reply:
    """Something to say: an answer's id, never its words.

    `choices` replace the answer's own where given; `language` is a tag that the conversation changes to (for
    `language_changed`) or is offered (for `language_offer`); `shown_in` is another language than the conversation's in which
    this one reply is to be written; `offer` adds one choice to the answer before it; `erase` asks to forget it all.
    """

    answer: str
    choices: tuple[str, ...] = ()
    language: str | None = None
    shown_in: str | None = None
    erase: bool = False
    offer: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Conversation:
    """What is remembered of one conversation, in RAM, for its short life."""

    page_language: str
    """The language the page or the channel started in; nobody chose it."""
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    """The engine's name for it: 128 random bits, never shown, never logged."""
    language: str | None = None
    """The language it is held in; None until a message or a choice has told."""
    chosen: bool = False
    """True once the person has chosen the language herself."""
    offered_language: str | None = None
    introduced: bool = False
    """True once the first contact text was shown."""
    fuzzy_told: set[str] = field(default_factory=set)
    """Languages in which it was said that the text is not reviewed yet."""
    choices: tuple[str, ...] = ()
    stage: Stage = Stage.BOT
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def answer_language(self) -> str:
        """The tag to write in."""
        return self.language or self.page_language
