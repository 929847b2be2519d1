# SPDX-License-Identifier: GPL-2.0-or-later
"""The downstream of the services that call HTTP: answers every request after 5 ms, on keep-alive connections.

usage: delay.py PORT
"""

import asyncio
import sys

DELAY_S = 0.005
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\ndone\n"


class Delay(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.received = b""

    def data_received(self, data):
        self.received += data
        while b"\r\n\r\n" in self.received:
            _, self.received = self.received.split(b"\r\n\r\n", 1)
            asyncio.get_running_loop().call_later(DELAY_S, self.transport.write, RESPONSE)


async def main(port):
    server = await asyncio.get_running_loop().create_server(Delay, "127.0.0.1", port, backlog=512)
    await server.serve_forever()


asyncio.run(main(int(sys.argv[1])))
