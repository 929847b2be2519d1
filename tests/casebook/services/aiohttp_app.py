# SPDX-License-Identifier: GPL-2.0-or-later
"""The twin as an aiohttp server with aiohttp's client: usage: aiohttp_app.py PORT [uvloop]"""

import sys

import aiohttp
from aiohttp import web

import work

if sys.argv[2:] == ["uvloop"]:
    import uvloop
    uvloop.install()


async def client(app):
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        app["session"] = session
        yield


async def handle(request):
    for _ in range(work.CALLS):
        work.burn()
        async with request.app["session"].get(work.URL) as response:
            await response.read()
    work.burn()
    return web.json_response({"message": "Hello, World!"})


app = web.Application()
app.cleanup_ctx.append(client)
app.router.add_get("/", handle)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
