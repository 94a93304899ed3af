"""The engine process: Rasa's agent, its actions in the same process, and one small door that only the edge can use.

Road: edge → (Unix socket, shared secret) → here → Rasa: intent, rules, actions → answer ids → edge.
Promise: no Rasa HTTP server and no action server run; nothing listens but the socket in a folder only this account can
enter; a model that needs TensorFlow is refused when the process runs without it; nothing a visitor wrote outlives its
turn (bot/privacy/tracker_store.py) or reaches an output (bot/privacy/logs.py).
Never: knows words, channels, addresses or numbers of people; opens a connection to anywhere.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import tarfile
from pathlib import Path
from typing import Any

from bot.engine.client import SECRET_HEADER
from bot.privacy import logs
from bot.settings import Settings

MOST_CHARACTERS = 1000
EXPIRY_SECONDS = 10
# Rasa's components that compute with TensorFlow. Custom components of ours never do.
NEURAL = frozenset(
    {
        "DIETClassifier",
        "ResponseSelector",
        "ConveRTFeaturizer",
        "LanguageModelFeaturizer",
        "TEDPolicy",
        "UnexpecTEDIntentPolicy",
    }
)


class ModelUnfit(RuntimeError):
    """The model cannot be served by this process; the message says why and what to do."""


def prepare(settings: Settings, scratch: Path) -> None:
    """Set the process up before Rasa is imported: telemetry off twice over, HOME and caches in `scratch`."""
    os.environ.update(
        RASA_TELEMETRY_ENABLED="false",
        HOME=str(scratch),
        XDG_CONFIG_HOME=str(scratch / ".config"),
        XDG_CACHE_HOME=str(scratch / ".cache"),
        MPLCONFIGDIR=str(scratch),
        TMPDIR=str(scratch),
    )
    telemetry = scratch / ".config" / "rasa" / "global.yml"
    telemetry.parent.mkdir(parents=True, exist_ok=True)
    telemetry.write_text("metrics:\n  enabled: false\n", encoding="utf-8")
    if settings.engine.tensorflow == "none":
        from bot.engine import tensorflow_stand_in

        tensorflow_stand_in.install()


def refuse_neural(model: Path) -> None:
    """Raise ModelUnfit if the model holds a component that computes with TensorFlow."""
    with tarfile.open(model) as archive:
        member = archive.extractfile("metadata.json")
        metadata = json.load(member) if member else {}
    nodes = [node for part in ("train_schema", "predict_schema") for node in metadata.get(part, {}).get("nodes", {}).values()]
    needed = sorted({str(node.get("uses", "")).rsplit(".", 1)[-1] for node in nodes} & NEURAL)
    if needed:
        raise ModelUnfit(
            f"{model}: {', '.join(needed)} needs TensorFlow, and the engine runs without it. "
            'Take it out of config.yml, or set engine.tensorflow = "real" in andrum.toml.'
        )


class Engine:
    """Rasa's agent and the two things the edge may ask of it: a turn, and to forget."""

    def __init__(self, model: Path, settings: Settings) -> None:
        """Load the model. Raises ModelUnfit. Takes seconds; imports Rasa (`prepare` must have run)."""
        if settings.engine.tensorflow == "none":
            refuse_neural(model)
        from rasa.core.agent import Agent
        from rasa.core.lock_store import InMemoryLockStore
        from rasa.utils.endpoints import EndpointConfig
        from rasa_sdk.executor import ActionExecutor

        from bot.engine import fixes
        from bot.privacy.tracker_store import EphemeralTrackerStore

        fixes.apply()
        executor = ActionExecutor()
        executor.register_package("actions")

        class InProcessActions(EndpointConfig):
            """Rasa's way to custom actions, without HTTP: same request, same response."""

            async def request(self, *args: Any, **kwargs: Any) -> Any:
                return await executor.run(kwargs["json"])

        self.trackers = EphemeralTrackerStore()
        self.agent = Agent.load(
            model,
            tracker_store=self.trackers,
            lock_store=InMemoryLockStore(),
            action_endpoint=InProcessActions(url="in-process"),
        )
        assert self.agent.domain is not None
        self.intents = frozenset(self.agent.domain.intents)

    async def turn(self, conversation: str, text: str | None, choice: str | None, language: str | None) -> Any:
        """One message in, answer ids out.

        `conversation`: 32 hex characters, the edge's random name for it. Exactly one of `text` (what was written) and
        `choice` (an intent's name, from a button) is given. `language`: the tag to read the text as, or None.
        Returns {"replies": [...], "parse": {...}} as docs/architecture.md describes; replies may be empty.
        """
        from rasa.core.channels.channel import CollectingOutputChannel, UserMessage

        parse_data = None
        if choice is not None:
            if choice not in self.intents:
                return {"replies": [], "parse": {}}
            parse_data = {"text": "", "entities": [], "intent": {"name": choice, "confidence": 1.0}}
        collected = CollectingOutputChannel()
        message = UserMessage(
            # A leading slash would make Rasa take the text for the name of an intent (P20).
            text="" if text is None else text.lstrip("/ \t\n")[:MOST_CHARACTERS],
            output_channel=collected,
            sender_id=conversation,
            parse_data=parse_data,
            metadata={"language": language} if language else {},
        )
        await self.agent.handle_message(message)
        replies = [one["custom"] for one in collected.messages if isinstance(one.get("custom"), dict)]
        parse = self.trackers.last_parse(conversation)
        return {
            "replies": replies,
            "parse": {
                "language": parse.get("language"),
                "intent": (parse.get("intent") or {}).get("name"),
                "confidence": (parse.get("intent") or {}).get("confidence"),
                "decision": parse.get("decision"),
                "safety": bool(parse.get("safety")),
            },
        }

    def forget(self, conversation: str) -> None:
        """Drop all that is kept of this conversation."""
        self.trackers.erase(conversation)


