"""The public door when there is no engine: every request gets a calm answer with the numbers, and nothing is kept or told."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer

from bot import middlewares
from bot.app import create_app
from bot.channels import web as web_channel
from bot.engine.client import EngineClient
from bot.language.detection import Detector
from bot.routes import ROUTES
from bot.settings import EngineSettings, Settings, WebSettings

DATA = Path(__file__).parent.parent / "data"
Client = TestClient[Any, Any]


DETECTOR = Detector.from_data(DATA)


@pytest.fixture
async def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    # The same one for all tests: it takes a while.
    monkeypatch.setattr(Detector, "from_data", lambda data_dir: DETECTOR)
    monkeypatch.setattr(Detector, "load", lambda path: DETECTOR)
    settings = Settings(web=WebSettings("https://example.org/", ("https://partner.example",)), engine=EngineSettings(1.0))
    middlewares.say_nothing_of_malformed_requests()
    app = create_app(settings, DATA, EngineClient(tmp_path / "none", "secret"))
    async with TestClient(TestServer(app)) as one:
        for _ in range(1000):
            if app[web_channel.ROAD].detector is DETECTOR:
                break
            await asyncio.sleep(0.001)
        yield one


async def say(client: Client, text: str, **more: Any) -> dict[str, Any]:
    response = await client.post("/say", json={"text": text, **more})
    assert response.status == 200
    body: dict[str, Any] = await response.json()
    return body


FIRST = {
    "sv": "jag får ingen lön och chefen har mitt pass",
    "en": "he says I owe 8000 euro and takes all what I earn",
    "ro": "pot sta în Suedia dacă vorbesc cu poliția?",
    "ar": "ماذا يحدث بعد ثلاثين يوما؟",
}


@pytest.mark.parametrize("tag", FIRST)
async def test_without_an_engine_she_gets_the_numbers_in_her_language(client: Client, tag: str) -> None:
    body = await say(client, FIRST[tag])
    assert body["language"] == tag
    first = body["messages"][0]
    assert first["lang"] == tag
    assert 'href="tel:112"' in first["html"]
    assert 'href="tel:11414"' in first["html"]
    assert "talk_to_human" in [choice["id"] for choice in body["choices"]]


async def test_a_choice_is_answered_from_the_edge_s_own_memory(client: Client) -> None:
    body = await say(client, "hello can you help me")
    response = await client.post("/say", json={"conversation": body["conversation"], "choice": "ask_phone_numbers"})
    answer = await response.json()
    assert "112" in answer["messages"][0]["html"]
    assert "020-50 50 50" in answer["messages"][1]["html"]


async def test_112_alone_needs_nothing_else(client: Client) -> None:
    body = await say(client, "112")
    assert body["messages"][0]["html"].count("112") >= 2
    assert len([m for m in body["messages"] if "112" in m["html"]]) == 1


@pytest.mark.parametrize("text", ["", "   ", "😀", "?", "\u202e\u200b", "...!!!"])
async def test_nothing_to_read_gets_a_calm_answer(client: Client, text: str) -> None:
    body = await say(client, text)
    assert "112" in body["messages"][0]["html"]
    assert body["choices"]


async def test_language_is_chosen_and_held(client: Client) -> None:
    body = await say(client, "hello can you help me")
    response = await client.post("/say", json={"conversation": body["conversation"], "choice": "language:ar"})
    changed = await response.json()
    assert changed["direction"] == "rtl"
    assert changed["interface"]["send"] == client.app[web_channel.ROAD].catalog.word("send", "ar")
    again = await say(client, "what are my rights please", conversation=body["conversation"])
    assert again["language"] == "ar"


async def test_two_pages_never_share_a_conversation(client: Client) -> None:
    one, other = await say(client, "hello can you help me"), await say(client, "hello can you help me")
    assert one["conversation"] != other["conversation"]
    assert len(one["conversation"]) >= 32


async def test_forget_and_erase(client: Client) -> None:
    memory = client.app[web_channel.MEMORY]
    body = await say(client, "hello can you help me")
    assert len(memory) == 1
    response = await client.post("/forget", data=json.dumps({"conversation": body["conversation"]}))
    assert response.status == 204
    assert len(memory) == 0


async def test_forget_from_a_beacon_has_any_content_type(client: Client) -> None:
    response = await client.post("/forget", data=b'{"conversation": "x"}', headers={"Content-Type": "text/plain"})
    assert response.status == 204


async def test_rest_answers_as_rasa_does(client: Client) -> None:
    response = await client.post("/webhooks/rest/webhook", json={"sender": "tester", "message": FIRST["ro"]})
    body = await response.json()
    assert response.status == 200
    assert all(set(message) <= {"recipient_id", "text", "buttons"} for message in body)
    assert all(message["recipient_id"] == "tester" for message in body)
    assert "112" in body[0]["text"]
    button = body[-1]["buttons"][0]
    assert set(button) == {"title", "payload"}
    pressed = await client.post("/webhooks/rest/webhook", json={"sender": "tester", "message": button["payload"]})
    assert pressed.status == 200


@pytest.mark.parametrize(
    "body",
    [{}, {"sender": "", "message": "x"}, {"sender": None, "message": "x"}, {"sender": 5, "message": "x"}, {"sender": "a"}]
    + [{"sender": "a" * 300, "message": "x"}, {"sender": "a", "message": ["x"]}, []],
)
async def test_rest_without_a_sender_or_a_message_is_refused(client: Client, body: Any) -> None:
    response = await client.post("/webhooks/rest/webhook", json=body)
    assert response.status == 400
    assert "112" in (await response.json())["messages"][0]["html"]
    assert len(client.app[web_channel.MEMORY]) == 0


BAD_BODIES = [
    (b"", 400),
    (b"\xff\xfe", 400),
    (b'{"text": "\xff"}', 400),
    (b"[]", 400),
    (b"null", 400),
    (b"NaN", 400),
    (b'{"text": 5}', 400),
    (b'{"text": {"a": 1}}', 400),
    (b"[" * 60_000, 400),
    (b'{"text": "' + b"a" * 70_000 + b'"}', 413),
    (b'{"text": "\\ud800 help"}', 200),
    (b'{"text": "help", "conversation": ["x"]}', 200),
    (b'{"choice": "../../etc/passwd"}', 200),
    (b'{"choice": "language:xx"}', 200),
]


@pytest.mark.parametrize(("body", "status"), BAD_BODIES, ids=[f"{body[:20]!r}" for body, _ in BAD_BODIES])
async def test_bad_bodies_get_a_calm_answer(client: Client, body: bytes, status: int) -> None:
    response = await client.post("/say", data=body)
    assert response.status == status
    answer = await response.json()
    assert answer["messages"][0]["html"]
    assert any("112" in message["html"] for message in answer["messages"]) or status == 200


async def test_a_form_without_javascript(client: Client) -> None:
    response = await client.post("/", data={"text": FIRST["ar"], "conversation": ""})
    html = await response.text()
    assert response.status == 200
    assert '<html lang="ar" dir="rtl"' in html
    assert FIRST["ar"] in html
    assert 'href="tel:112"' in html


async def test_what_she_wrote_is_shown_as_text_only(client: Client) -> None:
    html = await (await client.post("/", data={"text": "<script>alert(1)</script> help me please"})).text()
    assert "<script>alert" not in html
    assert "&lt;script&gt;" in html


BAD_FORMS = [b"text=%ff%fe", b"text=" + b"a" * 70_000, b"\xff\x00", b"language=xx", b"choice=nothing", b"a=b"]


@pytest.mark.parametrize("data", BAD_FORMS, ids=[f"{data[:20]!r}" for data in BAD_FORMS])
async def test_bad_forms_get_a_page(client: Client, data: bytes) -> None:
    response = await client.post("/", data=data, headers={"Content-Type": "application/x-www-form-urlencoded"})
    html = await response.text()
    assert response.status in (200, 400, 413)
    assert 'href="tel:112"' in html


HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def check_headers(response: ClientResponse) -> None:
    for name, value in HEADERS.items():
        assert response.headers[name] == value, name
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors https://partner.example" in policy
    assert "geolocation=()" in response.headers["Permissions-Policy"]
    assert "Server" not in response.headers
    assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 200), ("GET", "/static/page.css", 200), ("GET", "/leave", 303), ("GET", "/nothing", 404), ("PUT", "/", 405)]
    + [("POST", "/say", 400), ("POST", "/forget", 400), ("GET", "/static/../andrum.toml", 404), ("GET", "/conversations", 404)],
)
async def test_headers_on_every_response_p39(client: Client, method: str, path: str, status: int) -> None:
    response = await client.request(method, path, allow_redirects=False)
    assert response.status == status
    check_headers(response)
    if status >= 400:
        assert "112" in await response.text()


async def test_the_widget_s_script_may_be_loaded_by_partners(client: Client) -> None:
    response = await client.get("/widget.js")
    assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert response.content_type == "text/javascript"


async def test_leaving_goes_to_the_everyday_page(client: Client) -> None:
    response = await client.get("/leave", allow_redirects=False)
    assert response.headers["Location"] == "https://example.org/"


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /sms?from=%2B46701740605&text=help-canary HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nBad Header\x01canary: 1\r\n\r\n",
        b"\x16\x03\x01canary\r\n\r\n",
        b"GET /" + b"canary" * 3000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
    ids=["version", "header", "tls", "long"],
)
async def test_malformed_requests_are_not_echoed_and_not_logged_p39(
    client: Client, raw: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(raw)
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    assert re.match(rb"HTTP/1.[01] 400 ", answer)
    assert b"canary" not in answer
    assert b"Server:" not in answer
    assert "canary" not in "".join(capfd.readouterr())


async def test_a_page_that_cannot_be_made_still_gives_the_numbers(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any) -> Any:
        raise RuntimeError("anything")

    monkeypatch.setattr(web_channel, "visitor_turn", broken)
    monkeypatch.setattr(web_channel, "templates", broken)
    client.app[web_channel.TEMPLATES].loader = None
    response = await client.get("/", headers={"Accept-Language": "ro"})
    html = await response.text()
    assert response.status == 500
    assert 'lang="ro"' in html
    assert 'href="tel:112"' in html


@pytest.mark.parametrize(
    ("header", "tag"),
    [("ar-SY,ar;q=0.9,en;q=0.8", "ar"), ("ro", "ro"), ("sv-SE", "sv"), ("th,vi;q=0.8", "en"), (None, "en"), ("", "en")]
    + [("en;q=0.1,ar;q=0.9", "ar"), ("*", "en"), (";;;,q=,x-y-z;q=abc", "en"), ("ü" * 600, "en")],
)
def test_the_page_s_first_language(header: str | None, tag: str) -> None:
    from bot.catalog import Catalog

    assert web_channel.page_language(Catalog.load(DATA), header) == tag


async def test_two_hundred_messages_in_a_row(client: Client) -> None:
    token = None
    for number in range(200):
        body = await say(client, f"help me please number {number}", conversation=token)
        token = token or body["conversation"]
        assert body["conversation"] == token
        assert body["messages"]
    assert len(client.app[web_channel.MEMORY]) == 1


async def test_two_hundred_messages_at_once(client: Client) -> None:
    began = time.monotonic()
    bodies = await asyncio.gather(*(say(client, f"help me please number {number}") for number in range(200)))
    assert all(body["messages"] for body in bodies)
    assert time.monotonic() - began < 60


def test_every_url_is_on_one_screen() -> None:
    assert len(ROUTES) <= 20
    assert {route.path for route in ROUTES} == {
        "/", "/say", "/forget", "/leave", "/static/{name}", "/widget.js", "/webhooks/rest/webhook",
    }  # fmt: skip


def test_the_edge_imports_nothing_of_rasa() -> None:
    import subprocess
    import sys

    code = "import sys, bot.app; print([m for m in sys.modules if m.split('.')[0] in ('rasa', 'rasa_sdk', 'numpy', 'sklearn')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=DATA.parent)
    assert done.stdout.strip() == "[]"
