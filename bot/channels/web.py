"""The page, with and without JavaScript, and the REST door that speaks as Rasa's own does.

Road: browser or REST client → here → turn → here → browser. Promise: a visitor always gets a readable page or a readable
JSON message with 112 in it, in her language, whatever she sent (P36, P52); no cookie, no address, no text in a URL; the
token that names a conversation lives in the page's memory only. Never: logs, keeps or echoes what was written, but for
showing her own message back to her on the page without JavaScript.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jinja2
from aiohttp import web
from babel import negotiate_locale
from markupsafe import Markup

from bot.catalog import Catalog
from bot.channels import shown
from bot.channels.shown import Shown
from bot.conversation import Conversation, Incoming, Reply
from bot.memory import Memory
from bot.settings import Settings
from bot.turn import Road, visitor_turn

PAGES = Path(__file__).parent.parent / "pages"
STATIC = Path(__file__).parent.parent / "static"
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".png": "image/png"}
TOKEN = re.compile(r"^[A-Za-z0-9_-]{32}$")
FALLBACK_LANGUAGE = "en"
EMERGENCY_CONTACT = "emergency_112"
LONGEST_SENDER = 255
# A REST client sends a button's payload back as the message.
CHOICE_PAYLOAD = "choice:"

ROAD = web.AppKey("road", Road)
MEMORY = web.AppKey("memory", Memory)
SETTINGS = web.AppKey("settings", Settings)
TEMPLATES = web.AppKey("templates", jinja2.Environment)
FILES = web.AppKey("files", dict[str, tuple[bytes, str]])


class BadInput(Exception):
    """A request that cannot be read; `code` names why, `status` is the HTTP status."""

    def __init__(self, code: str, status: int = 400) -> None:
        super().__init__(code)
        self.code = code
        self.status = status


@dataclass(frozen=True)
class _Opened:
    conversation: Conversation
    token: str


def templates() -> jinja2.Environment:
    """The page templates; everything that is not Markup is escaped."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(PAGES), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, auto_reload=False,
    )  # fmt: skip


def static_files() -> dict[str, tuple[bytes, str]]:
    """Every file the page uses, read once: name → bytes and type."""
    return {path.name: (path.read_bytes(), TYPES[path.suffix]) for path in sorted(STATIC.iterdir()) if path.suffix in TYPES}


def page_language(catalog: Catalog, header: str | None) -> str:
    """The best of our languages for a browser's Accept-Language header."""
    wanted: list[tuple[float, str]] = []
    for part in (header or "")[:500].split(","):
        tag, _, weight = part.strip().partition(";q=")
        try:
            wanted.append((-float(weight or 1), tag.strip().replace("-", "_")))
        except ValueError:
            continue
    tags = [tag for _, tag in sorted(wanted, key=lambda one: one[0]) if tag]
    found = negotiate_locale(tags, [tag.replace("-", "_") for tag in catalog.languages.tags])
    return found.replace("_", "-") if found else FALLBACK_LANGUAGE


def _browser_language(request: web.Request) -> str:
    """The language a partner's widget asks for (`/?language=ro`), else the best for the browser."""
    asked = request.query.get("language", "")
    if asked in request.app[ROAD].catalog.languages:
        return asked
    return page_language(request.app[ROAD].catalog, request.headers.get("Accept-Language"))


async def _open(request: web.Request, channel: str, name: str, language: str) -> Conversation:
    conversation, dropped = request.app[MEMORY].open(channel, name, language)
    for old in dropped:
        await request.app[ROAD].engine.forget(old.id)
    return conversation


async def _forget(request: web.Request, channel: str, name: str) -> None:
    dropped = request.app[MEMORY].forget(channel, name)
    if dropped:
        await request.app[ROAD].engine.forget(dropped.id)


async def _open_web(request: web.Request, token: Any) -> _Opened:
    """The conversation of this page; a new one with a new token where the page has none yet."""
    name = token if isinstance(token, str) and TOKEN.match(token) else secrets.token_urlsafe(24)
    conversation = await _open(request, "web", name, _browser_language(request))
    # The page shows the first contact, and that its texts are not reviewed, before the first message.
    conversation.introduced = True
    conversation.fuzzy_told.add(conversation.page_language)
    return _Opened(conversation, name)


