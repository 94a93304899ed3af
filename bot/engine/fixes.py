"""Rasa's slow paths, mended in memory, each with its reason.

Road: called once by the engine process after Rasa is imported and before the first turn.
Promise: same results as Rasa's own code; only work that is repeated for nothing is taken out. Held by
tests/test_engine.py, which runs both ways.
Never: changes what an action may answer or which event is stored. Figures: knowledge/nlp.md 4 (27.3 → 6.0 ms a turn).
"""

from __future__ import annotations

from typing import Any

import rasa.shared.utils.common
from jsonschema import Draft202012Validator
from rasa.core.actions.action import RemoteAction
from rasa.shared.core.events import Event


def cache_action_result_validator() -> None:
    """85 % of a turn with an action was jsonschema checking this constant schema against its meta-schema again."""
    validator = Draft202012Validator(RemoteAction.action_response_format_spec())

    def validate_action_result(self: RemoteAction, result: dict[str, Any]) -> bool:
        validator.validate(result)
        return True

    RemoteAction._validate_action_result = validate_action_result


def cache_event_types() -> None:
    """Every event of every tracker read walked all subclasses of Event to find its class by name."""
    by_name: dict[str, type[Event]] = {}
    for event_class in rasa.shared.utils.common.all_subclasses(Event):
        by_name.setdefault(event_class.type_name, event_class)
    original = Event.resolve_by_type

    def resolve_by_type(type_name: str, default: type[Event] | None = None) -> type[Event] | None:
        return by_name.get(type_name) or original(type_name, default)

    Event.resolve_by_type = staticmethod(resolve_by_type)


def apply() -> None:
    """Apply every fix."""
    cache_action_result_validator()
    cache_event_types()
