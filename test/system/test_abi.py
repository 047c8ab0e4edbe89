#!/usr/bin/python3
"""make abi tells what plugins that were compiled before would stumble over: a function with another signature, one that has gone, a
manifest of another shape; and lets pass what is as it was, or was only added."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import score
from score import check

ROOT = pathlib.Path(__file__).resolve().parents[2]
B = pathlib.Path(os.environ.get("B", "build/plain"))
BUILD = B if B.is_absolute() else ROOT / B
CFLAGS = ["-std=gnu17", "-D_GNU_SOURCE", "-g", "-O1", "-fPIC", "-fvisibility=hidden"]


def run(args):
    done = subprocess.run(list(map(str, args)), cwd=ROOT, timeout=120, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise RuntimeError(done.stdout[-900:])


def abi(build, headers):
    done = subprocess.run([ROOT / "test" / "abi", build, headers], env={**os.environ, "UPDATE": ""}, timeout=120, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout


def msgpack():
    """Since its version 6 the library has another name."""
    newer = subprocess.run(["pkg-config", "--exists", "msgpack-c"], check=False).returncode == 0
    return "-lmsgpack-c" if newer else "-lmsgpackc"


class Variant:
    """A build of which one part of the core's sources is another."""

    def __init__(self, folder, changes):
        self.folder, self.core, self.build = folder, folder / "core", folder / "build"
        shutil.copytree(ROOT / "core", self.core)
        (self.build / "lib").mkdir(parents=True)
        (self.build / "plugins").mkdir()
        for name, was, now in changes:
            path = self.core / name
            text = path.read_text("utf-8")
            if was not in text:
                raise RuntimeError(f"{name} has no {was!r}")
            path.write_text(text.replace(was, now), "utf-8")

    def compile(self, source, to):
        run(["cc", *CFLAGS, f"-I{self.core}", f"-I{BUILD}/gen", f"-I{BUILD}/gen/plugins/hello", "-c", "-o", to, source])

    def library(self, source):
        """libpiw with one file compiled anew."""
        self.compile(self.core / source, self.folder / "one.o")
        old = BUILD / "obj" / "core" / pathlib.Path(source).with_suffix(".o")
        others = [path for path in (BUILD / "obj" / "core").glob("*/*.o") if path != old]
        others += [BUILD / "obj" / "gen" / f"{name}.piw.o" for name in ("admin", "orders", "tasks", "recording")]
        run(["cc", "-shared", "-Wl,-soname,libpiw.so.1", f"-Wl,--version-script,{ROOT}/core/libpiw.map", "-o",
             self.build / "lib" / "libpiw.so", self.folder / "one.o", *others, "-lzmq", msgpack(), "-lcbor", "-lcrypto", "-ldl", "-lm"])
        shutil.copy(BUILD / "plugins" / "hello.so", self.build / "plugins")

    def plugin(self):
        """A plugin that is compiled with the other headers."""
        (self.folder / "least.c").write_text(
            '#include "piw/plugin.h"\n'
            "static int start(piw_task *t, piw_why w, const piw_msg *s, piw_err *e) { (void)t, (void)w, (void)s, (void)e; return 0; }\n"
            'PIW_PLUGIN(hello, .version = "1", .start = start);\n', "utf-8")
        self.compile(self.folder / "least.c", self.folder / "least.o")
        run(["cc", "-shared", "-o", self.build / "plugins" / "hello.so", self.folder / "least.o"])
        shutil.copy(BUILD / "lib" / "libpiw.so", self.build / "lib")

    def abi(self):
        return abi(self.build, self.core / "piw")


def main():
    if shutil.which("abidiff") is None:
        score.skip("abi", "abigail-tools is not installed")
        return 0
    if os.environ.get("VARIANT", "plain") != "plain":
        score.skip("abi", "only the plain build is compared")
        return 0
    code, said = abi(BUILD, ROOT / "core" / "piw")
    check("what is here is what is stored", code == 0 and said.count("as packaging/abi/") == 2, said)
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        other = Variant(work / "signature", [("piw/codec.h", "piw_record_write(const piw_msg *msg, piw_buffer *to,",
                                              "piw_record_write(const piw_msg *msg, int form, piw_buffer *to,"),
                                             ("type/saved.c", "piw_record_write(const piw_msg *msg, piw_buffer *to,",
                                              "piw_record_write(const piw_msg *msg, int form, piw_buffer *to,"),
                                             ("type/saved.c", "uint8_t hash[HASH_BYTES];", "uint8_t hash[HASH_BYTES];\n(void)form;")])
        other.library("type/saved.c")
        code, said = other.abi()
        check("another signature is refused", code == 1 and "piw_record_write" in said and "libpiw is not what" in said, said)
        other = Variant(work / "removed", [("piw/codec.h", "piw_record_write(", "piw_record_put("),
                                           ("type/saved.c", "piw_record_write(", "piw_record_put(")])
        other.library("type/saved.c")
        code, said = other.abi()
        check("a function that has gone is refused", code == 1 and "piw_record_write" in said, said)
        other = Variant(work / "added", [("piw/codec.h", "PIW_API int piw_record_write(",
                                          "PIW_API int piw_record_new(void);\nPIW_API int piw_record_write("),
                                         ("type/saved.c", "int piw_record_write(",
                                          "int piw_record_new(void)\n{\n    return 0;\n}\n\nint piw_record_write(")])
        other.library("type/saved.c")
        code, said = other.abi()
        check("a function more is compatible", code == 0 and "piw_record_new" in said and "has grown" in said, said)
        other = Variant(work / "same", [])
        other.plugin()
        code, said = other.abi()
        check("any plugin describes the manifest", code == 0, said)
        other = Variant(work / "field", [("piw/plugin.h", "    const char *summary;\n", "")])
        other.plugin()
        code, said = other.abi()
        check("a manifest without a field is refused", code == 1 and "summary" in said and "manifest is not what" in said, said)
        other = Variant(work / "entry", [("piw/plugin.h", "    piw_handler_fn *fn;\n", "    piw_handler_fn *fn;\n    int lane;\n")])
        other.plugin()
        code, said = other.abi()
        check("entries of another size are refused", code == 1 and "lane" in said, said)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
