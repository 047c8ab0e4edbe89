#!/usr/bin/python3
"""Two of the farm's own tasks are recorded while builds go through, then played outside of the master: the same plugin does the
same; a changed one, and another writer of the index, are told apart in full. Full disks, torn files, hostile ones.

TEST-TIMEOUT: 600
TEST-NEEDS: plain
"""

import os
import pathlib
import re
import shutil
import stat
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

import farm as farms  # pylint: disable=wrong-import-position
import score  # pylint: disable=wrong-import-position
from score import check, equal  # pylint: disable=wrong-import-position

TASKS = ("the_scribe", "the_secretary")
# Shows how much room the disk has, which nobody can play.
DISK = ("--ignore", "*/stats.html")


def ctl(farm, *words):
    return farm.run([farm.program("piw-ctl"), "-c", farm.configuration(), "--admin-queue", farm.socket("admin"), *words],
                    check=False, timeout=120)


def plugin(farm, name):
    return farm.dir / "inst" / "plugins" / f"{name}.so"


def replay(farm, path, file, *options):
    return farm.run([farm.program("piw-replay"), "-c", farm.configuration(), *DISK, *options, path, file], check=False, timeout=120)


def said(done):
    return f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"


def published(farm, package, version):
    page = farm.www / "simple" / package / "index.html"
    return page.exists() and version in page.read_text("utf-8")


def record_the_farm(farm):
    """A new version of a known package, a build that fails, a new package; both tasks hear of them."""
    rec = farm.folder("rec")
    farm.add_samples("piwdemo-pure", versions=["1.0"])
    farm.wait("the first pages", lambda: published(farm, "piwdemo-pure", "1.0"), timeout=120)
    for task in TASKS:
        done = ctl(farm, "record", task, rec / task)
        check(f"record.{task}", done.returncode == 0 and f"task {task} is recorded in {rec}/{task}" in done.stdout, said(done))
    equal("record.the file is the master's alone", stat.S_IMODE((rec / "the_scribe").stat().st_mode), 0o600)
    farm.add_samples("piwdemo-pure", versions=["1.1"])
    farm.add_samples("piwdemo-broken", "piwdemo-cext")
    farm.wait("the pages of the others", lambda: published(farm, "piwdemo-pure", "1.1") and published(farm, "piwdemo-cext", "0.3"),
              timeout=180)
    done = ctl(farm, "reload", "the_scribe")
    check("record.goes on over a swap", done.returncode == 0, said(done))
    farm.add_samples("piwdemo-pure", versions=["1.2"])
    farm.wait("a page after the swap", lambda: published(farm, "piwdemo-pure", "1.2"), timeout=120)
    refusals(farm, rec)
    for task in TASKS:
        done = ctl(farm, "record", task, "--stop")
        check(f"record.{task} ends", done.returncode == 0 and "piw-ctl ended it" in done.stdout, said(done))
    return rec


def refusals(farm, rec):
    done = ctl(farm, "record", "the_scribe", rec / "again")
    check("refused.recorded already", done.returncode == 1 and "is being recorded in" in done.stderr and not (rec / "again").exists(),
          said(done))
    kept = rec / "kept"
    kept.write_text("precious", "utf-8")
    farm.own(kept)
    done = ctl(farm, "record", "big_brother", kept)
    check("refused.a file that is there", done.returncode == 1 and "File exists" in done.stderr and kept.read_text("utf-8") == "precious",
          said(done))
    (rec / "link").symlink_to(rec / "elsewhere")
    done = ctl(farm, "record", "big_brother", rec / "link")
    check("refused.a link", done.returncode == 1 and not (rec / "elsewhere").exists(), said(done))
    done = ctl(farm, "record", "the_oracle", rec / "oracle")
    check("refused.which instance", done.returncode == 1 and re.search(r"the_oracle has \d+ instances: say which one, the_oracle\.0", done.stderr),
          said(done))
    done = ctl(farm, "record", "the_scrib", rec / "none")
    check("refused.no such task", done.returncode == 1 and "did you mean the_scribe?" in done.stderr, said(done))
    done = ctl(farm, "record", "mr_chase", "--stop")
    check("refused.not recorded", done.returncode == 1 and "task mr_chase is not being recorded" in done.stderr, said(done))
    done = ctl(farm, "list", "--stop")
    check("refused.--stop belongs to record", done.returncode == 2 and "belong to record" in done.stderr, said(done))


