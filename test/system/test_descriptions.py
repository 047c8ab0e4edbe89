#!/usr/bin/python3
"""Descriptions of many new packages are fetched over a few kept connections: counted between the master and the index.

TEST-TIMEOUT: 120
"""

import asyncio
import subprocess
import sys
import threading

import farm as farms
import score
from score import check

PACKAGES = 200
# cloud_gazer's: 8 descriptions at the same time and one reading. A connection may end while a request is under way to it.
CONNECTIONS_MAX = 9 + 3


class Counter:
    """Passes bytes between its port and another, and counts the connections; in a thread of its own."""

    def __init__(self, port):
        self.target = port
        self.connections = 0
        self.port = None
        self.loop = asyncio.new_event_loop()
        self.listening = threading.Event()
        threading.Thread(target=self.run, daemon=True).start()
        self.listening.wait(10)

    def run(self):
        asyncio.set_event_loop(self.loop)
        server = self.loop.run_until_complete(asyncio.start_server(self.take, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self.listening.set()
        self.loop.run_forever()

    async def take(self, reader, writer):
        self.connections += 1
        other_reader, other_writer = await asyncio.open_connection("127.0.0.1", self.target)
        await asyncio.gather(self.carry(reader, other_writer), self.carry(other_reader, writer))

    @staticmethod
    async def carry(reader, writer):
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        writer.close()


def fetch(farm):
    for number in range(PACKAGES):
        name = f"described-{number}"
        farms.make_sdist(farm.folder("pypi"), name, "1.0", {
            "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nSummary: Words about {number}\n"})
    farm.start_pypi()
    counter = Counter(int(farm.pypi_url.rsplit(":", 1)[1]))
    farm.master_options = ["--dev-mode", "--pypi-json", f"http://127.0.0.1:{counter.port}/pypi"]
    farm.start_master()
    farm.wait("every description", lambda: int(farm.value(
        "SELECT count(*) FROM packages WHERE description = 'Words about ' || substr(package, 11)")) == PACKAGES, 60)
    check("every package has its description", True)
    check("connections.few", 1 <= counter.connections <= CONNECTIONS_MAX,
          f"{counter.connections} connections for {PACKAGES} descriptions")


def main():
    with farms.Farm() as farm:
        try:
            farm.prepare()
            farm.start_postgres()
            farm.create_database(abis=["cp311"])
            fetch(farm)
        except (farms.Failure, subprocess.SubprocessError) as error:
            check("the farm", False, error)
        if score.failures:
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
