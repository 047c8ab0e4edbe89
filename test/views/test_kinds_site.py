#!/usr/bin/python3
"""Two kinds of machine on one farm: a package in C has a wheel of one name for each, and both are kept; each kind's index lists what
runs there, its own files and links to others', in every form; pip takes its own. The first views come to a farm that is there
already, go, and come back: nothing is built that needn't be, and the common index stays as it is.

TEST-TIMEOUT: 600
TEST-NEEDS: plain
"""

import json
import os
import pathlib
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
# pylint: disable=wrong-import-position
import kinds
from kinds import NEW, OLD, farms
import score
from score import check, equal

JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}


def wheel_name(farm, package, version="1.0"):
    return f"{package}-{version}-{farm.abi()}-{farm.abi()}-{kinds.machine()}.whl"


def snapshot(farm):
    """All that the common index has: {path: bytes}. Its root list, which is written a moment later than pages, is waited for."""
    wanted = {package for package, in farm.rows("SELECT DISTINCT package FROM files JOIN builds USING (build_id)")}
    farm.wait("the root list", lambda: wanted <= kinds.links(kinds.page(farm, "simple/index.html")).keys(), 60)
    return {path.relative_to(farm.www): path.read_bytes() for path in (farm.www / "simple").rglob("*") if path.is_file()}


def waiting(farm):
    return farm.rows("SELECT package, version, abi_tag FROM piw.queue ORDER BY 1, 2, 3")


def counted(farm):
    return farm.value("SELECT (SELECT count(*) FROM builds) + (SELECT count(*) FROM piw.view_builds)")


def restart(farm, views):
    farm.stop_process(farm.master)
    farm.views = views
    farm.start_master()
    farm.wait("the refill", lambda: farm.value("SELECT count(*) FROM piw.refills") == "0")
    farm.wait("all pages", lambda: farm.pages_form() == "all")


def test_first(farm):
    """A farm without views has a package, built on Debian 12."""
    kinds.add_extension(farm, "early")
    kinds.start_slave(farm, "old", "12")
    name = wheel_name(farm, "early")
    farm.wait("the first wheel", lambda: (farm.www / "simple/early" / name).exists() and all(
        name in kinds.page(farm, f"simple/early/{page}") for page in ("index.html", "index.v1.json")))
    farm.wait("all pages", lambda: farm.pages_form() == "all")
    equal("first.no view's folder", sorted(p.name for p in farm.www.iterdir() if p.name.startswith(("book", "trix"))), [])


def test_collision(farm):
    """One source, two wheels of one name."""
    before = snapshot(farm)
    restart(farm, kinds.views(farm))
    kinds.start_slave(farm, "new", "13")
    name = wheel_name(farm, "early")
    own = farm.www / NEW / "simple/early" / name
    farm.wait("the other kind's wheel", lambda: own.exists() and kinds.index_of(farm, NEW, "early"))
    common = farm.www / "simple/early" / name
    check("collision.two wheels of one name", kinds.digest(own) != kinds.digest(common))
    after = snapshot(farm)
    equal("collision.the common index is as it was", [str(p) for p in before if before[p] != after.get(p)], [])
    equal("collision.built once for each", counted(farm), "2")
    equal("collision.its index lists its own", kinds.index_of(farm, NEW, "early"), {name: name})
    equal("collision.the common kind's leads to the common index", kinds.index_of(farm, OLD, "early"),
          {name: f"../../../simple/early/{name}"})
    check("collision.metadata beside it", pathlib.Path(f"{own}.metadata").exists())


def test_forms(farm):
    """Every form of a kind's index, as a web server gives it."""
    farm.wait("the root lists", lambda: all('href="early/"' in kinds.page(farm, f"{view}/simple/index.html")
                                            for view in (OLD, NEW)))
    for view in (OLD, NEW):
        for path, word in ((f"/{view}/simple/", 'href="early/"'), (f"/{view}/simple/early/", wheel_name(farm, "early"))):
            status, _, page = farm.get(path)
            check(f"forms.{view}.HTML {path.count('/')}", status == 200 and word in page.decode(), page[:300])
        listed = json.loads((farm.www / view / "simple/early/index.v1.json").read_text("utf-8"))
        file, = listed["files"]
        equal(f"forms.{view}.JSON has the page's address", file["url"], kinds.index_of(farm, view, "early")[file["filename"]])
        status, _, data = farm.get(f"/{view}/simple/early/{file['url']}.metadata")
        check(f"forms.{view}.metadata at its address", status == 200 and b"Name: early" in data, data[:200])
        names = [p["name"] for p in json.loads((farm.www / view / "simple/index.v1.json").read_text("utf-8"))["projects"]]
        check(f"forms.{view}.JSON root", "early" in names, names)
    project = json.loads((farm.www / "project/early/json/index.json").read_text("utf-8"))["releases"]["1.0"]
    equal("forms.the project's JSON shows the views", {view: (facts["status"], len(facts["files"])) for view, facts in
                                                       project.get("views", {}).items()}, {OLD: ("success", 1), NEW: ("success", 1)})
    page = (farm.www / "project/early/index.html").read_text("utf-8")
    check("forms.the project's page shows the views", OLD in page and NEW in page, page[-1500:])
    home = (farm.www / "index.html").read_text("utf-8")
    check("forms.home has a line for each kind", all(f"/{view}/simple" in home for view in (OLD, NEW)), home[:3000])