def cut_off(farm, rec):
    """The swap with which it begins has the scribe look through its pages: the end comes before that is done."""
    file = rec / "cut off"
    done = [ctl(farm, "record", "the_scribe", file), ctl(farm, "record", "the_scribe", "--stop")]
    check("cut off.recorded", all(one.returncode == 0 for one in done), "\n".join(map(said, done)))
    done = replay(farm, plugin(farm, "the_scribe"), file)
    check("cut off.what was under way is no difference", done.returncode == 0, said(done))


def bounds(farm, rec):
    """Time, size and the disk end a recording; the task goes on."""
    done = ctl(farm, "record", "the_secretary", rec / "short", "--for", "1s")
    check("bounds.time begins", done.returncode == 0, said(done))
    farm.wait_log(farm.master, r"the recording of the_secretary in \S+/short has ended: its time was up")
    start = len(farm.master.text())
    done = ctl(farm, "record", "the_secretary", rec / "small", "--max", "8K")
    check("bounds.size begins", done.returncode == 0, said(done))
    farm.wait_log(farm.master, r"the recording of the_secretary in \S+/small has ended: it may have 8192 bytes", start=start)
    check("bounds.size holds", (rec / "small").stat().st_size <= 8192, (rec / "small").stat().st_size)
    done = replay(farm, plugin(farm, "the_secretary"), rec / "short")
    check("bounds.what there is can be played", done.returncode == 0, said(done))
    full_disk(farm, rec)


def full_disk(farm, rec):
    """A file system of a few pages, which the master sees only if the test may mount one."""
    small = farm.folder("small")
    if not farm.as_root or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32k,mode=777", "tmpfs", small], check=False,
                                          capture_output=True).returncode != 0:
        score.skip("full disk", "no file system can be mounted here")
        return
    try:
        start = len(farm.master.text())
        done = ctl(farm, "record", "the_secretary", small / "full")
        check("full disk.begins", done.returncode == 0, said(done))
        ended = (r"warning: master.recorder: the recording of the_secretary in \S+ has ended: it can't be written: "
                 r"No space left on device; the task goes on")
        # Each swap has something to write.
        farm.wait("the full disk", lambda: re.search(ended, farm.master.text()[start:]) or ctl(farm, "reload", "the_secretary").returncode)
        check("full disk.is said", re.search(ended, farm.master.text()[start:]), farm.master.text()[start:])
        equal("full disk.the task is not disturbed", re.search(r"the_secretary.*running", ctl(farm, "list").stdout) is not None, True)
        shutil.copy(small / "full", rec / "full")
        farm.own(rec / "full")
    finally:
        subprocess.run(["umount", "-l", small], check=False, timeout=30)
    done = replay(farm, plugin(farm, "the_secretary"), rec / "full")
    check("full disk.what there is can be played", done.returncode in (0, 1) and "the file breaks off" in done.stdout, said(done))


def same_plugins(farm, rec):
    for task in TASKS:
        done = replay(farm, plugin(farm, task), rec / task)
        check(f"same.{task}", done.returncode == 0 and done.stdout.endswith("the same\n"), said(done))
        check(f"same.{task} was played", int(re.search(r": (\d+) played", done.stdout)[1]) > 20 and "left out" not in done.stdout, said(done))
        check(f"same.{task} is timed", re.search(r"handlers +recorded +\d+ +p50 +[\d.]+ µs +p99 +[\d.]+ µs +total", done.stdout), said(done))
        done = replay(farm, plugin(farm, task), rec / task, "--against", plugin(farm, task))
        check(f"same.{task} against itself", done.returncode == 0, said(done))


