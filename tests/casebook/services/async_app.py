# SPDX-License-Identifier: GPL-2.0-or-later
"""The asynchronous twin: Starlette on uvicorn, with aiohttp or asyncpg. CLIENT chooses.

CLIENT=hidden is the loop that only looks asynchronous: its calls block, by HIDDEN, requests or psycopg2.
"""

import asyncio
import os

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

import work

CLIENT = os.environ.get("CLIENT", "none")
POOL = int(os.environ.get("POOL", 16))
clients = {}

if CLIENT == "aiohttp":
    import aiohttp

    async def open_client():
        clients["session"] = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))

    async def call():
        async with clients["session"].get(work.URL) as response:
            await response.read()

elif CLIENT == "asyncpg":
    import asyncpg

    async def open_client():
        host, port, user, database = (os.environ[name] for name in ("PGHOST", "PGPORT", "PGUSER", "PGDATABASE"))
        clients["pool"] = await asyncpg.create_pool(host=host, port=int(port), user=user, database=database, ssl=False,
                                                    min_size=POOL, max_size=POOL)

    async def call():
        async with clients["pool"].acquire() as connection:
            await connection.fetch(work.QUERY)

elif CLIENT == "hidden":
    import sync_app

    async def open_client():
        pass

    async def call():
        sync_app.call()

else:
    async def open_client():
        pass

    async def call():
        pass


async def turn():
    work.burn()
    await call()


async def handle(request):
    if work.FAN_OUT > 1:
        await asyncio.gather(*[turn() for _ in range(work.CALLS)])
    else:
        for _ in range(work.CALLS):
            await turn()
    work.burn()
    return JSONResponse({"message": "Hello, World!"})


app = Starlette(routes=[Route("/", handle)], on_startup=[open_client])
