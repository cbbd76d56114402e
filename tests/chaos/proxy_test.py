#!/usr/bin/env python3
"""Each mode of the fault proxy does what it says, to old connections and to new ones."""
import asyncio
import contextlib
import json
import pathlib
import socket
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import proxy  # noqa: E402

SOON_S, LONG_S = 5.0, 0.2


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class ProxyTest(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        """A server that notes every line, and answers it; in front of it the proxy."""
        self.received = asyncio.Queue()
        self.server = await asyncio.start_server(self.answer, "127.0.0.1", 0)
        target = self.server.sockets[0].getsockname()[1]
        self.port, control = free_port(), free_port()
        self.proxy = asyncio.create_task(proxy.main(control, [f"link={self.port}:{target}"]))
        self.control = await self.connect(control)

    async def asyncTearDown(self):
        self.proxy.cancel()
        self.server.close()

    async def answer(self, reader, writer):
        with contextlib.suppress(asyncio.CancelledError):
            while line := await reader.readline():
                self.received.put_nowait(line)
                writer.write(b"answer to " + line)

    async def connect(self, port):
        for _ in range(100):
            try:
                return await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.02)
        raise TimeoutError(f"nobody listens on port {port}")

    async def set(self, mode, ms=0):
        reader, writer = self.control
        writer.write(json.dumps({"link": "link", "mode": mode, "ms": ms}).encode() + b"\n")
        self.assertEqual(await asyncio.wait_for(reader.readline(), SOON_S), b"ok\n")

    async def said(self, reader):
        return await asyncio.wait_for(reader.readline(), SOON_S)

    async def silent(self, waiting):
        with self.assertRaises(asyncio.TimeoutError):
            await asyncio.wait_for(waiting, LONG_S)

    async def test_passes(self):
        reader, writer = await self.connect(self.port)
        writer.write(b"a\n")
        self.assertEqual(await self.said(reader), b"answer to a\n")

    async def test_latency_delays_each_way(self):
        reader, writer = await self.connect(self.port)
        await self.set("latency", 100)
        began = asyncio.get_running_loop().time()
        writer.write(b"a\n")
        self.assertEqual(await self.said(reader), b"answer to a\n")
        self.assertGreaterEqual(asyncio.get_running_loop().time() - began, 0.2)

    async def test_held_requests_arrive_once_it_passes_again(self):
        reader, writer = await self.connect(self.port)
        await self.set("hold_up")
        writer.write(b"a\n")
        await self.silent(self.received.get())
        await self.set("pass")
        self.assertEqual(await self.said(reader), b"answer to a\n")

    async def test_with_answers_held_the_request_is_done_all_the_same(self):
        await self.set("hold_down")
        reader, writer = await self.connect(self.port)
        writer.write(b"a\n")
        self.assertEqual(await asyncio.wait_for(self.received.get(), SOON_S), b"a\n")
        await self.silent(reader.readline())
        await self.set("pass")

    async def test_what_was_held_for_a_client_that_is_gone_never_arrives(self):
        await self.set("hold_up")
        _, writer = await self.connect(self.port)
        writer.write(b"a\n")
        await writer.drain()
        await asyncio.sleep(LONG_S)
        writer.close()
        await asyncio.sleep(LONG_S)
        await self.set("pass")
        await self.silent(self.received.get())

    async def test_cut_resets_old_connections_and_new_ones(self):
        old, _ = await self.connect(self.port)
        await self.set("cut")
        for reader in (old, (await self.connect(self.port))[0]):
            try:
                self.assertEqual(await asyncio.wait_for(reader.read(1), SOON_S), b"")
            except ConnectionResetError:
                pass
        await self.set("pass")
        reader, writer = await self.connect(self.port)
        writer.write(b"a\n")
        self.assertEqual(await self.said(reader), b"answer to a\n")


if __name__ == "__main__":
    unittest.main()
