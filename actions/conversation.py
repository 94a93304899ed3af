"""Custom actions: the turns of the conversation where something has to be decided.

Road: after intent and rules, before the catalog. Run in the engine process; `rasa run actions` serves them too.
Each says answer ids and choices in a `custom` message (`{"answer", "choices", "language", "erase", "offer"}`); the edge
finds the words. Promise: decides from intents, entities and earlier intents alone.
Never: reads or repeats what the person wrote, keeps anything, imports from bot/.
"""

from __future__ import annotations

from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import ActionExecuted, EventType, SessionStarted, SlotSet
from rasa_sdk.executor import CollectingDispatcher

OUT_OF_SCOPE = "out_of_scope"
MISUNDERSTOOD = frozenset({"nlu_fallback", OUT_OF_SCOPE})
# Intents that are no topic: as a choice after "Did you mean" they would help nobody.
NO_TOPIC = frozenset({*MISUNDERSTOOD, "greet", "goodbye", "thanks", "affirm", "deny", "ask_help_menu", "change_language"})
MOST_TOPICS = 3


def misunderstood_in_a_row(tracker: Tracker) -> list[str]:
    """How sure each of the last messages was that were not understood, the oldest first: `clarify` or `fallback`."""
    decisions: list[str] = []
    for event in reversed(tracker.events):
        if event.get("event") != "user":
            continue
        parse = event.get("parse_data") or {}
        if (parse.get("intent") or {}).get("name") not in MISUNDERSTOOD:
            break
        decisions.insert(0, parse.get("decision") or "clarify")
    return decisions


class SessionStart(Action):
    """The first contact: what this is, what is kept, what others could see, 112, languages, topics."""

    def name(self) -> str:
        return "action_session_start"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        dispatcher.utter_message(json_message={"answer": "first_contact"})
        language = tracker.get_slot("language")
        kept = [SlotSet("language", language)] if language else []
        return [SessionStarted(), *kept, ActionExecuted("action_listen")]


class ChangeLanguage(Action):
    """Another language: the one that was named, else the list. The edge knows which ones there are."""

    def name(self) -> str:
        return "action_change_language"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        named = next(tracker.get_latest_entity_values("language"), None)
        if named is None:
            dispatcher.utter_message(json_message={"answer": "language_choice"})
            return []
        dispatcher.utter_message(json_message={"answer": "language_changed", "language": named})
        return [SlotSet("language", named)]


class Clarify(Action):
    """Not understood, or nothing Andrum is for: the likeliest topics, or what it is for; then the menu; then other words.
    Never the same twice running."""

    def name(self) -> str:
        return "action_clarify"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        row = misunderstood_in_a_row(tracker)
        # Where not even three topics would help, the menu comes at once, and everything after it a step earlier.
        step = len(row) + (1 if row and row[0] == "fallback" else 0)
        likely = [
            intent["name"] for intent in tracker.latest_message.get("intent_ranking") or [] if intent["name"] not in NO_TOPIC
        ][:MOST_TOPICS]
        if len(row) <= 1 and tracker.latest_message.get("intent", {}).get("name") == OUT_OF_SCOPE:
            dispatcher.utter_message(json_message={"answer": OUT_OF_SCOPE})
        elif step <= 1 and likely:
            dispatcher.utter_message(json_message={"answer": "clarify", "choices": likely})
        elif step % 2 == 0 or step <= 1:
            dispatcher.utter_message(json_message={"answer": "menu"})
        else:
            dispatcher.utter_message(json_message={"answer": "not_understood_again"})
        return []


class OfferHuman(Action):
    """Puts a person among the choices of the answer just given."""

    def name(self) -> str:
        return "action_offer_human"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        dispatcher.utter_message(json_message={"offer": "talk_to_human"})
        return []


class RequestHuman(Action):
    """She wants a person. There is no queue yet, so the answer says that nobody can write here and gives the numbers."""

    def name(self) -> str:
        return "action_request_human"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        dispatcher.utter_message(json_message={"answer": "talk_to_human"})
        return []


class Erase(Action):
    """She wants it gone: the edge and the engine forget the conversation once this is said."""

    def name(self) -> str:
        return "action_erase"

    def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        dispatcher.utter_message(json_message={"answer": "erased", "erase": True})
        return []
