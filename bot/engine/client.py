"""The edge's way to the engine: a turn within a deadline, or a plain failure.

Road: edge → here → (Unix socket) → bot/engine/host.py.
Promise: answers or raises EngineUnavailable within `deadline` seconds, whatever the engine does: loading, dead, hung,
answering nothing or nonsense. Never: logs or keeps a text, retries a turn (it would be counted twice).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from bot.conversation import Reply

SECRET_HEADER = "X-Andrum-Secret"


class EngineUnavailable(Exception):
    """No usable answer from the engine in time."""


@dataclass(frozen=True)
class EngineTurn:
    """What the engine said: replies in order, and how the message was understood (empty for a choice)."""

    replies: tuple[Reply, ...]
    parse: Mapping[str, Any] = field(default_factory=dict)


def _reply(raw: Any) -> Reply:
    if not isinstance(raw, dict):
        raise EngineUnavailable
    return Reply(
        answer=raw.get("answer") or "",
        choices=tuple(raw.get("choices") or ()),
        language=raw.get("language"),
        erase=bool(raw.get("erase")),
        offer=raw.get("offer"),
    )


class EngineClient:
    """One connection pool to one engine."""

    def __init__(self, socket: Path, secret: str) -> None:
        """`socket`: the engine's Unix socket; it need not exist yet."""
        self._socket = socket
        self._secret = secret
        self._session: aiohttp.ClientSession | None = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(path=str(self._socket), limit=200),
                headers={SECRET_HEADER: self._secret},
            )
        return self._session

    async def _post(self, path: str, body: dict[str, Any], deadline: float) -> Any:
        try:
            async with self._open().post(
                f"http://engine{path}", json=body, timeout=aiohttp.ClientTimeout(total=deadline)
            ) as response:
                if response.status != 200:
                    raise EngineUnavailable
                return await response.json()
        except (aiohttp.ClientError, OSError, ValueError, asyncio.TimeoutError):
            raise EngineUnavailable from None  # the cause may hold a text

    async def turn(
        self, conversation: str, text: str | None, choice: str | None, language: str | None, deadline: float
    ) -> EngineTurn:
        """One message to the engine. Raises EngineUnavailable after `deadline` seconds at the latest, and on silence."""
        body = {"conversation": conversation, "text": text, "choice": choice, "language": language}
        answer = await self._post("/turn", body, deadline)
        if not isinstance(answer, dict) or not isinstance(answer.get("replies"), list):
            raise EngineUnavailable
        replies = tuple(map(_reply, answer["replies"]))
        if not any(reply.answer for reply in replies):
            raise EngineUnavailable  # silence is a failure (security.md 0.3)
        parse = answer.get("parse")
        return EngineTurn(replies, parse if isinstance(parse, dict) else {})

    async def forget(self, conversation: str) -> None:
        """Ask the engine to forget; where it is down there is nothing left to forget."""
        with contextlib.suppress(EngineUnavailable):
            await self._post("/forget", {"conversation": conversation}, 2.0)

    async def ready(self) -> bool:
        """True when the engine answers."""
        try:
            async with self._open().get("http://engine/health", timeout=aiohttp.ClientTimeout(total=1.0)) as response:
                return response.status == 200
        except (aiohttp.ClientError, OSError, asyncio.TimeoutError):
            return False

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
