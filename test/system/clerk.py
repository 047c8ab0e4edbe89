"""piw-import, piw-add, piw-remove and piw-rebuild as tests run them, and the place where their master stands."""

import contextlib
import subprocess

import farm as farms
import wheels
import wire


class Program:
    """One of the four, running, with what it says kept apart."""

    def __init__(self, world, args, answer="", stderr=subprocess.PIPE):
        self.world = world
        # pylint: disable-next=consider-using-with
        self.popen = subprocess.Popen([*world.farm.drop, *map(str, args)], env={**world.farm.env, "TERM": "xterm"}, cwd=world.dir,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True)
        with contextlib.suppress(BrokenPipeError):
            self.popen.stdin.write(answer)
            self.popen.stdin.close()
        self.popen.stdin = None

    def end(self, timeout=30):
        """(exit code, stdout, stderr)"""
        try:
            out, err = self.popen.communicate(timeout=timeout * farms.PATIENCE)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            out, err = self.popen.communicate()
            return "hung", out, err
        return self.popen.returncode, out, err


def accept(listener):
    """The next connection that speaks: programs look first whether anybody listens, and hang up."""
    while True:
        with contextlib.suppress(ConnectionError):
            return listener.accept(20 * farms.PATIENCE)


class World:
    """A folder of the programs' user, and sockets where a master's would be."""

    def __init__(self, farm):
        self.farm = farm
        self.dir = farm.folder("import")
        self.queue = wire.Listener(farm.dir / "s" / "import")
        self.files = wire.Listener(farm.dir / "s" / "file")

    def args(self, program, *args, queue="import", files="file", codec="cbor"):
        more = ["--file-queue", self.farm.socket(files)] if program == "piw-import" and files else []
        return [self.farm.program(program), "-c", self.farm.configuration(), "--codec", codec, "--import-queue",
                self.farm.socket(queue), *more, *args]

    def run(self, program, *args, answer="", **where):
        return Program(self, self.args(program, *args, **where), answer)

    def wheel(self, name, *more, **facts):
        path = self.dir / name
        path.write_bytes(wheels.make(name, *more, **facts))
        path.chmod(0o644)
        self.farm.own(path)
        return path

    def write(self, name, content):
        path = self.dir / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(0o644)
        return path

    def client(self):
        """The next program that connects, as its master sees it."""
        return wire.Slave(accept(self.queue))
