"""Every URL of the public door, grouped by who may call it."""

from __future__ import annotations

from aiohttp import web

from bot.channels import web as web_channel

# Anybody, from the page or the widget on a partner's site.
VISITOR = [
    web.get("/", web_channel.first_page),
    web.post("/", web_channel.form),
    web.post("/say", web_channel.say),
    web.post("/forget", web_channel.forget),
    web.get("/leave", web_channel.leave),
    web.get("/static/{name}", web_channel.static),
    web.get("/widget.js", web_channel.static),
]

# Clients and test tools of Rasa's world.
REST = [web.post("/webhooks/rest/webhook", web_channel.rest)]

ROUTES = [*VISITOR, *REST]
