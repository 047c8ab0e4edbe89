"""A folder as a crash of the machine could have left it. test/crash/recorder.c, preloaded into a program, notes what that does
to the folder's files; when the program has been killed, the folder is made anew with what had been synced, and with as much
of the rest as is wanted.

What may be left is what journaling file systems (ext4, xfs, btrfs) leave: changes of names in their order, up to some moment not
before the last synced one; and of a file's bytes those that were synced, and any of the later writes, each wholly or not at
all. A folder's sync stands for its own names and all changes before them, a file's for its bytes alone.
"""

import os
import pathlib
import shutil
import stat
import subprocess

import farm as farms


class Recording:
    def __init__(self, farm, name):
        self.farm, self.root = farm, farm.www
        self.log, self.keep = farm.dir / "log" / f"{name}.steps", farm.folder(f"{name}.kept")
        self.log.touch()
        farm.own(self.log)
        self.before = read_tree(self.root)
        self.library = farm.dir / "recorder.so"
        if not self.library.exists():
            compiler = os.environ.get("CC", "gcc").split()
            subprocess.run([*compiler, "-std=gnu17", "-Wall", "-Wextra", "-Werror", "-O1", "-fPIC", "-shared", "-o", self.library,
                            farms.ROOT / "test" / "crash" / "recorder.c"], check=True, timeout=120)
            self.library.chmod(0o755)

    def env(self):
        return {"LD_PRELOAD": str(self.library), "PIW_RECORD_ROOT": str(self.root), "PIW_RECORD_LOG": str(self.log),
                "PIW_RECORD_KEEP": str(self.keep)}

    def read(self):
        """Its steps. The last line may be cut short."""
        lines = self.log.read_text("utf-8").split("\n")[:-1]
        return [line.split("\t") for line in lines]

    def crash(self, names, data):
        """The folder becomes what is left: `names(first, last)` says up to which step names are kept, `data()` for each write that
        wasn't synced whether it is. What had been recorded until then, for who wants to know what must be there."""
        steps = self.read()
        first = durable_names(steps)
        files = find_files(self.root, self.keep)
        tree = replay(self.before, steps[:max(first, names(first, len(steps)))], self.root)
        after = self.root.with_name("after")
        contents = file_contents(steps)
        build(after, tree, lambda inode: contents_of(files, contents.get(inode), inode, data), self.farm)
        shutil.rmtree(self.root)
        after.rename(self.root)
        return Steps(steps, self.root)


class Steps:
    def __init__(self, steps, root):
        self.steps, self.root = steps, root

    def synced(self):
        """Names that were given before the last sync of everything began."""
        last = max((int(step[1]) for step in self.steps if step[0] == "all"), default=0)
        return [step[2] for step in self.steps[:last] if step[0] == "rename"]


def read_tree(folder):
    """{name: {…} | ("file", inode) | ("link", target)}"""
    tree = {}
    for entry in os.scandir(folder):
        if entry.is_symlink():
            tree[entry.name] = ("link", os.readlink(entry.path))
        elif entry.is_dir():
            tree[entry.name] = read_tree(entry.path)
        else:
            tree[entry.name] = ("file", entry.inode())
    return tree


def find_files(*folders):
    return {path.lstat().st_ino: path for folder in folders for path in pathlib.Path(folder).rglob("*")
            if stat.S_ISREG(path.lstat().st_mode)}


def folder_of(step):
    """Folders in which a step changes a name."""
    paths = {"create": step[2:3], "mkdir": step[1:2], "rename": step[1:3], "exchange": step[1:3], "link": step[2:3], "symlink": step[2:3],
             "unlink": step[1:2], "rmdir": step[1:2]}.get(step[0], [])
    return [os.path.dirname(path) for path in paths]


def durable_names(steps):
    """The number of steps whose names a crash can't take back."""
    first, last_in = 0, {}
    changes = [(number, folder) for number, step in enumerate(steps) for folder in folder_of(step)]
    syncs = sorted((int(step[1]), step[2] if step[0] == "folder" else "") for step in steps if step[0] in ("folder", "all"))
    at = 0
    for until, path in syncs:
        while at < len(changes) and changes[at][0] < until:
            last_in[changes[at][1]] = changes[at][0] + 1
            at += 1
        first = max(first, until if path == "" else last_in.get(path, 0))
    return first


def replay(before, steps, root):
    tree = copy(before)

    def place(path):
        node, parts = tree, os.path.relpath(path, root).split("/")
        for part in parts[:-1]:
            node = node[part]
        return node, parts[-1]

    for step in steps:
        word = step[0]
        if word == "create":
            node, name = place(step[2])
            node[name] = ("file", int(step[1]))
        elif word == "mkdir":
            node, name = place(step[1])
            node[name] = {}
        elif word in ("rename", "link"):
            node, name = place(step[1])
            thing = node[name] if word == "link" else node.pop(name)
            node, name = place(step[2])
            node[name] = thing
        elif word == "exchange":
            (node, name), (other, second) = place(step[1]), place(step[2])
            node[name], other[second] = other[second], node[name]
        elif word == "symlink":
            node, name = place(step[2])
            node[name] = ("link", step[1])
        elif word in ("unlink", "rmdir"):
            node, name = place(step[1])
            del node[name]
    return tree


def copy(tree):
    return {name: copy(node) if isinstance(node, dict) else node for name, node in tree.items()}


def file_contents(steps):
    """{inode: ([(offset, length) synced], [(offset, length) not])} of files that were made or written."""
    synced = {}
    everything = 0
    for step in steps:
        if step[0] == "all":
            everything = max(everything, int(step[1]))
        elif step[0] == "file":
            synced[step[1]] = max(synced.get(step[1], 0), int(step[2]))
    found = {}
    for number, step in enumerate(steps):
        if step[0] == "create" or (step[0] == "truncate" and step[2] == "0"):
            found[int(step[1])] = ([], [])
        elif step[0] == "write" and int(step[1]) in found:
            safe = number < max(everything, synced.get(step[1], 0))
            found[int(step[1])][0 if safe else 1].append((int(step[2]), int(step[3])))
    return found


def contents_of(files, written, inode, data):
    whole = files[inode].read_bytes()
    if written is None:
        return whole
    safe, rest = written
    made = bytearray()
    for offset, length in safe + [piece for piece in rest if data()]:
        if len(made) < offset + length:
            made.extend(bytes(offset + length - len(made)))
        made[offset:offset + length] = whole[offset:offset + length]
    return bytes(made)


def build(folder, tree, contents, farm):
    folder.mkdir(mode=0o700 if folder.name == ".staging" else 0o755)
    farm.own(folder)
    for name, node in tree.items():
        path = folder / name
        if isinstance(node, dict):
            build(path, node, contents, farm)
        elif node[0] == "link":
            path.symlink_to(node[1])
        else:
            path.write_bytes(contents(node[1]))
            path.chmod(0o600 if ".staging" in path.parts else 0o644)
            farm.own(path)