def test_pip(farm):
    """Each kind's pip gets and imports its own; one name gives two hashes."""
    said, hashes = {}, {}
    for index, release in (("simple", "12"), (f"{OLD}/simple", "12"), (f"{NEW}/simple", "13")):
        target = farm.dir / "tmp" / index.replace("/", "-")
        args = [farms.PYTHON, "-m", "pip", "--no-cache-dir", "-q"]
        farm.run([*args, "download", "--no-deps", "--only-binary", ":all:", "--index-url", f"{farm.web_url}/{index}/", "-d", target,
                  "early"], timeout=120)
        farm.run([*args, "install", "--no-deps", "--only-binary", ":all:", "--index-url", f"{farm.web_url}/{index}/", "--target",
                  target / "lib", "early"], timeout=120)
        hashes[index] = kinds.digest(target / wheel_name(farm, "early"))
        said[index] = (farm.run([farms.PYTHON, "-c", "import early; print(early.release())"],
                                env={"PYTHONPATH": str(target / "lib")}).stdout.strip(), release)
    equal("pip.each gets its own", {index: got for index, (got, _) in said.items()},
          {index: wanted for index, (_, wanted) in said.items()})
    check("pip.one name, two hashes", hashes["simple"] == hashes[f"{OLD}/simple"] != hashes[f"{NEW}/simple"], hashes)


def test_cover(farm):
    """A pure wheel is the common index's, whoever built it, and does for all; a wheel in C does where all is there that it needs."""
    farm.stop_process(next(s for s in farm.slaves if s.name == "old"))
    farm.slaves[:] = [s for s in farm.slaves if s.running()]
    kinds.add_pure(farm, "light")
    pure = "light-1.0-py3-none-any.whl"
    farm.wait("the pure wheel", lambda: all(kinds.index_of(farm, view, "light").get(pure) == f"../../../simple/light/{pure}"
                                            for view in (OLD, NEW)) and not waiting(farm))
    check("cover.it is in the common index", (farm.www / "simple/light" / pure).exists()
          and pure in kinds.links((farm.www / "simple/light/index.html").read_text("utf-8")))
    equal("cover.built once, as the common view's", farm.rows(
        "SELECT abi_tag FROM builds WHERE package = 'light' UNION ALL SELECT view FROM piw.view_builds WHERE package = 'light'"),
          [[farm.abi()]])
    equal("cover.by another view's slave", farm.rows("SELECT abi_tag, state FROM piw.attempts WHERE package = 'light'"), [[NEW, "built"]])
    kinds.start_slave(farm, "old", "12")
    words = farm.value(f"SELECT array_agg(word ORDER BY word) FROM piw.view_has WHERE view = '{NEW}'")
    check("cover.its slaves have shown what is there", words and "GLIBC_2." in words, words)
    farm.stop_process(next(s for s in farm.slaves if s.name == "new"))
    kinds.add_extension(farm, "later")
    name = wheel_name(farm, "later")
    farm.wait("a link to what runs there", lambda: kinds.index_of(farm, NEW, "later").get(name) == f"../../../simple/later/{name}")
    farm.wait("the queue", lambda: not waiting(farm))
    equal("cover.not built again", farm.value("SELECT count(*) FROM piw.view_builds WHERE package = 'later'"), "0")


def test_back(farm):
    """The views go, and come back."""
    before, built = snapshot(farm), counted(farm)
    own = farm.www / NEW / "simple/early" / wheel_name(farm, "early")
    restart(farm, {})
    farm.wait("the pages of no view", lambda: not list((farm.www / NEW).rglob("index.html")))
    after = snapshot(farm)
    equal("back.the common index is as it was", [str(p) for p in before.keys() | after.keys() if before.get(p) != after.get(p)], [])
    check("back.only the wheels of a view stay", own.exists() and not (farm.www / OLD).exists(), list(farm.www.iterdir()))
    equal("back.nothing waits", waiting(farm), [])
    home = (farm.www / "index.html").read_text("utf-8")
    check("back.no view on a page", NEW not in home and NEW not in (farm.www / "project/early/index.html").read_text("utf-8"))
    restart(farm, kinds.views(farm))
    farm.wait("its index", lambda: kinds.index_of(farm, NEW, "early"))
    equal("back.and again nothing waits", waiting(farm), [])
    equal("back.nothing was built again", counted(farm), built)


