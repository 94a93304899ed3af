"""The edge: one aiohttp application, made from settings.

Road: top of the public door. Promise: imports nothing of Rasa, is ready within a second or two of its start, and answers
whether the engine does or not. Never: writes a file, opens a connection other than to the engine.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from aiohttp import web

from bot import middlewares
from bot.catalog import Catalog
from bot.channels import web as web_channel
from bot.engine.client import EngineClient
from bot.language.detection import Detector
from bot.memory import Memory
from bot.privacy import logs
from bot.routes import ROUTES
from bot.settings import Settings
from bot.training import current_model, learned_languages
from bot.turn import Road

LARGEST_BODY = 64 * 1024
EXPIRY_SECONDS = 5.0
# Half-sent headers and idle connections are cut after this many seconds (P40).
KEEP_ALIVE_SECONDS = 10


def create_app(settings: Settings, data_dir: Path, engine: EngineClient) -> web.Application:
    """The edge's application. Raises CatalogError, LanguagesError or ContactsError where the data cannot be used."""
    app = web.Application(middlewares=[middlewares.calm_errors], client_max_size=LARGEST_BODY)
    app[web_channel.SETTINGS] = settings
    app[web_channel.ROAD] = Road(settings, Catalog.load(data_dir, settings.words.show_fuzzy), Detector.train([]), engine)
    app[web_channel.MEMORY] = Memory(
        settings.conversation.idle_minutes * 60,
        settings.conversation.most_hours * 3600,
        settings.conversation.most_at_once,
    )
    app[web_channel.TEMPLATES] = web_channel.templates()
    app[web_channel.FILES] = web_channel.static_files()
    app.add_routes(ROUTES)
    app.on_response_prepare.append(middlewares.headers)
    app.cleanup_ctx.append(_learn_languages(data_dir))
    app.cleanup_ctx.append(_expire)
    return app


def _learn_languages(data_dir: Path) -> Callable[[web.Application], AsyncIterator[None]]:
    """Load what training learned of the languages, or learn it here where there is no model yet, while the page answers."""

    def detector() -> Detector:
        learned = learned_languages(current_model(data_dir.parent))
        return Detector.load(learned) if learned.exists() else Detector.from_data(data_dir)

    async def context(app: web.Application) -> AsyncIterator[None]:
        async def load() -> None:
            app[web_channel.ROAD].detector = await asyncio.to_thread(detector)
            logs.event("languages_ready")

        task = asyncio.create_task(load())
        yield
        task.cancel()

    return context


async def _expire(app: web.Application) -> AsyncIterator[None]:
    """Forget conversations whose time is over, also while nobody writes."""

    async def loop() -> None:
        while True:
            await asyncio.sleep(EXPIRY_SECONDS)
            for conversation in app[web_channel.MEMORY].drop_expired():
                await app[web_channel.ROAD].engine.forget(conversation.id)

    task = asyncio.create_task(loop())
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await app[web_channel.ROAD].engine.close()


async def serve(settings: Settings, data_dir: Path, socket: Path, secret: str) -> None:
    """Listen until cancelled; prints the address once it is reachable."""
    middlewares.say_nothing_of_malformed_requests()
    app = create_app(settings, data_dir, EngineClient(socket, secret))
    runner = web.AppRunner(app, access_log=None, keepalive_timeout=KEEP_ALIVE_SECONDS)
    await runner.setup()
    site = web.TCPSite(runner, settings.edge.host, settings.edge.port)
    await site.start()
    host, port = runner.addresses[0][:2]
    print(f"Andrum: http://{host}:{port}/", flush=True)
    logs.event("ready")
    try:
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
