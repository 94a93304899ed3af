"""andrum.toml and the environment, checked key by key.

Road: read once, at the start of each process. Every setting has a default that is right for one small server, so the file
may be missing. The environment wins: `ANDRUM_EDGE_PORT=8081` overrides `port` under `[edge]`.
Promise: a key or value that does not fit stops the start with the file, the key, what is wrong and what is allowed.
Never: holds a secret (those are made at each start and live in memory).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE = "andrum.toml"
FILE_VARIABLE = "ANDRUM_SETTINGS"


class SettingsError(Exception):
    """A setting that does not fit. The message is for the operator."""


@dataclass(frozen=True)
class EdgeSettings:
    """Where the public door listens. Loopback unless told otherwise: a proxy with TLS stands before it."""

    host: str = field(default="127.0.0.1", metadata={"allowed": "an address to listen on, such as 127.0.0.1"})
    port: int = field(
        default=8080, metadata={"allowed": "a whole number from 0 to 65535 (0: any free one)", "range": (0, 65535)}
    )


@dataclass(frozen=True)
class WebSettings:
    """The page."""

    exit_address: str = field(
        default="https://www.smhi.se/",
        metadata={"allowed": "an http or https address of an everyday page", "address": True},
    )
    frame_origins: tuple[str, ...] = field(
        default=(),
        metadata={"allowed": 'a list of partners\' origins, such as ["https://partner.example"]', "address": True},
    )


@dataclass(frozen=True)
class ConversationSettings:
    """How long and how many."""

    idle_minutes: int = field(default=30, metadata={"allowed": "a whole number from 1 to 240", "range": (1, 240)})
    most_hours: int = field(default=4, metadata={"allowed": "a whole number from 1 to 12", "range": (1, 12)})
    most_at_once: int = field(default=20000, metadata={"allowed": "a whole number from 1 to 1000000", "range": (1, 1000000)})


@dataclass(frozen=True)
class EngineSettings:
    """The Rasa process."""

    answer_seconds: float = field(
        default=4.0,
        metadata={"allowed": "a number from 0.2 to 4.5 (the visitor waits five seconds at most)", "range": (0.2, 4.5)},
    )
    tensorflow: str = field(default="none", metadata={"allowed": '"none" or "real"', "choices": ("none", "real")})


@dataclass(frozen=True)
class WordsSettings:
    """The texts."""

    show_fuzzy: bool = field(default=True, metadata={"allowed": "true or false"})


@dataclass(frozen=True)
class Settings:
    """All settings."""

    edge: EdgeSettings = EdgeSettings()
    web: WebSettings = WebSettings()
    conversation: ConversationSettings = ConversationSettings()
    engine: EngineSettings = EngineSettings()
    words: WordsSettings = WordsSettings()


_SECTIONS: dict[str, type] = {
    "edge": EdgeSettings,
    "web": WebSettings,
    "conversation": ConversationSettings,
    "engine": EngineSettings,
    "words": WordsSettings,
}


def _from_environment(text: str, default: Any) -> Any:
    """The environment has only text; read it as the kind of value the default is. Unreadable text stays text."""
    if isinstance(default, bool):
        return {"true": True, "false": False}.get(text.lower(), text)
    if isinstance(default, tuple):
        return [part.strip() for part in text.split(",") if part.strip()]
    if isinstance(default, int | float):
        try:
            return type(default)(text)
        except ValueError:
            return text
    return text


def _is_address(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not set(value) & set(" ;,'\"<>")


def _check(value: Any, one: Any) -> Any:
    """The value, fit for the field, or None where it does not fit (no setting may be None)."""
    default, rules = one.default, one.metadata
    if isinstance(default, bool):
        return value if isinstance(value, bool) else None
    if isinstance(default, int):
        fit: Any = value if isinstance(value, int) and not isinstance(value, bool) else None
    elif isinstance(default, float):
        fit = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    elif isinstance(default, tuple):
        fit = tuple(value) if isinstance(value, list) and all(isinstance(part, str) for part in value) else None
    else:
        fit = value if isinstance(value, str) and value else None
    if fit is None:
        return None
    if "range" in rules and not rules["range"][0] <= fit <= rules["range"][1]:
        return None
    if "choices" in rules and fit not in rules["choices"]:
        return None
    if rules.get("address") and not all(map(_is_address, fit if isinstance(fit, tuple) else (fit,))):
        return None
    return fit


def load(path: Path | None = None, environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings.

    `path`: the file; None means andrum.toml in the current folder, which may be missing (a named file may not).
    Raises SettingsError naming file (or variable), key, what is wrong and what is allowed.
    """
    file = path or Path(FILE)
    raw: dict[str, Any] = {}
    if path is not None or file.exists():
        try:
            raw = tomllib.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise SettingsError(f"{file}: cannot be read ({error.strerror}).") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"{file}: is not TOML: {error}.") from None
    for name in raw:
        if name not in _SECTIONS:
            raise SettingsError(f"{file}: [{name}] is not a section. Allowed: {', '.join(_SECTIONS)}.")
        if not isinstance(raw[name], dict):
            raise SettingsError(f"{file}: {name} must be a section, written [{name}].")
    known_variables = {}
    sections: dict[str, Any] = {}
    for name, kind in _SECTIONS.items():
        values: dict[str, Any] = {}
        given = raw.get(name, {})
        names = [one.name for one in fields(kind)]
        for key in given:
            if key not in names:
                raise SettingsError(f"{file}: {name}.{key} is not a setting. Allowed in [{name}]: {', '.join(names)}.")
        for one in fields(kind):
            variable = f"ANDRUM_{name}_{one.name}".upper()
            known_variables[variable] = True
            if variable in environment:
                where, value = variable, _from_environment(environment[variable], one.default)
            elif one.name in given:
                where, value = f"{file}: {name}.{one.name}", given[one.name]
            else:
                continue
            fit = _check(value, one)
            if fit is None:
                raise SettingsError(f"{where}: {value!r} does not fit. Allowed: {one.metadata['allowed']}.")
            values[one.name] = fit
        sections[name] = kind(**values)
    for variable in environment:
        if variable.startswith("ANDRUM_") and variable not in known_variables and variable != FILE_VARIABLE:
            raise SettingsError(f"{variable}: is not a setting. Allowed: {', '.join(sorted(known_variables))}.")
    return Settings(**sections)
