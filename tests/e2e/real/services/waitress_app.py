# SPDX-License-Identifier: GPL-2.0-or-later
"""The service of calls_app.py behind waitress: one thread reads the requests, a pool of others works on them.

usage: waitress_app.py PORT THREADS
"""

import sys

import waitress

import calls_app

waitress.serve(calls_app.app, host="127.0.0.1", port=int(sys.argv[1]), threads=int(sys.argv[2]), _quiet=True)
