# SPDX-License-Identifier: GPL-2.0-or-later
"""The 10,000-URL client: fetches URL COUNT times, by threads with requests or by asyncio with aiohttp; no server.

usage: urls.py threads|asyncio COUNT CONCURRENCY
"""

import asyncio
import concurrent.futures
import sys
import threading

import work


def by_threads(count, concurrency):
    import requests
    local = threading.local()

    def fetch(_):
        if not hasattr(local, "session"):
            local.session = requests.Session()
        return len(local.session.get(work.URL).content)

    with concurrent.futures.ThreadPoolExecutor(concurrency) as pool:
        return sum(pool.map(fetch, range(count)))


async def by_asyncio(count, concurrency):
    import aiohttp

    async def fetch_some(session, n):
        total = 0
        for _ in range(n):
            async with session.get(work.URL) as response:
                total += len(await response.read())
        return total

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        return sum(await asyncio.gather(*[fetch_some(session, count // concurrency) for _ in range(concurrency)]))


how, count, concurrency = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
print(by_threads(count, concurrency) if how == "threads" else asyncio.run(by_asyncio(count, concurrency)))
