"""Andrum running for the tests: the real processes, started as an operator starts them, on a free port of this machine."""

from __future__ import annotations

import contextlib
import http.server
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
START_SECONDS = 300  # training included, on a slow machine


@dataclass
class Running:
    """One `andrum serve`: where it answers, and everything it has printed."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    url: str = ""

    def wait_for(self, pattern: str, seconds: float = START_SECONDS, after: int = 0) -> re.Match[str]:
        """The first line printed that matches, waiting for it; fails the test with all output where it does not come."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for line in self.lines[after:]:
                if found := re.search(pattern, line):
                    return found
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"no line like {pattern!r} in:\n" + "\n".join(self.lines))

    def children(self) -> dict[str, int]:
        """Process ids of edge and engine by name."""
        import psutil

        found = {}
        for child in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.Error):
                words = child.cmdline()
                if "bot" in words:
                    found[words[words.index("bot") + 1]] = child.pid
        return found

    def stop(self) -> int:
        """End it as Ctrl-C does; returns the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(20)


Start = Callable[..., Running]


def start_andrum(environment: dict[str, str] | None = None, port: int = 0) -> Running:
    """`andrum serve` on a free port (0) or a given one; returns once the address is printed (the engine may be loading)."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bot", "serve", "--port", str(port)],
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    running = Running(process)

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            running.lines.append(line.rstrip("\n"))

    threading.Thread(target=read, daemon=True).start()
    running.url = running.wait_for(r"Andrum: (http://\S+)/").group(1)
    return running


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts Andrum with some environment, and stops it after the test."""
    started: list[Running] = []

    def one(environment: dict[str, str] | None = None, ready: bool = True, port: int = 0) -> Running:
        running = start_andrum(environment, port)
        started.append(running)
        if ready:
            running.wait_for(r"engine ready")
        return running

    yield one
    for running in started:
        if running.process.poll() is None:
            running.stop()


class _Neutral(http.server.BaseHTTPRequestHandler):
    """An everyday page for the exit to lead to, and a partner's page with the widget on it."""

    def do_GET(self) -> None:
        body = "<!doctype html><title>Weather</title><p>Sunny</p>"
        if self.path.startswith("/partner?"):
            source = self.path.partition("?")[2]
            body = f'<!doctype html><title>Partner</title><p>Partner page</p><script src="{source}/widget.js" async></script>'
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


@pytest.fixture(scope="session")
def neutral_url() -> Iterator[str]:
    """Address of a small local site that is not Andrum: where the exit leads, and a partner's page (`/partner?<andrum>`)."""
    server = http.server.ThreadingHTTPServer(("localhost", 0), _Neutral)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_address[1]}"
    server.shutdown()


@pytest.fixture(scope="session")
def andrum(neutral_url: str) -> Iterator[Running]:
    """One Andrum for all tests that change nothing in it."""
    running = start_andrum({"ANDRUM_WEB_EXIT_ADDRESS": f"{neutral_url}/", "ANDRUM_WEB_FRAME_ORIGINS": neutral_url})
    running.wait_for(r"engine ready")
    yield running
    running.stop()


@pytest.fixture(scope="session")
def andrum_url(andrum: Running) -> str:
    """Its address, without a slash at the end."""
    return andrum.url
