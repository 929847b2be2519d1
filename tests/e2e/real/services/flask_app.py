# SPDX-License-Identifier: GPL-2.0-or-later
"""The Flask application behind gunicorn, for its sync and its gthread workers."""

import concurrent.futures
import os
import threading

import flask

import queries

app = flask.Flask(__name__)
pool = concurrent.futures.ThreadPoolExecutor(8)


@app.get("/queries")
def three_queries():
    queries.run()
    return "done\n"


@app.get("/parts")
def eight_parts():
    """By a pool that all requests share."""
    for part in [pool.submit(part_of_it) for _ in range(8)]:
        part.result()
    return "done\n"


def part_of_it():
    burn(10_000)
    queries.run(1)


@app.get("/cpu")
def cpu():
    """About 10 ms of interpreter work that holds the GIL: no system call, no C code that would release it."""
    return f"{burn(150_000)}\n"


def queries_aside():
    """For nobody's request."""
    while True:
        queries.run(1)
        burn(5_000)


def computing_aside():
    while True:
        burn(20_000)


def burn(rounds):
    digest = 0
    for i in range(rounds):
        digest = (digest * 31 + i) & 0xFFFFFFFF
    return digest


if "ASIDE" in os.environ:
    threading.Thread(target={"queries": queries_aside, "computing": computing_aside}[os.environ["ASIDE"]], daemon=True).start()
