"""`andrum bench`: how fast and how large, in one run that anyone can repeat.

Road: beside everything; starts `make serve` as an operator does and talks to the page as a browser does. Promise: every
figure in docs/measurements.md comes from here (`--write`), none is typed in. Never: asserts a time; machines differ.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

MESSAGES = [
    "jag får ingen lön och chefen har mitt pass",
    "pot sta în Suedia dacă vorbesc cu poliția?",
    "ماذا يحدث بعد ثلاثين يوما؟",
    "he says I owe 8000 euro and takes all what I earn",
    "vad är en regionkoordinator och hur når jag en",
    "vreau acasă dar nu am bani",
    "انا بالحجز بمطار ارلاندا",
    "i walked from the bus and it is so cold, my boss has my passport since march and i do not know who can help me now",
]
UNDERSTOOD = ("ce este perioada de reflecție", "betänketid")
ROUNDS = 40
AT_ONCE = 10


def _say(url: str, text: str) -> tuple[float, str]:
    """Milliseconds from message to answer, each as the first message of a new conversation, and the answer."""
    request = urllib.request.Request(
        f"{url}/say", data=json.dumps({"text": text}).encode(), headers={"Content-Type": "application/json"}
    )
    began = time.perf_counter()
    with urllib.request.urlopen(request, timeout=10) as response:
        body = response.read()
    took = (time.perf_counter() - began) * 1000
    return took, " ".join(message["html"] for message in json.loads(body)["messages"][:1])


def _wait(url: str, text: str | None, wanted: str, process: subprocess.Popen[bytes], began: float) -> float:
    """Seconds from `began` until the page (text None) or the answer to `text` holds `wanted`."""
    while process.poll() is None:
        with contextlib.suppress(OSError, ValueError):
            if text is None:
                with urllib.request.urlopen(f"{url}/", timeout=5) as response:
                    found = wanted in response.read().decode()
            else:
                found = wanted in _say(url, text)[1]
            if found:
                return time.monotonic() - began
        time.sleep(0.02)
    raise RuntimeError("`make serve` ended before it answered; run it by itself to see why")


def _memory(pid: int) -> float:
    """Resident megabytes of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _megabytes(folder: Path) -> float:
    seen: set[int] = set()
    total = 0
    for path in folder.rglob("*"):
        status = path.lstat()
        if status.st_ino not in seen:
            seen.add(status.st_ino)
            total += status.st_blocks * 512
    return total / 1e6


def serving(root: Path) -> dict[str, Any]:
    """Start `make serve` with a trained model and measure it from outside."""
    with contextlib.closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    began = time.monotonic()
    mark = f"bench-{os.getpid()}-{port}"
    process = subprocess.Popen(
        ["make", "serve"],
        cwd=root,
        env={**os.environ, "ANDRUM_EDGE_PORT": str(port), "BENCH_MARK": mark},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        figures: dict[str, Any] = {
            "seconds to the page": _wait(url, None, "tel:112", process, began),
            "seconds to the first safe answer": _wait(url, UNDERSTOOD[0], "tel:112", process, began),
            "seconds to the first understood answer": _wait(url, *UNDERSTOOD, process, began),
        }
        for message in MESSAGES:
            _say(url, message)
        times = sorted(_say(url, MESSAGES[number % len(MESSAGES)])[0] for number in range(ROUNDS * len(MESSAGES)))
        figures["ms from message to answer, median"] = statistics.median(times)
        figures["ms from message to answer, p95"] = times[int(len(times) * 0.95)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            start = time.monotonic()
            crowd = sorted(
                took for took, _ in pool.map(lambda number: _say(url, MESSAGES[number % 8]), range(ROUNDS * len(MESSAGES)))
            )
            figures[f"ms, {AT_ONCE} at once, median"] = statistics.median(crowd)
            figures[f"ms, {AT_ONCE} at once, p95"] = crowd[int(len(crowd) * 0.95)]
            figures[f"messages a second, {AT_ONCE} at once"] = len(crowd) / (time.monotonic() - start)
        for name, pid in _marked(mark):
            figures[f"MB, {name}"] = _memory(pid)
        return figures
    finally:
        for _, pid in _marked(mark, ("serve",)):
            os.kill(pid, signal.SIGINT)
        process.wait(30)


def _marked(mark: str, names: tuple[str, ...] = ("edge", "engine")) -> Iterator[tuple[str, int]]:
    """Processes of the run that carries this mark in its environment: name and process id."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError, ValueError):
            if mark.encode() not in entry.joinpath("environ").read_bytes():
                continue
            words = entry.joinpath("cmdline").read_bytes().split(b"\0")
            name = next((name for name in names if name.encode() in words and b"python" in words[0]), None)
            if name:
                yield name, int(entry.name)


def training(root: Path) -> dict[str, Any]:
    """Train the model anew and measure seconds and memory."""
    began = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "bot", "train", "--force"],
        cwd=root,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    figures: dict[str, Any] = {"seconds to train": time.monotonic() - began}
    figures["MB to train, most"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    models = sorted((root / "models").glob("andrum-*.tar.gz"))
    figures["MB, model file"] = models[-1].stat().st_size / 1e6
    return figures


def measure(root: Path) -> dict[str, Any]:
    """All figures, in the order in which they are shown."""
    figures = training(root)
    figures |= serving(root)
    figures["MB on disk, the environment that serves"] = environment(root)
    return figures


def environment(root: Path) -> float:
    """Megabytes of the environment that `make serve` makes, made anew from uv's cache."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [str(root / "scripts" / "sync"), "--quiet", "--extra", "engine"],
            env={**os.environ, "UV_PROJECT_ENVIRONMENT": f"{folder}/environment"},
            check=True,
        )
        return _megabytes(Path(folder))


def as_table(figures: dict[str, Any]) -> str:
    """The figures as a Markdown table, with what they were measured on."""
    rows = [
        f"`andrum bench` on {time.strftime('%Y-%m-%d')}: Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"{platform.machine()}, {ROUNDS * len(MESSAGES)} messages in four languages, each the first of a conversation.",
        "",
        "| what | figure |",
        "|---|---:|",
    ]
    rows += [f"| {name} | {value:.1f} |" for name, value in figures.items()]
    return "\n".join(rows)


def write(path: Path, table: str, what: str = "bench") -> None:
    """Put the table between the two marks of `andrum {what}` in a Markdown file. Raises ValueError where they are missing."""
    begin, end = f"<!-- andrum {what}: begin -->", f"<!-- andrum {what}: end -->"
    text = path.read_text(encoding="utf-8")
    if begin not in text or end not in text:
        raise ValueError(f"{path}: needs the lines {begin} and {end} for the table to stand between")
    head, _, rest = text.partition(begin)
    tail = rest.partition(end)[2]
    path.write_text(f"{head}{begin}\n{table}\n{end}{tail}", encoding="utf-8")
