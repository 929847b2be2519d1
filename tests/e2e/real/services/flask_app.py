# SPDX-License-Identifier: GPL-2.0-or-later
"""The Flask application behind gunicorn, for its sync and its gthread workers."""

import flask

import queries

app = flask.Flask(__name__)


@app.get("/queries")
def three_queries():
    queries.run()
    return "done\n"


@app.get("/cpu")
def cpu():
    """About 10 ms of interpreter work that holds the GIL: no system call, no C code that would release it."""
    digest = 0
    for i in range(150_000):
        digest = (digest * 31 + i) & 0xFFFFFFFF
    return f"{digest}\n"
