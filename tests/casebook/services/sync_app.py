# SPDX-License-Identifier: GPL-2.0-or-later
"""The synchronous side: Flask, with requests or psycopg2. CLIENT chooses."""

import concurrent.futures
import os
import threading

import flask

import work

# On an event loop, CLIENT is what that one should have had.
CLIENT = os.environ.get("HIDDEN", os.environ.get("CLIENT", "none"))
app = flask.Flask(__name__)
threads = threading.local()

if CLIENT == "requests":
    import requests

    def call():
        if not hasattr(threads, "session"):
            threads.session = requests.Session()
        threads.session.get(work.URL).content

elif CLIENT == "psycopg2":
    import psycopg2

    def call():
        if not hasattr(threads, "connection"):
            threads.connection = psycopg2.connect(work.DATABASE)
            threads.connection.autocommit = True
        with threads.connection.cursor() as cursor:
            cursor.execute(work.QUERY)
            cursor.fetchall()

else:
    def call():
        pass


def turn():
    work.burn()
    call()


if work.FAN_OUT > 1:
    pool = concurrent.futures.ThreadPoolExecutor(work.FAN_OUT)

    def turns():
        for done in [pool.submit(turn) for _ in range(work.CALLS)]:
            done.result()

else:
    def turns():
        for _ in range(work.CALLS):
            turn()


@app.get("/")
def handle():
    turns()
    work.burn()
    return flask.jsonify(message="Hello, World!")
