"""What holds for every request and response at the public door.

Road: between aiohttp and the routes. Promise (P39, P52): every response, errors included, carries the headers below and no
`Server`; an error of any kind becomes a calm answer with the numbers, in her language, and one log line with a code.
Never: an address, a path or a header's value in a log; an echo of what came in.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web, web_protocol

from bot.channels import web as web_channel
from bot.privacy import logs

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
PERMISSIONS = ", ".join(
    f"{feature}=()"
    for feature in ("accelerometer", "camera", "clipboard-read", "display-capture", "geolocation", "gyroscope",
                    "magnetometer", "microphone", "midi", "payment", "screen-wake-lock", "usb", "xr-spatial-tracking")
)  # fmt: skip
HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": PERMISSIONS,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}


def policy(frame_origins: tuple[str, ...]) -> str:
    """The Content-Security-Policy: our own files only, and frames only on the partners' pages of andrum.toml."""
    ancestors = " ".join(map(web_channel.origin_of, frame_origins)) or "'none'"
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        f"form-action 'self'; base-uri 'none'; frame-ancestors {ancestors}"
    )


async def headers(request: web.Request, response: web.StreamResponse) -> None:
    """Signal on_response_prepare: the headers of every response."""
    response.headers.update(HEADERS)
    response.headers["Content-Security-Policy"] = policy(request.app[web_channel.SETTINGS].web.frame_origins)
    if request.path == "/widget.js":  # the one file that a partner's page loads
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.headers.pop("Server", None)


@web.middleware
async def calm_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever goes wrong into an answer a frightened person can use."""
    try:
        return await _calm_or_answer(request, handler)
    except web.HTTPException:
        raise  # a redirect
    except Exception as error:
        logs.event("page_failed", error=type(error))
        return web_channel.bare(request)


async def _calm_or_answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web_channel.BadInput as error:
        return web_channel.calm(request, error.code, error.status)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return web_channel.calm(request, {404: "not_found", 413: "too_large"}.get(error.status, "refused"), error.status)
    except Exception as error:
        logs.event("request_failed", error=type(error))
        return web_channel.calm(request, "failed", 500)


class _Nameless(web.Response):
    """A response for requests that never became one: without the name of the server, which aiohttp would add."""

    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        self.headers.pop("Server", None)


def say_nothing_of_malformed_requests() -> None:
    """aiohttp answers a request it cannot parse with that request's own bytes, and logs them (security.md 0.13)."""

    def handle_error(
        self: Any, request: Any, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.Response:
        logs.event("malformed_request", status=status)
        response = _Nameless(status=status, headers={**HEADERS, "Content-Security-Policy": policy(())})
        response.force_close()
        return response

    web_protocol.RequestHandler.handle_error = handle_error  # type: ignore[method-assign]
