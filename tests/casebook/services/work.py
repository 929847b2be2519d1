# SPDX-License-Identifier: GPL-2.0-or-later
"""What one request does, the same for every twin: so many turns with the downstream, and interpreter work around them.

Told by the environment: CALLS turns in sequence, ROUNDS of interpreter work spread before, between and after them,
URL or DATABASE and QUERY for whom they are with, FAN_OUT how many run at once.
"""

import os

CALLS = int(os.environ.get("CALLS", 0))
ROUNDS = int(os.environ.get("ROUNDS", 0))
FAN_OUT = int(os.environ.get("FAN_OUT", 1))
URL = os.environ.get("URL", "")
DATABASE = os.environ.get("DATABASE", "")
QUERY = os.environ.get("QUERY", "")
BURST = ROUNDS // (CALLS + 1)


def burn(rounds=BURST):
    """Interpreter work that holds the GIL and makes no system call; the same number of rounds costs every twin the same."""
    digest = 0
    for i in range(rounds):
        digest = (digest * 31 + i) & 0xFFFFFFFF
    return digest