def audit(farm, name):
    done = farm.run([farm.program("piw-audit"), "-c", farm.configuration(), "-d", farm.dsn(), "-o", farm.www, "--import-queue",
                     farm.socket("import"), "--restart", "--settle", "1s", "--patience", "20s"], timeout=120, check=False)
    check(f"{name}.piw-audit finds nothing", done.returncode == 0, done.stdout[-1500:] + done.stderr[-500:])
    return done


def test_gone(farm):
    """What PyPI quarantines is out of reach in every store, and what is removed goes from every store."""
    name = wheel_name(farm, "early")
    places = [farm.www / "simple/early" / name, farm.www / NEW / "simple/early" / name]
    away = [farm.www / ".quarantine/early" / name, farm.www / NEW / ".quarantine/early" / name]
    audit(farm, "gone.before")
    farm.psql("UPDATE versions SET skip = 'quarantined' WHERE package = 'early'")
    farm.run([farm.program("piw-rebuild"), "-c", farm.configuration(), "--import-queue", farm.socket("import"), "-y", "index", "early"])
    farm.wait("the wheels out of reach", lambda: all(p.exists() for p in away) and not any(p.exists() for p in places))
    status, _, _ = farm.get(f"/{NEW}/.quarantine/early/{name}")
    equal("gone.quarantined: out of reach", status, 404)
    audit(farm, "gone.quarantined")
    farm.psql("UPDATE versions SET skip = '' WHERE package = 'early'")
    farm.wait("the wheels back", lambda: all(p.exists() for p in places) and name in kinds.index_of(farm, NEW, "early"))
    farm.run([farm.program("piw-remove"), "-c", farm.configuration(), "--import-queue", farm.socket("import"), "-y", "early", "1.0"])
    farm.wait("the wheels gone", lambda: not any(p.exists() for p in places) and name not in kinds.index_of(farm, NEW, "early"))
    farm.wait("their metadata", lambda: not list(farm.www.rglob(f"{name}*")))
    check("gone.removed from every store", True)
    audit(farm, "gone.after")


def test_drop(farm):
    """The views go for good: what was built for one is dropped, rows and bytes, and the common index is as it was."""
    farm.stop_process(next(s for s in farm.slaves if s.name == "old"))
    kinds.start_slave(farm, "newer", "13")
    kinds.add_extension(farm, "last")
    own = farm.www / NEW / "simple/last" / wheel_name(farm, "last")
    farm.wait("a wheel of its own", lambda: own.exists() and kinds.index_of(farm, NEW, "last"))
    farm.stop_process(next(s for s in farm.slaves if s.name == "newer"))  # without views it would build it for all
    # The common index has a page of it too, without files.
    farm.wait("the root list", lambda: "last" in kinds.links(kinds.page(farm, "simple/index.html")), 60)
    before = snapshot(farm)
    restart(farm, {})
    done = farm.run([farm.program("piw-ctl"), "-c", farm.configuration(), "--admin-queue", farm.socket("admin"), "view", "drop", NEW])
    check("drop.is taken", "in slices" in done.stdout, done.stdout)
    farm.wait("its rows gone", lambda: farm.value("SELECT (SELECT count(*) FROM piw.view_builds) + (SELECT count(*) FROM piw.view_files) "
                                                  "+ (SELECT count(*) FROM piw.view_has WHERE view = '" + NEW + "')") == "0")
    farm.wait("its bytes gone", lambda: not list((farm.www / NEW).rglob("*.whl*")))
    equal("drop.nothing of it waits", [row for row in waiting(farm) if row[2] != farm.abi()], [])
    after = snapshot(farm)
    equal("drop.the common index is as it was", [str(p) for p in before.keys() | after.keys() if before.get(p) != after.get(p)], [])
    audit(farm, "drop.after")


def main():
    if os.geteuid() != 0:
        print("skip kinds - a slave of another release wants a mount of its own: root")
        return 0
    with farms.Farm() as farm:
        try:
            farm.site_options["linger"] = "0s"
            farm.task_options["file_juggler"] = {"removals-every": "500ms"}
            farm.prepare()
            farm.start_postgres()
            farm.create_database()
            farm.start_pypi()
            farm.start_master()
            farm.start_web()
            for test in (test_first, test_collision, test_forms, test_pip, test_cover, test_back, test_gone, test_drop):
                test(farm)
        except (farms.Failure, subprocess.SubprocessError, OSError, ValueError) as error:
            check("the farm", False, error)
        if score.failures:
            farm.show_logs()
    score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