async def serve(engine: Engine, socket: Path, secret: str) -> None:
    """Answer the edge on `socket` until cancelled."""
    from aiohttp import web

    @web.middleware
    async def only_the_edge(request: web.Request, handler: Any) -> web.StreamResponse:
        if not hmac.compare_digest(request.headers.get(SECRET_HEADER, ""), secret):
            return web.json_response({}, status=403)
        try:
            response: web.StreamResponse = await handler(request)
            return response
        except web.HTTPException:
            raise
        except Exception as error:
            # Rasa puts the whole tracker into some of its errors; only the class may leave this line (security.md 5).
            logs.event("turn_failed", error=type(error))
            return web.json_response({}, status=500)

    async def turn(request: web.Request) -> web.Response:
        body = await request.json()
        return web.json_response(
            await engine.turn(body["conversation"], body.get("text"), body.get("choice"), body.get("language"))
        )

    async def forget(request: web.Request) -> web.Response:
        engine.forget((await request.json())["conversation"])
        return web.json_response({})

    async def health(request: web.Request) -> web.Response:
        return web.json_response({"ready": True})

    app = web.Application(middlewares=[only_the_edge], client_max_size=64 * 1024)
    app.add_routes([web.post("/turn", turn), web.post("/forget", forget), web.get("/health", health)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.UnixSite(runner, str(socket)).start()
    logs.event("ready")
    try:
        while True:
            await asyncio.sleep(EXPIRY_SECONDS)
            engine.trackers.drop_expired()
    finally:
        await runner.cleanup()


def run(settings: Settings, model: Path, socket: Path, secret: str, scratch: Path) -> None:
    """The process's whole life. Raises ModelUnfit before it serves anything."""
    logs.close("engine")
    prepare(settings, scratch)
    engine = Engine(model, settings)
    logs.close("engine")  # Rasa configured logging while it was imported
    logs.close_output()
    asyncio.run(serve(engine, socket, secret))
