#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A service each of whose threads has one lock at which it waits for everything, as Java's threads have: for work, and now
and then within a request. Writes down when it began and ended each request; prints its address, and after a line on its
standard input what it has written down.

    parking_service.py THREADS CHILDREN     so many threads; so many processes that do nothing but belong to it
"""

import collections
import itertools
import json
import os
import signal
import socket
import sys
import threading
import time

RESPONSE = b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"

idle = collections.deque()
some_idle = threading.Semaphore(0)
numbers = itertools.count()
log = []


class Worker(threading.Thread):
    def __init__(self):
        super().__init__(daemon=True)
        self.park = threading.Lock()
        self.park.acquire()
        self.connection = None

    def run(self):
        while True:
            idle.append(self)
            some_idle.release()
            self.park.acquire()
            with self.connection as connection:
                began = time.time_ns()
                connection.recv(65536)
                self.work()
                connection.sendall(RESPONSE)
                log.append((began, time.time_ns()))

    def work(self):
        if next(numbers) % 4 == 0:
            threading.Timer(0.002, self.park.release).start()
            self.park.acquire()
        time.sleep(0.003)


def serve(listener):
    while True:
        connection, _ = listener.accept()
        some_idle.acquire()
        worker = idle.popleft()
        worker.connection = connection
        worker.park.release()


def main(threads, children):
    pids = []
    for _ in range(children):
        pids.append(os.fork())
        if not pids[-1]:
            signal.pause()
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    for _ in range(threads):
        Worker().start()
    threading.Thread(target=serve, args=[listener], daemon=True).start()
    print("127.0.0.1:%d" % listener.getsockname()[1], flush=True)
    sys.stdin.readline()
    print(json.dumps(log), flush=True)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


main(*map(int, sys.argv[1:]))