async def _json_object(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.read())
    except (ValueError, RecursionError):
        raise BadInput("not_json") from None
    if not isinstance(body, dict):
        raise BadInput("not_an_object")
    return body


def _incoming(text: Any, choice: Any) -> Incoming:
    if isinstance(choice, str) and choice:
        return Incoming(choice=choice)
    if isinstance(text, str):
        return Incoming(text=text)
    raise BadInput("no_text")


async def _turn(request: web.Request, channel: str, name: str, conversation: Conversation, incoming: Incoming) -> list[Reply]:
    replies = await visitor_turn(request.app[ROAD], conversation, incoming)
    if any(reply.erase for reply in replies):
        await _forget(request, channel, name)
    return replies


def _as_json(message: Shown) -> dict[str, str]:
    return {"html": str(message.html), "lang": message.lang, "dir": message.dir}


async def say(request: web.Request) -> web.Response:
    """POST /say: one message or choice from the page's script."""
    body = await _json_object(request)
    incoming = _incoming(body.get("text"), body.get("choice"))
    opened = await _open_web(request, body.get("conversation"))
    catalog, conversation = request.app[ROAD].catalog, opened.conversation
    before = conversation.answer_language
    replies = await _turn(request, "web", opened.token, conversation, incoming)
    language = catalog.languages.get(conversation.answer_language)
    assert language is not None
    erased = any(reply.erase for reply in replies)
    answer: dict[str, Any] = {
        "conversation": None if erased else opened.token,
        "language": language.tag,
        "direction": language.direction,
        "erase": erased,
        "messages": [_as_json(message) for message in shown.messages(catalog, conversation, replies)],
        "choices": [{"id": one.id, "label": one.label} for one in shown.choices(catalog, conversation)],
    }
    if conversation.answer_language != before or (incoming.choice or "").startswith("language:"):
        answer["interface"] = catalog.words(language.tag)
    return web.json_response(answer)


async def forget(request: web.Request) -> web.Response:
    """POST /forget: the page is being left; a beacon, so nobody reads the answer."""
    body = await _json_object(request)
    if isinstance(body.get("conversation"), str):
        await _forget(request, "web", body["conversation"])
    return web.Response(status=204)


async def leave(request: web.Request) -> web.Response:
    """GET /leave: on to an everyday page. A redirect of ours, so that the address she came from is not told."""
    return web.Response(status=303, headers={"Location": request.app[SETTINGS].web.exit_address})


def page(
    request: web.Request,
    tag: str,
    messages: Sequence[dict[str, Any]],
    choices: Sequence[Any],
    token: str = "",
    status: int = 200,
) -> web.Response:
    """The page with these messages on it, in the language `tag`."""
    catalog = request.app[ROAD].catalog
    emergency = catalog.placeholder(EMERGENCY_CONTACT)

    def word(key: str) -> str:
        return catalog.word(key, tag)

    html = (
        request.app[TEMPLATES]
        .get_template("page.html")
        .render(
            language=catalog.languages.get(tag),
            languages=list(catalog.languages),
            word=word,
            messages=messages,
            choices=choices,
            conversation=token,
            exit_path="/leave",
            framed=request.query.get("frame") == "1",
            emergency={"text": emergency.text(tag, word), "tel": f"tel:{emergency.value}"},
        )
    )
    return web.Response(text=html, content_type="text/html", charset="utf-8", status=status)


def _on_page(message: Shown) -> dict[str, Any]:
    return {"html": message.html, "lang": message.lang, "dir": message.dir, "mine": False, "text": message.text}


async def first_page(request: web.Request) -> web.Response:
    """GET /: the first contact, without any conversation yet."""
    catalog = request.app[ROAD].catalog
    conversation = Conversation(_browser_language(request))
    replies = [Reply("first_contact"), Reply("fuzzy_notice")]
    conversation.choices = catalog.choice_ids("first_contact")
    return page(
        request,
        conversation.answer_language,
        [_on_page(message) for message in shown.messages(catalog, conversation, replies)],
        shown.choices(catalog, conversation),
    )


