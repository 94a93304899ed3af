"""Replies in the words of the conversation, ready for any channel that shows text.

Road: turn → here → web and REST. Promise: every reply becomes one Shown with its own language and direction. Never:
decides what is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from babel import Locale
from markupsafe import Markup

from bot.catalog import Catalog, Choice
from bot.conversation import Conversation, Reply


@dataclass(frozen=True)
class Shown:
    """One message to show: HTML and the same as plain text, its language and direction."""

    html: Markup
    text: str
    lang: str
    dir: str


def messages(catalog: Catalog, conversation: Conversation, replies: Sequence[Reply]) -> list[Shown]:
    """The words of the replies, in their order."""
    shown = []
    for reply in replies:
        values = dict(reply.values)
        tag = reply.shown_in or conversation.answer_language
        language = catalog.languages.get(reply.language or "")
        if language is not None:
            values.setdefault("language", language.name)
        elif reply.language:
            names = Locale.parse(tag, sep="-").languages
            values.setdefault("language", names.get(reply.language, reply.language))
        values.setdefault("languages", ", ".join(language.name for language in catalog.languages))
        words = catalog.find(reply.answer, tag, values)
        shown.append(Shown(words.html, words.text, words.language.tag, words.language.direction))
    return shown


def choices(catalog: Catalog, conversation: Conversation) -> list[Choice]:
    """The buttons under the last reply, in the conversation's language."""
    return [Choice(choice, catalog.label(choice, conversation.answer_language)) for choice in conversation.choices]
