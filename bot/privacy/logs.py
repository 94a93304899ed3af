"""What a process may say: a time, its own name, a code and numbers. Nothing else gets out.

Road: called first thing in each process; every later line of Andrum's own goes through `event`.
Promise (P19): a line is `2026-11-24T20:15:00Z edge engine_unavailable seconds=4.0`; no text, no address, no id, at any
level, in errors too, whatever the libraries try: the standard library's logging is switched off whole, structlog drops
each event (unconfigured it would print the message at debug), warnings and unhandled errors are cut down to a class name.
Never: formats anything a visitor sent. `event` takes numbers and exception classes, and refuses the rest.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import time
import warnings
from typing import Any, NoReturn, TextIO

LINE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ [a-z]+ [a-z_]+( [a-z_]+=[0-9A-Za-z_.-]+)*$")

_component = "andrum"
_stream: TextIO = sys.stderr


def event(code: str, **values: int | float | type[BaseException]) -> None:
    """Write one line. `code` is a literal in the source; values are numbers or an exception's class."""
    words = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), _component, code]
    for key, value in values.items():
        if isinstance(value, type):
            words.append(f"{key}={value.__name__}")
        elif isinstance(value, int | float):
            words.append(f"{key}={round(value, 3)}")
        else:
            raise TypeError(f"event {code}: {key} must be a number or an exception class")
    try:
        _stream.write(" ".join(words) + "\n")
        _stream.flush()
    except (OSError, ValueError):
        pass  # nobody listens any more; a log line is never worth a visitor's answer


def close(component: str) -> None:
    """Silence everything in this process but `event`."""
    global _component
    _component = component
    logging.disable(logging.CRITICAL)
    logging.lastResort = None
    logging.raiseExceptions = False
    warnings.showwarning = lambda *args, **kwargs: None
    sys.excepthook = lambda kind, error, trace: event("crashed", error=kind)
    sys.unraisablehook = lambda unraisable: event("unraisable", error=unraisable.exc_type)
    threading.excepthook = lambda args: event("thread_crashed", error=args.exc_type)
    try:
        import structlog
    except ImportError:
        return  # the edge runs without Rasa, and so without structlog

    def drop(logger: Any, name: str, values: Any) -> NoReturn:
        raise structlog.DropEvent

    structlog.configure(processors=[drop], cache_logger_on_first_use=False)


def close_output() -> None:
    """Send this process's stdout and stderr to nowhere and keep a private way out for `event`.

    For the engine: Rasa and its libraries print in places that no logging set-up reaches (security.md 5)."""
    global _stream
    _stream = os.fdopen(os.dup(2), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)
