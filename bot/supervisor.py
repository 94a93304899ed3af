"""Starts edge and engine, and starts again what dies.

Road: `andrum serve`. Promise: the edge is there first and stays, so the page answers while the model is trained and the
engine loads; a process that dies comes back, at once the first time, then later and later (half a minute at most);
Ctrl-C or SIGTERM stops everything within some seconds and removes the one folder that was made. Never: hands a secret
over in arguments or the environment, where other accounts of the machine could read it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bot.privacy import logs
from bot.settings import Settings
from bot.training import current_model

LONGEST_PAUSE_SECONDS = 30.0
STEADY_SECONDS = 60.0
STOP_SECONDS = 5.0
# A process that ends so cannot be helped by starting it again: it has said what must be changed.
EXIT_CONFIGURATION = 78
# What Python frees is overwritten, so that words do not stay in memory (security.md 0.9: found 4 and 20 times without, 0 with).
MEMORY_ENVIRONMENT = {
    "PYTHONMALLOC": "malloc",
    "GLIBC_TUNABLES": "glibc.malloc.perturb=85:glibc.malloc.tcache_count=0",
}


class Supervisor:
    """One run of Andrum: two processes and the folder they meet in."""

    def __init__(self, root: Path, settings: Settings) -> None:
        """`root`: the folder with data/, config.yml and models/."""
        self._root = root
        self._settings = settings
        self._secret = secrets.token_urlsafe(32)
        self._stopping = asyncio.Event()
        self._failed = False

    async def run(self) -> int:
        """Run until told to stop; returns the exit code."""
        logs.close("supervisor")
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stopping.set)
        with tempfile.TemporaryDirectory(prefix="andrum-") as folder:  # mode 0700
            socket = Path(folder) / "engine"
            keep = [asyncio.create_task(self._keep("edge", ["edge", "--socket", str(socket)]))]
            keep.append(asyncio.create_task(self._train_and_keep_engine(socket, Path(folder))))
            await self._stopping.wait()
            for task in keep:
                task.cancel()
            await asyncio.gather(*keep, return_exceptions=True)
        return 1 if self._failed else 0

    async def _start(self, arguments: Sequence[str]) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bot",
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            cwd=self._root,
            env={**os.environ, **MEMORY_ENVIRONMENT},
            start_new_session=True,  # Ctrl-C reaches the supervisor alone, which stops the others in order
        )
        assert process.stdin is not None
        with contextlib.suppress(ConnectionError):
            process.stdin.write(f"{self._secret}\n".encode())
            await process.stdin.drain()
            process.stdin.close()
        return process

    async def _keep(self, name: str, arguments: Sequence[str]) -> None:
        """Run one process for good."""
        pause = 0.1
        while True:
            began = time.monotonic()
            process = await self._start(arguments)
            try:
                code = await process.wait()
            except asyncio.CancelledError:
                await _stop(process)
                raise
            logs.event(f"{name}_ended", status=code)
            if code == EXIT_CONFIGURATION:
                self._failed = True
                self._stopping.set()
                return
            if time.monotonic() - began > STEADY_SECONDS:
                pause = 0.1
            await asyncio.sleep(pause)
            pause = min(pause * 3, LONGEST_PAUSE_SECONDS)

    async def _train_and_keep_engine(self, socket: Path, folder: Path) -> None:
        model = current_model(self._root)
        if not model.exists():
            process = await self._start(["train"])
            try:
                code = await process.wait()
            except asyncio.CancelledError:
                await _stop(process)
                raise
            if code != 0:
                # The page goes on with the emergency text; what Rasa printed says what is wrong.
                print("No model could be trained: the page gives the emergency text only. See above.", flush=True)
                logs.event("training_failed", status=code)
                return
        await self._keep("engine", ["engine", "--socket", str(socket), "--model", str(model), "--scratch", str(folder)])


async def _stop(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except asyncio.TimeoutError:
            process.kill()
            await process.wait()
