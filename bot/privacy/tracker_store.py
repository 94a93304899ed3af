"""Rasa's memory of a conversation, without anything the visitor wrote.

Road: between two turns of the engine; named in endpoints.yml, so that `rasa shell` uses it too.
Promise (security.md 5.1, P21): once a turn is over only intents, entity types, allowed slots and action names are left,
in RAM, for 30 minutes after the last turn and 4 hours after the first; the last `TURNS_KEPT` turns at most, and every
slot survives the cut, because one SlotSet for each is written first (Rasa rebuilds slots from events).
Never: writes to a disk, streams events to a broker, raises (Rasa's FailSafeTrackerStore would then keep everything in a
store of its own that forgets nothing).
"""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from rasa.core.tracker_store import SerializedTrackerAsText, TrackerStore
from rasa.shared.core.constants import ACTION_LISTEN_NAME, ACTION_SESSION_START_NAME
from rasa.shared.core.domain import Domain
from rasa.shared.core.trackers import DialogueStateTracker

IDLE_SECONDS = 30 * 60
ABSOLUTE_SECONDS = 4 * 60 * 60
MOST_CONVERSATIONS = 100_000
TURNS_KEPT = 4
SLOTS_KEPT = frozenset({"language"})
ENTITIES_KEPT = frozenset({"language"})

Event = dict[str, Any]


@dataclass
class _Kept:
    events: str
    first: float
    last: float


def scrub(event: Event) -> Event | None:
    """The event without anything a person wrote or was sent; None where nothing of it is needed."""
    kind = event.get("event")
    if kind == "user":
        parse = event.get("parse_data") or {}
        intent = parse.get("intent") or {}
        return {
            "event": "user",
            "timestamp": event.get("timestamp"),
            "text": "",
            "input_channel": None,
            "message_id": "",
            "metadata": {},
            "parse_data": {
                "text": "",
                "intent": {"name": intent.get("name"), "confidence": intent.get("confidence")},
                "intent_ranking": [
                    {"name": one.get("name"), "confidence": one.get("confidence")}
                    for one in (parse.get("intent_ranking") or [])[:4]
                ],
                "entities": [
                    {"entity": one["entity"], "value": one["value"]}
                    for one in parse.get("entities") or []
                    if one.get("entity") in ENTITIES_KEPT
                ],
                "language": parse.get("language"),
                "decision": parse.get("decision"),
                "safety": parse.get("safety"),
            },
        }
    if kind == "slot":
        if event.get("name") not in SLOTS_KEPT:
            return None
        return {"event": "slot", "timestamp": event.get("timestamp"), "name": event["name"], "value": event["value"]}
    if kind == "action":
        return {"event": "action", "timestamp": event.get("timestamp"), "name": event.get("name"), "policy": None}
    if kind == "session_started":
        return {"event": "session_started", "timestamp": event.get("timestamp")}
    return None  # what the bot said, features, broker events: nothing a later turn needs


def compact(events: list[Event], slots: dict[str, Any]) -> list[Event]:
    """The start of the session, one event per filled slot, and the last whole turns."""
    scrubbed = [kept for kept in map(scrub, events) if kept is not None]
    turns = [position for position, event in enumerate(scrubbed) if event["event"] == "user"]
    if len(turns) <= TURNS_KEPT:
        return scrubbed
    start = scrubbed[0].get("timestamp")
    opening: list[Event] = [
        {"event": "action", "timestamp": start, "name": ACTION_SESSION_START_NAME, "policy": None},
        {"event": "session_started", "timestamp": start},
    ]
    for name in sorted(SLOTS_KEPT):
        if slots.get(name) is not None:
            opening.append({"event": "slot", "timestamp": start, "name": name, "value": slots[name]})
    opening.append({"event": "action", "timestamp": start, "name": ACTION_LISTEN_NAME, "policy": None})
    return opening + scrubbed[turns[-TURNS_KEPT] :]


class EphemeralTrackerStore(TrackerStore, SerializedTrackerAsText):
    """Keeps scrubbed trackers in RAM for a while."""

    def __init__(
        self,
        domain: Domain | None = None,
        event_broker: Any = None,
        clock: Callable[[], float] = time.monotonic,
        **_rasa_passes: Any,
    ) -> None:
        """`event_broker` is what Rasa hands over; it is ignored on purpose. `clock` gives seconds that never go back."""
        super().__init__(domain, None)
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._clock = clock

    async def save(self, tracker: DialogueStateTracker) -> None:
        """Keep what a later turn needs of this tracker."""
        now = self._clock()
        self.drop_expired()
        events = compact([event.as_dict() for event in tracker.events], tracker.current_slot_values())
        before = self._kept.pop(tracker.sender_id, None)
        self._kept[tracker.sender_id] = _Kept(json.dumps(events), before.first if before else now, now)
        while len(self._kept) > MOST_CONVERSATIONS:
            self._kept.popitem(last=False)

    async def retrieve(self, sender_id: str) -> DialogueStateTracker | None:
        """The tracker as it was kept; None where there is none or its time is over."""
        self.drop_expired()
        kept = self._kept.get(sender_id)
        if kept is None:
            return None
        return self.deserialise_tracker(sender_id, json.dumps({"name": sender_id, "events": json.loads(kept.events)}))

    async def keys(self) -> Iterable[str]:
        """The names of the conversations kept now."""
        self.drop_expired()
        return list(self._kept)

    def last_parse(self, sender_id: str) -> dict[str, Any]:
        """How the last message was understood: intent, language, decision, safety; {} where nothing is kept."""
        kept = self._kept.get(sender_id)
        for event in reversed(json.loads(kept.events) if kept else []):
            if event["event"] == "user":
                parse: dict[str, Any] = event["parse_data"]
                return parse
        return {}

    def erase(self, sender_id: str) -> None:
        """Forget this conversation now."""
        self._kept.pop(sender_id, None)

    def drop_expired(self) -> None:
        """Forget what has outlived its time. Oldest use first, so this stops at the first that is young enough."""
        now = self._clock()
        while self._kept:
            sender_id, kept = next(iter(self._kept.items()))
            if now - kept.last < IDLE_SECONDS:
                break
            del self._kept[sender_id]
        for sender_id in [name for name, kept in self._kept.items() if now - kept.first >= ABSOLUTE_SECONDS]:
            del self._kept[sender_id]
