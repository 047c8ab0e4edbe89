#!/usr/bin/python3
"""The master's side of the recorded slave conversations, played to piw-slave: what it says must be what the stock slave said.

The packages are small ones of the same names and versions, made here. What differs, and why:

  HELLO     what the slave's machine is: compared by type
  STATS     figures and times of the machine: compared by type
  BYE       a slave that is told to stop may say IDLE or BUSY once more before
  BUSY      how often it is said while a build runs is the slave's own affair
  BUILT     how long it took, and the log's words: by type; sizes and hashes are of the wheels made here, and verified
  ACK       names the package index that is at hand
  apt       piw-slave finds the packages of libraries on systems with merged /usr; stock puts their paths under the empty key

TEST-TIMEOUT: 400
"""

import hashlib
import select
import sys

import clerk
import farm as farms
import recording
import score
import wire
check, equal = score.check, score.equal

PIECE = 65536  # of a file, as the recorded master asked
SETUP = "from setuptools import Extension, setup\nsetup(name={name!r}, version={version!r}, {rest})\n"
PYPROJECT = '[build-system]\nrequires = ["setuptools", "wheel"]\nbuild-backend = "setuptools.build_meta"\n'
C_SOURCE = """#include <Python.h>
#include <stdio.h>
int {name}_said(void) {{ return puts("needs the C library"); }}
static struct PyModuleDef module = {{PyModuleDef_HEAD_INIT, "{name}", NULL, -1, NULL, NULL, NULL, NULL, NULL}};
PyMODINIT_FUNC PyInit_{name}(void) {{ return PyModule_Create(&module); }}
"""
NOISE = "".join(hashlib.sha256(str(n).encode()).hexdigest() for n in range(20000))  # does not shrink to one piece


def packages(folder):
    """Source archives of all that the recorded BUILDs name."""
    def pure(name, version, rest="py_modules=['{m}']"):
        module = name.lower().replace(".", "_")
        farms.make_sdist(folder, name, version, {
            "pyproject.toml": PYPROJECT, f"{module}.py": "",
            "setup.py": SETUP.format(name=name, version=version, rest=rest.format(m=module))})

    def extension(name, version, rest="", source=""):
        module = name.lower()
        farms.make_sdist(folder, name, version, {
            "pyproject.toml": PYPROJECT, f"{module}.c": C_SOURCE.format(name=module) + source,
            "setup.py": SETUP.format(name=name, version=version,
                                     rest=f"ext_modules=[Extension({module!r}, [{module + '.c'!r}])]{rest}")})

    for version in ("1.0", "1.1rc1", "1.2"):
        pure("Gold.Pure", version, "py_modules=['{m}'], python_requires='>=3.6', install_requires=['MarkupSafe', 'tomli; "
                                   "python_version<\"3.11\"']")
    for version in ("0.1", "0.2", "0.3", "0.4"):
        pure("goldquick", version)
    extension("MarkupSafe", "2.1.2", ", python_requires='>=3.7'")
    extension("goldcext", "0.3", source=f'const char goldcext_noise[] = "{NOISE}";\n')
    farms.make_sdist(folder, "goldbroken", "0.1", {"setup.py": "raise RuntimeError('goldbroken cannot be built')\n"})
    for version in ("0.1", "0.2", "0.3", "0.5"):
        farms.make_sdist(folder, "goldslow", version, {"setup.py": "import time\ntime.sleep(600)\n"})


