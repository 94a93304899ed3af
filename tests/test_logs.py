"""P19: what a process may say, at every level, in errors too, whatever libraries try."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from bot.privacy import logs

ROOT = Path(__file__).parent.parent
CANARY = "Anna-070-1740605"

TRIES = f"""
import logging, os, sys, threading, warnings
from bot.privacy import logs
logs.close("edge")
logging.basicConfig(level=logging.DEBUG, force=True)
logging.getLogger().critical("{CANARY}")
named = logging.getLogger("argostranslate.utils")
named.setLevel(logging.DEBUG)
named.addHandler(logging.StreamHandler(sys.stdout))
named.info("{CANARY}")
logging.getLogger("aiohttp.server").error("{CANARY}")
warnings.simplefilter("always")
warnings.warn("{CANARY}")
try:
    import structlog
    structlog.get_logger().debug("x", text="{CANARY}")
    structlog.get_logger().error("x", text="{CANARY}")
except ImportError:
    pass
thread = threading.Thread(target=lambda: int("{CANARY}"))
thread.start()
thread.join()
class Bad:
    def __del__(self):
        raise ValueError("{CANARY}")
Bad()
logs.event("tried", seconds=1.25)
raise ValueError("{CANARY}")
"""


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    import os

    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env={**os.environ, **environment}
    )


def test_nothing_but_our_own_lines_comes_out_p19() -> None:
    done = run(TRIES, LOG_LEVEL="DEBUG", PYTHONWARNINGS="always")
    printed = done.stdout + done.stderr
    assert CANARY not in printed
    lines = printed.splitlines()
    assert [line.split()[2] for line in lines] == ["thread_crashed", "unraisable", "tried", "crashed"]
    assert all(logs.LINE.match(line) for line in lines)


def test_the_control_is_found_without_it() -> None:
    printed = run(TRIES.replace('logs.close("edge")', ""), PYTHONWARNINGS="always")
    assert len(re.findall(CANARY, printed.stdout + printed.stderr)) >= 6


def test_closed_output_lets_only_events_through() -> None:
    code = f"""
import os
from bot.privacy import logs
logs.close("engine")
logs.close_output()
print("{CANARY}")
os.system("echo {CANARY}")
os.write(2, b"{CANARY}")
logs.event("ready")
"""
    done = run(code)
    assert CANARY not in done.stdout + done.stderr
    assert re.fullmatch(r"\S+Z engine ready\n", done.stderr)


def test_an_event_takes_no_text() -> None:
    with pytest.raises(TypeError):
        logs.event("said", text="hello")  # type: ignore[arg-type]
