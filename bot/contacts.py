"""The services of data/contacts.yml as placeholders: numbers, hours, addresses, in words of each language.

Road: the catalog fills `{kvinnofridslinjen}` and `{kvinnofridslinjen_hours}` from here; no other place holds a number.
Promise: a placeholder either has a value with a source behind it or is refused when the catalog is loaded.
Never: guesses; what contacts.yml leaves empty does not exist here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from babel import Locale
from babel.lists import format_list
from markupsafe import Markup
from ruamel.yaml import YAML

WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Kind = Literal["phone", "sms", "email", "url", "address", "hours"]
KINDS: tuple[Kind, ...] = ("phone", "sms", "email", "url", "address", "hours")


class ContactsError(ValueError):
    """data/contacts.yml cannot be used; the message says where and why."""


@dataclass(frozen=True)
class Placeholder:
    """One value that a text may name: which service, what of it, and the value as contacts.yml has it."""

    service: Mapping[str, Any]
    kind: Kind
    value: Any

    def text(self, language: str, word: Callable[[str], str]) -> str:
        """The value as plain text; hours in the words of `language` (`word` gives interface words in it)."""
        return hours_text(self.value, language, word) if self.kind == "hours" else str(self.value)

    def html(self, language: str, word: Callable[[str], str]) -> Markup:
        """The value as HTML: what can be called, texted, written to or opened is a link; all is isolated from the
        direction of the text around it."""
        text = self.text(language, word)
        if self.kind == "hours":
            return Markup("<bdi>{}</bdi>").format(text)
        digits = "".join(letter for letter in text if letter in "+0123456789")
        href = {"phone": f"tel:{digits}", "sms": f"sms:{digits}", "email": f"mailto:{text}", "url": text}.get(self.kind)
        if href is None:
            return Markup('<bdi dir="ltr">{}</bdi>').format(text)
        return Markup('<a href="{}" rel="noreferrer noopener"><bdi dir="ltr">{}</bdi></a>').format(href, text)


def hours_text(opening: Any, language: str, word: Callable[[str], str]) -> str:
    """`opening` of contacts.yml in words: always, office_hours, or a list of {days, from, to}."""
    if opening == "always":
        return word("hours_always")
    if opening == "office_hours":
        return word("hours_office")
    rows = [
        word("hours_range").format(days=_days_text(row["days"], language, word), **{"from": row["from"], "to": row["to"]})
        for row in opening
    ]
    return format_list(rows, locale=Locale.parse(language, sep="-"))


def _days_text(days: Sequence[str], language: str, word: Callable[[str], str]) -> str:
    """Names of days by locale: a run of three or more as first–last, all seven in one word."""
    if list(days) == list(WEEK):
        return word("hours_every_day")
    names = Locale.parse(language, sep="-").days["format"]["wide"]
    positions = [WEEK.index(day) for day in days]
    if len(positions) > 2 and positions == list(range(positions[0], positions[0] + len(positions))):
        return f"{names[positions[0]]}–{names[positions[-1]]}"
    return format_list([names[position] for position in positions], locale=Locale.parse(language, sep="-"))


def _checked(service: Mapping[str, Any], where: str) -> None:
    opening = service.get("opening")
    if opening in (None, "always", "office_hours"):
        return
    if not isinstance(opening, list):
        raise ContactsError(f"{where}: opening must be always, office_hours, null or a list of days, from, to.")
    for row in opening:
        if not isinstance(row, dict) or set(row) != {"days", "from", "to"} or not set(row["days"]) <= set(WEEK):
            raise ContactsError(f"{where}: each row of opening needs days (of {', '.join(WEEK)}), from and to.")


def load(data_dir: Path) -> dict[str, Placeholder]:
    """All placeholders by name. Raises ContactsError naming the file and the service."""
    path = data_dir / "contacts.yml"
    content = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    placeholders: dict[str, Placeholder] = {}
    for service in content["services"]:
        where = f"{path}: {service.get('id')}"
        _checked(service, where)
        for kind in KINDS:
            value = service.get("opening" if kind == "hours" else kind)
            if value is None:
                continue
            if not service.get("source_url") and not service.get("source_date"):
                raise ContactsError(f"{where}: has a {kind} but no source.")
            name = service["id"] if kind == "phone" else f"{service['id']}_{kind}"
            placeholders[name] = Placeholder(service, kind, value)
    return placeholders
