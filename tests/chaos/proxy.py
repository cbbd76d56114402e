#!/usr/bin/env python3
"""A TCP proxy that can be slow, cut connections, or let bytes through in one direction only.

Usage: proxy.py CONTROL_PORT NAME=PORT:TARGET_PORT ...     several entries may have one name; they are one link
A control connection takes JSON lines {"link", "mode", "ms"} and answers each with "ok":
    pass        everything goes through; what was held is delivered
    latency     every read is delivered `ms` later, in both directions
    hold_up     nothing goes from client to server, new connections included, the way back is open
    hold_down   nothing goes from server to client: requests arrive, answers do not
    cut         every connection is reset, now and until the mode changes
What was held for a connection that either side has ended meanwhile never arrives.
"""
import asyncio
import contextlib
import json
import sys

READ_BYTES = 1 << 16
LOOK_S = 0.02  # how often a held direction looks whether it is open again, or its connection gone


class Link:
    def __init__(self):
        self.mode, self.delay_s = "pass", 0.0
        self.writers = set()

    def set(self, mode, delay_s):
        self.mode, self.delay_s = mode, delay_s
        if mode == "cut":
            self.reset()

    def reset(self):
        for writer in self.writers:
            writer.transport.abort()

    async def serve(self, client_reader, client_writer, target_port):
        self.writers.add(client_writer)
        server_writer = None
        try:
            if self.mode == "cut":
                return
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", target_port)
            self.writers.add(server_writer)
            ways = [asyncio.create_task(self.pump(client_reader, server_writer, "hold_up")),
                    asyncio.create_task(self.pump(server_reader, client_writer, "hold_down"))]
            # Half a connection is of no use to any protocol here: the end of one way is the end of both.
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        except OSError:
            pass  # the target is down: the client's connection is reset
        finally:
            for writer in (client_writer, server_writer):
                if writer is not None:
                    self.writers.discard(writer)
                    self.end(writer)

    def end(self, writer):
        """The other side's last bytes still arrive, unless the link is not passing any."""
        if self.mode == "pass":
            writer.close()
        else:
            writer.transport.abort()

    async def pump(self, reader, writer, held_by):
        while data := await reader.read(READ_BYTES):
            if self.mode == "latency":
                await asyncio.sleep(self.delay_s)
            while self.mode == held_by:
                if reader.at_eof():
                    return
                await asyncio.sleep(LOOK_S)
            writer.write(data)
            await writer.drain()


async def control(links, reader, writer):
    with contextlib.suppress(OSError):
        while line := await reader.readline():
            order = json.loads(line)
            links[order["link"]].set(order["mode"], order.get("ms", 0) / 1000)
            writer.write(b"ok\n")
            await writer.drain()
    writer.close()


async def main(control_port, entries):
    links, servers = {}, []
    for entry in entries:
        name, _, ports = entry.partition("=")
        port, target_port = (int(number) for number in ports.split(":"))
        link = links.setdefault(name, Link())

        def accept(reader, writer, link=link, target_port=target_port):
            return link.serve(reader, writer, target_port)

        servers.append(await asyncio.start_server(accept, "127.0.0.1", port))
    servers.append(await asyncio.start_server(lambda reader, writer: control(links, reader, writer), "127.0.0.1", control_port))
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2:]))
