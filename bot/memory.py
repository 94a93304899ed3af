"""The only place of the edge that remembers, and it forgets by itself.

Road: channel → here → turn. A channel's own name for somebody (a page's random token, a REST sender, later a number)
is turned into a keyed hash at once; the key is random, in RAM, and dies with the process.
Promise: a conversation is gone `idle` seconds after its last use and `absolute` seconds after its first, at once on
`forget`, and beyond `most` the one unused for longest goes. Never: writes anywhere, holds what a channel called somebody.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from bot.conversation import Conversation


@dataclass
class _Kept:
    conversation: Conversation
    first: float
    last: float


class Memory:
    """Conversations by keyed hash."""

    def __init__(self, idle: float, absolute: float, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`idle`, `absolute` in seconds; `most` conversations at once; `clock` in seconds, never going back."""
        self._idle, self._absolute, self._most, self._clock = idle, absolute, most, clock
        self._key = secrets.token_bytes(32)
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()

    def _hash(self, channel: str, name: str) -> bytes:
        text = f"{channel}\0{name}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, text, hashlib.sha256)

    def open(self, channel: str, name: str, page_language: str) -> tuple[Conversation, list[Conversation]]:
        """The conversation of this name, a new one where there is none.

        Also returns the conversations that were dropped to make room or because their time was over, for the engine to
        forget too.
        """
        dropped = self.drop_expired()
        now = self._clock()
        key = self._hash(channel, name)
        kept = self._kept.get(key)
        if kept is None:
            kept = self._kept[key] = _Kept(Conversation(page_language), now, now)
        kept.last = now
        self._kept.move_to_end(key)
        while len(self._kept) > self._most:
            dropped.append(self._kept.popitem(last=False)[1].conversation)
        return kept.conversation, dropped

    def forget(self, channel: str, name: str) -> Conversation | None:
        """Drop it now; returns what was dropped, None where there was nothing."""
        kept = self._kept.pop(self._hash(channel, name), None)
        return kept.conversation if kept else None

    def drop_expired(self) -> list[Conversation]:
        """Drop what has outlived its time and return it."""
        now = self._clock()
        over = [key for key, kept in self._kept.items() if now - kept.last >= self._idle or now - kept.first >= self._absolute]
        return [self._kept.pop(key).conversation for key in over]

    def __len__(self) -> int:
        return len(self._kept)
