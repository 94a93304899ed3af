"""What a person can be found by, taken out of a message before the engine sees it; and the message made readable.

Road: edge, before language and engine. Promise (P20): at most 1,000 characters in canonical Unicode without controls or
bidi marks; e-mail addresses, links, phone and personal numbers and other long digits are gone, short numbers (16 years,
30 days, 112, 8000 kronor) stay, since they carry meaning; a leading slash, which Rasa would take for a command, is gone.
Never: keeps what it took out. Names and places in free text cannot be told from other words and stay in for the turn;
that is why nothing after the turn holds text at all.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

MOST_CHARACTERS = 1000
# Zero-width joiner and non-joiner are letters' business in Persian and others; they go only between other signs.
_EMAIL = re.compile(r"[^\s@<>]{1,64}@[^\s@<>]{1,255}")
_LINK = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_HANDLE = re.compile(r"(?<!\w)@\w{2,}")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,8}\b")
# Six digits or more, however they are grouped: phone, personal and coordination number, passport, account.
_LONG_NUMBER = re.compile(r"\+?\d(?:[ \-./()]{0,2}\d){5,}")
_COMMAND = re.compile(r"(?:/ ?)+(?:\S+$|\w+ ?[{@])")
_PASSPORT = re.compile(r"\b[A-Z]{1,3}\d{5,}\b")


@dataclass(frozen=True)
class Canonical:
    """A message as the engine may see it. `cut`: it was longer than 1,000 characters. `letters`: how many letters or
    digits it has; with none there is nothing to understand. `command`: it has the form of one of Rasa's commands (`/restart`,
    `/ask_rights{"a": "b"}`), so it is not a person's words."""

    text: str
    cut: bool
    letters: int
    command: bool


def _clean(text: str) -> str:
    kept = []
    for character in unicodedata.normalize("NFC", text):
        category = unicodedata.category(character)
        if character in "\n\t" or category in ("Zs", "Zl", "Zp"):
            kept.append(" ")
        elif character in "\u200c\u200d" or category not in ("Cc", "Cf", "Cs", "Co", "Cn"):
            kept.append(character)
    return re.sub(r" {2,}", " ", "".join(kept)).strip()


def _limit_marks(text: str) -> str:
    """At most three combining marks in a row: more is an attack on the eye or the machine, not a language."""
    out: list[str] = []
    run = 0
    for character in text:
        run = run + 1 if unicodedata.combining(character) else 0
        if run <= 3:
            out.append(character)
    return "".join(out)


def canonical(text: str) -> Canonical:
    """Make a message readable and take identifying numbers and addresses out of it."""
    # Ten times what is understood is looked at; what is cut is cut after cleaning, so that signs cannot hide the words.
    cleaned = _clean(_limit_marks(text[: MOST_CHARACTERS * 10]))
    cut = len(cleaned) > MOST_CHARACTERS
    command = bool(_COMMAND.match(cleaned))
    short = cleaned[:MOST_CHARACTERS]
    for pattern in (_EMAIL, _LINK, _HANDLE, _IBAN, _PASSPORT, _LONG_NUMBER):
        short = pattern.sub(" ", short)
    short = re.sub(r"^[/ ]+", "", re.sub(r" {2,}", " ", short)).strip()
    return Canonical(short, cut, sum(character.isalnum() for character in cleaned), command)