async def form(request: web.Request) -> web.Response:
    """POST /: the same conversation for a browser without JavaScript; the answer is a whole page."""
    try:
        fields = await request.post()
    except (UnicodeDecodeError, ValueError, LookupError):
        raise BadInput("not_a_form") from None
    catalog = request.app[ROAD].catalog
    opened = await _open_web(request, fields.get("conversation"))
    conversation = opened.conversation
    language, text = fields.get("language"), fields.get("text")
    choice = f"language:{language}" if isinstance(language, str) and language else fields.get("choice")
    incoming = _incoming(text if isinstance(text, str) else "", choice)
    replies = await _turn(request, "web", opened.token, conversation, incoming)
    messages = [_on_page(message) for message in shown.messages(catalog, conversation, replies)]
    if incoming.text:
        mine = {"html": "", "lang": "", "dir": "auto", "mine": True, "text": incoming.text}
        messages.insert(0, mine)
    erased = any(reply.erase for reply in replies)
    return page(
        request,
        conversation.answer_language,
        messages[1:] if erased and incoming.text else messages,
        shown.choices(catalog, conversation),
        "" if erased else opened.token,
    )


async def static(request: web.Request) -> web.Response:
    """GET /static/<name> and /widget.js: one of the page's own files."""
    name = request.match_info.get("name", "widget.js")
    if name not in request.app[FILES]:
        raise web.HTTPNotFound
    content, kind = request.app[FILES][name]
    return web.Response(body=content, content_type=kind, charset="utf-8" if kind.startswith("text/") else None)


async def rest(request: web.Request) -> web.Response:
    """POST /webhooks/rest/webhook: {"sender", "message"} → [{"recipient_id", "text", "buttons"}], as Rasa's REST channel."""
    body = await _json_object(request)
    sender, message = body.get("sender"), body.get("message")
    if not isinstance(sender, str) or not 0 < len(sender) <= LONGEST_SENDER:
        raise BadInput("no_sender")  # without one, Rasa would give everybody the same conversation (security.md 0.6)
    if not isinstance(message, str):
        raise BadInput("no_message")
    catalog = request.app[ROAD].catalog
    conversation = await _open(request, "rest", sender, _browser_language(request))
    pressed = message.removeprefix(CHOICE_PAYLOAD) if message.startswith(CHOICE_PAYLOAD) else None
    incoming = Incoming(choice=pressed) if pressed in conversation.choices else Incoming(text=message)
    replies = await _turn(request, "rest", sender, conversation, incoming)
    answer: list[dict[str, Any]] = [
        {"recipient_id": sender, "text": one.text} for one in shown.messages(catalog, conversation, replies)
    ]
    answer[-1]["buttons"] = [
        {"title": one.label, "payload": f"{CHOICE_PAYLOAD}{one.id}"} for one in shown.choices(catalog, conversation)
    ]
    return web.json_response(answer)


def calm(request: web.Request, code: str, status: int) -> web.Response:
    """What a visitor gets when a request could not be served: why, and the numbers, in her language. Never an echo."""
    road = request.app[ROAD]
    conversation = Conversation(_browser_language(request))
    reply = {404: "not_found", 413: "long_message"}.get(status, "unreadable" if status < 500 else "emergency")
    if reply not in road.catalog:
        reply = "emergency"
    messages = shown.messages(road.catalog, conversation, [Reply(reply)])
    if request.path in ("/say", "/forget") or request.path.startswith("/webhooks/"):
        return web.json_response({"error": code, "messages": [_as_json(one) for one in messages]}, status=status)
    conversation.choices = road.catalog.choice_ids(reply)
    return page(
        request, conversation.answer_language, [_on_page(one) for one in messages],
        shown.choices(road.catalog, conversation), status=status,
    )  # fmt: skip


def bare(request: web.Request) -> web.Response:
    """The emergency text on a page without template, script or style: for when even the page cannot be made."""
    catalog = request.app[ROAD].catalog
    words = catalog.find("emergency", _browser_language(request))
    html = Markup(
        '<!doctype html><html lang="{}" dir="{}"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        "<title>{}</title>{}</html>"
    ).format(words.language.tag, words.language.direction, catalog.word("title", words.language.tag), words.html)
    return web.Response(text=html, content_type="text/html", charset="utf-8", status=500)


def origin_of(address: str) -> str:
    """Scheme and host of an address, as a Content-Security-Policy source."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"
