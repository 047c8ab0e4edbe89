#!/usr/bin/python3
"""The guide (docs/guide.md): every command in it is run, page by page in its order, in a clean Debian 12 in which the packages are
installed as it says. What can't be run there is marked in the text, with a reason: twenty at most. (That programs print the messages of its table of
troubles, and know the commands in running text, is test_house's.)

A block of commands begins with ```sh WHO, where WHO is root, a user, or builder (who makes the packages, in a clone); `background` behind it:
it goes on. <!-- not run: REASON --> stands on the line before a block that isn't run. ```conf and ```text are no commands.

TEST-TIMEOUT: 3600
TEST-NEEDS: plain
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "packages"))
sys.dont_write_bytecode = True
import test_packages as packages  # pylint: disable=wrong-import-position
from test_packages import Failure, Missing, check, run, wait  # pylint: disable=wrong-import-position

DOCS = ROOT / "docs"
NOT_RUN_MAX = 20
BOUND_S = 600
# This page is run by a test of its own.
ELSEWHERE = {"writing-a-task.md": "test_writing_a_task"}
HOMES = {"root": "/src/piwheels", "you": "/home/you", "nobody": "/tmp", "postgres": "/var/lib/postgresql", "piwheels": "/tmp",
         "piwheels-slave": "/var/lib/piwheels-slave"}
# What a block that goes on has said, or who listens, once the next one may begin.
READY = {"piw-setup": "piw-slave", "piw-pypi": "", "piw-slave": ""}


class Block:
    def __init__(self, page, line, words, text, reason):
        self.page, self.line, self.text, self.reason = page, line, text, reason
        self.who = words[1] if len(words) > 1 else ""
        self.background = "background" in words[2:]

    def name(self):
        return f"{self.page}:{self.line} {self.text.splitlines()[0][:60]}"


def pages():
    return re.findall(r"(?m)^\d+\. \[[^]]*\]\(([\w-]+\.md)\)", (DOCS / "guide.md").read_text("utf-8"))


def blocks_of(page):
    found, at = [], None
    reason, wrong = None, []
    lines = (DOCS / page).read_text("utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        if at is not None:
            if line == "```":
                if at[1][0] == "sh":
                    found.append(Block(page, at[0], at[1], "\n".join(lines[at[0]:number - 1]), reason))
                elif at[1][0] not in ("conf", "text"):
                    wrong.append(f"line {at[0]}: ```{' '.join(at[1])}")
                at = reason = None
        elif line.startswith("```"):
            at = (number, line[3:].split() or [""])
        elif line.startswith("<!-- not run: "):
            reason = line[len("<!-- not run: "):].removesuffix("-->").strip()
        elif line.startswith("    ") and not re.match(r"\s*([-*]|\d+\.)\s", lines[number - 2] if number > 1 else ""):
            wrong.append(f"line {number}: an indented block says not whether it is a command")
        elif line:
            reason = None
    check(f"{page}: blocks", not wrong, "; ".join(wrong[:5]))
    return found


# --- Running them ------------------------------------------------------------------------------------------------------------------------

class Guide:
    def __init__(self):
        self.root, self.farm, self.others = None, None, []

    def words(self, block):
        home = HOMES[block.who]
        bash = ["bash", "-euc", f"cd {home}\n{block.text}"]
        return bash if block.who == "root" else ["runuser", "-u", block.who, "--", "env", f"HOME={home}", *bash]

    def builder(self, block):
        made = packages.TMP / "src"
        if os.environ.get("PIW_DEBS"):
            made = pathlib.Path(os.environ["PIW_DEBS"])
        else:
            packages.copy_source(made / "piwheels")
            done = run(["bash", "-euc", block.text], 3000, cwd=made / "piwheels",
                       env={**os.environ, "DEB_BUILD_OPTIONS": f"parallel={os.cpu_count()}"})
            if not check(block.name(), done.returncode == 0, done.stdout):
                raise Failure("there are no packages")
        self.root = packages.clean_root("docs")
        source = self.root.folder / "src/piwheels"
        source.mkdir(parents=True)
        for deb in made.glob("*.deb"):
            shutil.copy(deb, source.parent)
        (self.root.folder / "etc/apt/apt.conf.d/99docs").write_text('APT::Install-Recommends "false";\n')
        self.root.run(["adduser", "--system", "--quiet", "--home", "/home/you", "--shell", "/bin/bash", "you"])
        self.root.hold()

    def start(self, block):
        program = block.text.split()[0]
        log = packages.TMP / f"{program}-{len(self.others)}.log"
        process = self.root.start(self.words(block), log)
        self.others.append(process)

        def ready():
            if process.poll() is not None:
                raise Failure(f"{program} ended: {log.read_text()}")
            return READY[program] in log.read_text()
        wait(f"{program} to be ready", ready, BOUND_S)
        if program == "piw-setup":
            self.farm = process
            self.wait_master()
        check(block.name(), True)

    def wait_master(self):
        wait("the master", lambda: self.root.run(["piw-ctl", "list"]).returncode == 0, BOUND_S)

    def without_systemd(self, text):
        """What the commands of such a block come to, so that those behind it find what they expect."""
        if "reload nginx" in text:
            self.root.run(["nginx"])
        elif "systemctl stop piwheels-slave piwheels-master" in text:
            self.end(self.farm)
        elif "systemctl start piwheels-master piwheels-slave" in text:
            self.farm = self.root.start(["piw-setup", "--yes"], packages.TMP / "again.log")
            self.others.append(self.farm)
            self.wait_master()

    def run(self, block):
        if block.reason is not None:
            self.without_systemd(block.text)
        elif block.who == "builder":
            self.builder(block)
        elif block.background:
            self.start(block)
        else:
            done = self.root.run(self.words(block), BOUND_S, network="apt-get" in block.text)
            check(block.name(), done.returncode == 0, done.stdout)

    @staticmethod
    def end(process):
        """What nsenter started; it waits for that."""
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        run(["kill", "-TERM", *(children or [str(process.pid)])])
        process.wait(120)

    def close(self):
        if self.root is not None:
            for process in self.others:
                if process.poll() is None:
                    self.end(process)
            self.root.release()
            shutil.rmtree(self.root.folder, ignore_errors=True)


# --- What isn't in blocks -----------------------------------------------------------------------------------------------------------------

def troubles(guide, text):
    """The commands of the second column."""
    for command in re.findall(r"(?m)^\| [^|]*\| `([^`|]*)` \|", text):
        if command != "command":
            done = guide.root.run(["bash", "-euc", command], BOUND_S)
            check(f"troubleshooting.md: {command[:60]}", done.returncode == 0, done.stdout)


def main():
    guide = Guide()
    try:
        if os.geteuid() != 0:
            raise Missing("a root for packages takes root's rights")
        for tool in ("debootstrap", "dpkg-buildpackage", "dh", "unshare", "nsenter"):
            if not shutil.which(tool):
                raise Missing(f"{tool} isn't installed")
        blocks = [block for page in pages() if page not in ELSEWHERE for block in blocks_of(page)]
        left = [block for block in blocks if block.reason is not None]
        check("what isn't run has a reason", all(block.reason for block in left) and len(left) <= NOT_RUN_MAX, [block.name() for block in left])
        text = (DOCS / "troubleshooting.md").read_text("utf-8")
        for page in pages():
            if page == "troubleshooting.md":
                troubles(guide, text)
            for block in blocks:
                if block.page == page:
                    guide.run(block)
        print(f"# {len(blocks) - len(left)} blocks were run, {len(left)} are marked", flush=True)
    except Missing as error:
        print(f"skip docs - {error}")
    except (Failure, OSError, subprocess.SubprocessError) as error:
        check("docs", False, f"{type(error).__name__}: {error}")
    finally:
        guide.close()
    return 1 if packages.failures else 0


if __name__ == "__main__":
    sys.exit(main())
