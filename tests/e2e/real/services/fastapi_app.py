# SPDX-License-Identifier: GPL-2.0-or-later
"""The FastAPI application behind uvicorn: an `async def` endpoint on the loop, a `def` one on the thread pool, and one
that hands parts to the loop's executor."""

import asyncio
import os

import aiohttp
import fastapi
from fastapi.responses import PlainTextResponse

import queries

app = fastapi.FastAPI()


@app.on_event("startup")
async def open_client():
    app.state.client = aiohttp.ClientSession()


@app.on_event("shutdown")
async def close_client():
    await app.state.client.close()


@app.get("/async", response_class=PlainTextResponse)
async def three_calls():
    for _ in range(3):
        async with app.state.client.get(os.environ["DOWNSTREAM"]) as response:
            await response.read()
    return "done\n"


@app.get("/parts", response_class=PlainTextResponse)
async def eight_parts():
    loop = asyncio.get_running_loop()
    await asyncio.gather(*[loop.run_in_executor(None, queries.run, 1) for _ in range(8)])
    return "done\n"


@app.get("/def", response_class=PlainTextResponse)
def three_queries():
    queries.run()
    return "done\n"
