# SPDX-License-Identifier: GPL-2.0-or-later
"""Queries of 5 ms each on PostgreSQL, as the synchronous Python services make them.

One connection per thread, opened by its first request; autocommit, so that a query is one turn and no BEGIN
or COMMIT goes with it.
"""

import os
import threading

import psycopg2

threads = threading.local()


def connection():
    if not hasattr(threads, "connection"):
        threads.connection = psycopg2.connect(os.environ["DATABASE"])
        threads.connection.autocommit = True
    return threads.connection


def run(count=3):
    with connection().cursor() as cursor:
        for _ in range(count):
            cursor.execute("select pg_sleep(0.005)")
            cursor.fetchall()