class Play:
    """One recording and the slaves that are run for it."""

    def __init__(self, farm, name, listeners):
        self.farm, self.name = farm, name
        self.queue, self.files = listeners
        self.messages = [m for m in recording.load(name) if m.queue in ("slave", "file")]
        self.slaves, self.processes = {}, {}
        self.held = {}     # peer: a word of its slave that has come and not been looked at
        self.wheels = {}   # file name: what the slave said of it

    def fail(self, message, got, wanted):
        raise farms.Failure(f"{self.name}: {message}: got {got!r}, wanted {wanted!r}")

    def slave(self, message):
        """The slave of a peer; a new peer is a new process, or one that has made a new connection."""
        if message.peer not in self.slaves:
            if self.name != "slave-master-killed-and-restarted" or message.peer == 1:
                name = f"{self.name}-{message.peer}"
                self.processes[message.peer] = self.farm.start_slave(name, "--codec", "cbor", "-L", message.data[5],
                                                                     timeout="3h")
            self.slaves[message.peer] = wire.Slave(self.queue.accept())
        return self.slaves[message.peer]

    def hear(self, message):
        """The slave's next word; BUSY more often or less than recorded is its affair."""
        slave = self.slave(message)
        if message.peer in self.held:
            word, data = self.held.pop(message.peer)
        else:
            word, data = slave.receive(120)
        while word == "BUSY" and message.word != "BUSY":
            word, data = slave.ask("CONT", timeout=120)
        while word == "IDLE" and message.word == "BYE":  # asked again before it was told to stop
            word, data = slave.ask("SLEEP", False, timeout=120)
        if message.word == "BUSY" and word == "BUILT":
            self.held[message.peer] = word, data
            return False
        if word != message.word:
            self.fail(message, word, message.word)
        self.compare(message, data)
        return True

    def compare(self, message, data):
        recorded = message.data
        if message.word == "HELLO":
            same = [*data[:2], data[5]] == [*recorded[:2], recorded[5]]  # time limits and label, as the slave was started
            if len(data) != 10 or not same or wire.shape(data) != wire.shape(recorded):
                self.fail(message, data, recorded)
        elif message.word in ("IDLE", "BUSY"):
            if wire.shape(data) != wire.shape(recorded):
                self.fail(message, data, recorded)
        elif message.word == "BUILT":
            self.compare_built(message, data, recorded)
        elif data != recorded:
            self.fail(message, data, recorded)

    def compare_built(self, message, data, recorded):
        if data[0] != recorded[0] or wire.shape(data[:3]) != wire.shape(recorded[:3]) or len(data[3]) != len(recorded[3]):
            self.fail(message, [data[0], data[2][-300:], data[3]], [recorded[0], recorded[3]])
        for ours, theirs in zip(data[3], recorded[3]):
            if not same_file(ours, theirs):
                self.fail(message, ours, theirs)
            self.wheels[ours[0]] = ours

    def tell(self, message):
        """The recorded answer; the index is the one at hand."""
        data = message.data
        if message.word == "ACK":
            data = [data[0], f"{self.farm.pypi_url}/simple"]
        self.slaves[message.peer].raw(wire.cbor_encode(message.word if data is None else [message.word, data]))

    def transfer(self, message):
        """The file that the slave was told to SEND, asked for as the recorded master did: in pieces, some twice."""
        peer = self.files.accept()
        if (hello := peer.receive()) != message.frames:
            self.fail(message, hello, message.frames)
        sends = [m for m in self.messages[:self.messages.index(message)] if m.word == "SEND"]
        name, size, digest = self.wheels[sends[-1].data][:3]
        content, offsets = bytearray(size), list(range(0, size, PIECE))
        for offset in offsets + offsets[1:3]:
            length = min(PIECE, size - offset)
            peer.send(b"FETCH", str(offset).encode(), str(length).encode())
            word, at, data = peer.receive()
            if (word, int(at), len(data)) != (b"CHUNK", offset, length):
                self.fail(message, (word, at, len(data)), ("CHUNK", offset, length))
            content[offset:offset + length] = data
        peer.send(b"DONE")
        if hashlib.sha256(content).hexdigest() != digest:
            self.fail(message, f"other bytes than {digest}", name)

    def run(self):
        skipped = set()  # peers whose recorded BUSY was not said: its CONT isn't either
        transfers = set()
        for message in self.messages:
            if message.queue == "file":
                if message.to_master and message.peer not in transfers:
                    transfers.add(message.peer)
                    self.transfer(message)
            elif message.to_master:
                self.before(message)
                if not self.hear(message):
                    skipped.add(message.peer)
            elif message.peer in skipped:
                skipped.discard(message.peer)
            else:
                self.tell(message)

    def before(self, message):
        """What the recorded slave was told by other ways than words: it said BYE when it was stopped, and HELLO anew when its
        master had come back on the same address."""
        process = self.processes.get(message.peer) or self.processes.get(1)
        answers = [m for m in self.messages[:self.messages.index(message)] if m.peer == message.peer and not m.to_master]
        if message.word == "BYE" and answers[-1].word != "DIE":
            process.expected_end = True
            process.popen.terminate()
        elif self.name == "slave-master-killed-and-restarted" and message.peer == 2 and message.word == "HELLO":
            self.slaves[1].peer.close()
            self.queue.close()
            self.queue = wire.Listener(self.farm.dir / "s" / "slave")
            self.slaves[2] = self.slave_that_speaks()

    def slave_that_speaks(self):
        """After a restart the slave's old connection may come back, silent, before it makes a new one and says HELLO."""
        connected = []
        while True:
            sockets = [self.queue.socket, *(slave.peer.socket for slave in connected)]
            ready = select.select(sockets, [], [], 60 * farms.PATIENCE)[0]
            if not ready:
                raise farms.Failure(f"{self.name}: no slave speaks after the restart")
            if self.queue.socket in ready:
                connected.append(wire.Slave(clerk.accept(self.queue)))
            for slave in [each for each in connected if each.peer.socket in ready]:
                try:
                    self.held[2] = slave.receive()
                    return slave
                except ConnectionError:
                    connected.remove(slave)

    def close(self):
        for process in self.processes.values():
            self.farm.wait(f"the end of {process.name}", lambda p=process: not p.running(), alive=False)
            equal(f"{self.name}.{process.name} ends", self.farm.stop_process(process), 0)


def same_file(ours, theirs):
    """A file_state but for size, hash, and where libraries come from."""
    libraries = list(theirs[9]) == list(ours[9]) and bool(theirs[9][""]) == bool(ours[9]["apt"]) and ours[9][""] == []
    return wire.shape(ours[:9]) == wire.shape(theirs[:9]) and libraries and ours[9]["pip"] == theirs[9]["pip"] and \
        [ours[0], *ours[3:9], ours[10]] == [theirs[0], *theirs[3:9], theirs[10]]


RECORDINGS = ("slave-build-success", "slave-build-failure", "slave-skip", "slave-kill", "slave-sleep-master-paused",
              "two-slaves", "slave-master-killed-and-restarted")


def main():
    if not recording.there():
        score.skip("recordings", f"they are not in {recording.FOLDER} (PIW_VECTORS names another folder)")
        return 0
    with farms.Farm() as farm:
        farm.prepare()
        packages(farm.folder("pypi"))
        farm.start_pypi()
        listeners = [wire.Listener(farm.dir / "s" / name) for name in ("slave", "file")]
        for name in sys.argv[1:] or RECORDINGS:
            play = Play(farm, name, listeners)
            try:
                play.run()
                check(f"{name}.words", True)
                play.close()
            except (farms.Failure, OSError, ValueError, KeyError, IndexError) as error:
                check(f"{name}.words", False, f"{type(error).__name__}: {error}")
                for process in play.processes.values():
                    farm.stop_process(process)
            listeners[0] = play.queue
        if score.failures:
            farm.show_logs()
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
