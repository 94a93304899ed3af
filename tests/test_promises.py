"""Promises that only the whole, running Andrum can keep or break (knowledge/security.md 13)."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from bot.catalog import Catalog
from bot.privacy import logs
from tests import canaries
from tests.conftest import ROOT, Running, Start

pytestmark = pytest.mark.engine
CATALOG = Catalog.load(ROOT / "data")
LONGEST_SECONDS = 5.0


def post(url: str, body: bytes, kind: str = "application/json") -> tuple[int, bytes]:
    request = urllib.request.Request(url, data=body, headers={"Content-Type": kind, "Accept-Language": "ro"})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def say(url: str, text: str | None = None, **more: Any) -> dict[str, Any]:
    status, body = post(f"{url}/say", json.dumps({"text": text, **more}).encode())
    assert status == 200, body
    answer: dict[str, Any] = json.loads(body)
    return answer


def first(answer: dict[str, Any]) -> str:
    html: str = answer["messages"][0]["html"]
    return html


def html(answer: str, tag: str) -> str:
    return str(CATALOG.find(answer, tag).html)


def wait_until_understood(running: Running, seconds: float) -> None:
    end = time.monotonic() + seconds
    while first(say(running.url, "ce este perioada de reflecție")) != html("ask_reflection_period", "ro"):
        assert time.monotonic() < end, "the engine did not come back"
        time.sleep(0.5)


def test_while_the_engine_loads_the_page_answers(start: Start) -> None:
    running = start(ready=False)
    answer = say(running.url, "ce este perioada de reflecție")
    assert first(answer) == html("emergency", "ro")
    running.wait_for("engine ready")
    wait_until_understood(running, 10)


def test_the_engine_is_killed_in_the_middle_of_a_conversation(start: Start) -> None:
    running = start()
    before = say(running.url, "ce este perioada de reflecție")
    assert first(before) == html("ask_reflection_period", "ro")
    os.kill(running.children()["engine"], signal.SIGKILL)
    began = time.monotonic()
    after = say(running.url, "si cine face cererea?", conversation=before["conversation"])
    assert time.monotonic() - began < LONGEST_SECONDS
    assert first(after) == html("emergency", "ro")
    choice = say(running.url, conversation=before["conversation"], choice="ask_reflection_application")
    assert choice["messages"][1]["html"] == html("ask_reflection_application", "ro")
    wait_until_understood(running, 60)


def test_an_engine_that_hangs_is_not_waited_for(start: Start) -> None:
    running = start({"ANDRUM_ENGINE_ANSWER_SECONDS": "1.5"})
    conversation = say(running.url, "ce este perioada de reflecție")["conversation"]
    engine = running.children()["engine"]
    os.kill(engine, signal.SIGSTOP)
    try:
        for _ in range(2):
            began = time.monotonic()
            answer = say(running.url, "si cine face cererea?", conversation=conversation)
            assert time.monotonic() - began < LONGEST_SECONDS
            assert first(answer) == html("emergency", "ro")
    finally:
        os.kill(engine, signal.SIGCONT)
    wait_until_understood(running, 10)


def test_the_edge_comes_back(start: Start) -> None:
    port = _free_port()
    running = start(port=port)
    seen = len(running.lines)
    os.kill(running.children()["edge"], signal.SIGKILL)
    running.wait_for(rf"Andrum: http://127\.0\.0\.1:{port}/", 30, after=seen)
    assert first(say(running.url, "ce este perioada de reflecție")) == html("ask_reflection_period", "ro")


def _free_port() -> int:
    with contextlib.closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def test_ctrl_c_leaves_nothing(start: Start, tmp_path: Path) -> None:
    temporary, home = tmp_path / "tmp", tmp_path / "home"
    temporary.mkdir()
    home.mkdir()
    running = start({"TMPDIR": str(temporary), "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"})
    children = running.children()
    say(running.url, "ce este perioada de reflecție")
    # P18: what lies in the one folder that was made, while it runs.
    files = sorted(str(path.relative_to(temporary)).partition("/")[2] for path in temporary.rglob("*") if not path.is_dir())
    assert files == [".config/rasa/global.yml", "engine"]
    assert running.stop() == 0
    assert list(temporary.iterdir()) == []
    assert list(home.iterdir()) == []
    for pid in children.values():
        assert not Path(f"/proc/{pid}").exists()


def test_nothing_listens_but_the_page(andrum: Running) -> None:
    """P37: one public listener, on loopback; the engine has a socket in a folder of mode 0700."""
    import psutil

    children = andrum.children()
    listening = {
        name: [c.laddr for c in psutil.Process(pid).net_connections("inet") if c.status == "LISTEN"]
        for name, pid in children.items()
    }
    assert listening["engine"] == []
    assert [address.ip for address in listening["edge"]] == ["127.0.0.1"]
    command = psutil.Process(children["edge"]).cmdline()
    folder = Path(command[command.index("--socket") + 1]).parent
    assert folder.stat().st_mode & 0o777 == 0o700
    # No secret where other accounts could read it.
    for pid in children.values():
        process = psutil.Process(pid)
        assert not [word for word in process.cmdline() if len(word) > 40 and "/" not in word]
        assert not [key for key in process.environ() if "SECRET" in key.upper()]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [({"ANDRUM_EDGE_PORT": "eighty"}, "ANDRUM_EDGE_PORT: 'eighty' does not fit. Allowed: a whole number from 0 to 65535")]
    + [({"ANDRUM_ENGINE_MODEL": "x"}, "ANDRUM_ENGINE_MODEL: is not a setting")],
)
def test_a_wrong_setting_stops_the_start(environment: dict[str, str], expected: str) -> None:
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "bot", "serve"],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_stops_the_start(andrum: Running) -> None:
    import subprocess
    import sys

    port = andrum.url.rpartition(":")[2]
    done = subprocess.run(
        [sys.executable, "-m", "bot", "serve", "--port", port], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "cannot listen" in done.stderr
    assert "[edge] in andrum.toml" in done.stderr


def test_canaries_are_found_nowhere_p14_p18_p19(start: Start, tmp_path: Path) -> None:
    """Forty names, numbers and sentences through page and REST, errors on the way; then every changed file is searched."""
    temporary, home = tmp_path / "tmp", tmp_path / "home"
    temporary.mkdir()
    home.mkdir()
    since = time.time() - 0.1
    running = start({"TMPDIR": str(temporary), "HOME": str(home), "LOG_LEVEL": "DEBUG", "PYTHONWARNINGS": "always"})
    url = running.url
    sent = canaries.forty()
    assert len(sent) == 40
    for number, canary in enumerate(sent):
        text = canary.text
        if number == 20:
            os.kill(running.children()["engine"], signal.SIGKILL)
        if number == 24:
            running.wait_for("engine ready", after=next(i for i, line in enumerate(running.lines) if "engine_ended" in line))
        conversation = say(url, text)["conversation"]
        say(url, f"{text} {text}", conversation=conversation)
        rest = json.dumps({"sender": f"{canary.mark}-sender", "message": text}).encode()
        assert post(f"{url}/webhooks/rest/webhook", rest)[0] == 200
        form = urllib.parse.urlencode({"text": text, "conversation": conversation}).encode()
        status, page = post(f"{url}/", form, "application/x-www-form-urlencoded")
        assert status == 200
        assert canary.mark.encode() in page  # her own message is shown back to her
        # And everything that goes wrong.
        for path, body in [
            ("/say", f'{{"text": "{text}'.encode()),
            ("/say", f'{{"text": "/{text}{{\\"a\\": 1}}"}}'.encode()),
            ("/say", json.dumps({"text": "/" + canary.mark}).encode()),
            ("/say", json.dumps({"choice": text, "conversation": text}).encode()),
            ("/say", json.dumps({"text": text * 40}).encode()),
            ("/say", json.dumps({"text": text * 4000}).encode()),
            ("/say", text.encode("utf-16")),
            ("/webhooks/rest/webhook", json.dumps({"sender": text}).encode()),
            ("/webhooks/rest/webhook", json.dumps([text]).encode()),
            (f"/{canary.mark}", text.encode()),
            (f"/say?text={canary.mark}", b"{}"),
            ("/forget", json.dumps({"conversation": conversation}).encode()),
        ]:
            post(f"{url}{path}", body)
        with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=5) as raw:
            raw.sendall(f"GET /{canary.mark} HTTP/9.9\r\n{canary.mark}\x01: 1\r\n\r\n".encode())
            raw.recv(4096)
    assert say(url, "ce este perioada de reflecție")["messages"]
    files = list(canaries.changed_files(since))
    planted = _plant(tmp_path, sent)
    assert running.stop() == 0
    printed = "\n".join(running.lines)
    assert canaries.found(printed.encode(), sent) == set()
    hits = canaries.in_files({*files, *canaries.changed_files(since)}, sent)
    assert set(hits) == set(planted), hits
    own = [line for line in running.lines if not line.startswith(("Andrum: ", "Model: "))]
    assert [line for line in own if not logs.LINE.match(line)] == []
    assert any("request_failed" in line or "engine_unavailable" in line for line in own)


def _plant(folder: Path, sent: list[canaries.Canary]) -> list[Path]:
    """The control: a file in each form, which the search must find."""
    planted = []
    for number, form in enumerate(canaries.forms(secrets.choice(sent).mark)):
        path = folder / f"planted-{number}"
        path.write_bytes(b"before" + form + b"after")
        planted.append(path)
    return planted
