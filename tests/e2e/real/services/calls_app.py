# SPDX-License-Identifier: GPL-2.0-or-later
"""A Flask service behind gunicorn: three HTTP calls downstream, one after the other, on a kept connection per thread;
with ANEW, each on one of its own."""

import http.client
import os
import threading
import urllib.parse

import flask

app = flask.Flask(__name__)
threads = threading.local()


def call():
    if "ANEW" in os.environ or not hasattr(threads, "connection"):
        threads.connection = http.client.HTTPConnection(urllib.parse.urlsplit(os.environ["DOWNSTREAM"]).netloc)
    threads.connection.request("GET", "/")
    threads.connection.getresponse().read()
    if "ANEW" in os.environ:
        threads.connection.close()


@app.get("/")
def three_calls():
    for _ in range(3):
        call()
    return "done\n"