def changed(farm, rec):
    """One line of the scribe is another one: what is different is shown, and nothing else."""
    tree = farm.folder("tree")
    for name in ("core", "proto", "actors", "plugins", "site", "Makefile", "tools", "test/plugins", "test/proto", "test/unit"):
        source = farms.ROOT / name
        target = tree / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    page = tree / "actors" / "shared" / "scribe" / "page_index.c"
    text = page.read_text("utf-8")
    check("changed.the line is there", "<title>Links for " in text, "page_index.c says it otherwise")
    page.write_text(text.replace("<title>Links for ", "<title>Files of ", 1), "utf-8")
    subprocess.run(["make", "-s", "-j2", "build/plain/plugins/the_scribe.so"], cwd=tree, check=True, timeout=300,
                   env={"PATH": os.environ["PATH"], "HOME": str(tree)}, stdout=subprocess.DEVNULL)
    other = tree / "build" / "plain" / "plugins" / "the_scribe.so"
    done = replay(farm, other, rec / "the_scribe")
    check("changed.recorded files differ", done.returncode == 1 and re.search(r"file \S+/simple/piwdemo-pure/index\.html", done.stdout), said(done))
    done = replay(farm, plugin(farm, "the_scribe"), rec / "the_scribe", "--against", other)
    check("changed.the line is shown", done.returncode == 1 and re.search(r"first at byte \d+, line \d+:", done.stdout)
          and "Links for" in done.stdout and "Files of" in done.stdout, said(done))
    found = set(re.findall(r"^  file (\S+)$", done.stdout, re.MULTILINE))
    check("changed.nothing else differs", found and all(name.endswith("/index.html") and "/simple/" in name for name in found), said(done))


def other_writer(farm, rec):
    """scribe_html writes no JSON: an index writer is tried before it is swapped in."""
    done = replay(farm, plugin(farm, "scribe_json"), rec / "the_scribe", "--against", plugin(farm, "scribe_html"), "--show", "100")
    check("writers.files that only one writes", done.returncode == 1
          and re.search(r"file \S+/simple/piwdemo-pure/index\.v1\.json: only \S+scribe_json\.so", done.stdout), said(done))
    check("writers.both are timed", len(re.findall(r"^  (?:handlers|jobs) +\S+scribe_(?:json|html)\.so +\d+ +p50", done.stdout, re.MULTILINE)) == 4,
          said(done))
    check("writers.faster or slower", re.search(r"is [\d.]+ times as (fast|slow)", done.stdout), said(done))


def not_played(farm, rec):
    done = replay(farm, plugin(farm, "the_secretary"), rec / "the_scribe")
    check("not played.another task", done.returncode == 2 and "is of another task" in done.stderr, said(done))
    done = replay(farm, plugin(farm, "mr_chase"), rec / "the_scribe")
    check("not played.an outer queue", done.returncode == 2 and "serves the outer queue import" in done.stderr, said(done))
    done = replay(farm, rec / "nothing.so", rec / "the_scribe")
    check("not played.no plugin", done.returncode == 2 and "can't be opened" in done.stderr, said(done))
    for name, content in (("text", b"this is no recording"), ("empty", b""), ("head", b"PIW-REC\n\x09\0\0\0\0\0\0\0")):
        (rec / name).write_bytes(content)
        farm.own(rec / name)
        done = replay(farm, plugin(farm, "the_scribe"), rec / name)
        check(f"not played.{name}", done.returncode == 2 and done.stderr.startswith("piw-replay: "), said(done))
    whole = (rec / "the_scribe").read_bytes()
    bad = bytearray(whole)
    bad[len(bad) // 2] ^= 0x55
    (rec / "bad").write_bytes(bad)
    farm.own(rec / "bad")
    done = replay(farm, plugin(farm, "the_scribe"), rec / "bad")
    check("not played.a byte is another", done.returncode == 2 and "is damaged at byte" in done.stderr, said(done))
    (rec / "torn").write_bytes(whole[:len(whole) * 2 // 3])
    farm.own(rec / "torn")
    done = replay(farm, plugin(farm, "the_scribe"), rec / "torn")
    check("torn.is played as far as it goes", done.returncode in (0, 1) and "the file breaks off" in done.stdout, said(done))


def main():
    with farms.Farm() as farm:
        farm.start(web=False)
        rec = record_the_farm(farm)
        for path in rec.iterdir():
            farm.own(path) if not path.is_symlink() else path.unlink()
        same_plugins(farm, rec)
        other_writer(farm, rec)
        not_played(farm, rec)
        cut_off(farm, rec)
        bounds(farm, rec)
        changed(farm, rec)
        if score.failures:
            farm.show_logs()
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
