#!/usr/bin/python3
"""packages.json and the sitemaps are written without being asked for: where one is missing at the start, again and again,
within a bound of a change; after a failure again; and a file that says the same stays as it is.

TEST-TIMEOUT: 300
"""

import json
import sys

import farm as farms
import score
from score import check

NAMES = ("packages.json", "sitemap.xml", "sitemap0.xml")


def comes(farm, name, condition, timeout=30):
    try:
        farm.wait(name, condition, timeout)
        return check(name, True)
    except farms.Failure as error:
        return check(name, False, error)


def restart(farm, **options):
    """The master with other options of the_secretary; what isn't given takes an hour."""
    farm.stop_process(farm.master)
    given = {name.replace("_", "-"): value for name, value in options.items()}
    farm.task_options["the_secretary"] = {"hold": "1s", "search-hold": "1h", "search-every": "1h", **given}
    farm.start_master()


def add(farm, package):
    farm.run([farm.program("piw-add"), "-c", farm.configuration(), "--yes", "--import-queue", farm.socket("import"), "-d", "x", package])


def there(farm):
    return all((farm.www / name).exists() for name in NAMES)


def named(farm):
    return [row[0] for row in json.loads((farm.www / "packages.json").read_text(encoding="utf-8"))]


def rebuild(farm):
    farm.run([farm.program("piw-rebuild"), "-c", farm.configuration(), "--yes", "--import-queue", farm.socket("import"),
              "search"])


def missing_at_start(farm):
    comes(farm, "start.they appear", lambda: there(farm))
    for name in (*NAMES[:2], "search/index.json"):
        farm.stop_process(farm.master)
        (farm.www / name).unlink()
        restart(farm)
        comes(farm, f"start.{name} alone is missing", lambda n=name: there(farm) and (farm.www / n).exists())


def after_a_change(farm):
    restart(farm, search_hold="2s")
    add(farm, "first")
    comes(farm, "change.a new package is named", lambda: "first" in named(farm))
    comes(farm, "change.in the sitemap too", lambda: (farm.www / "sitemap1.xml").exists()
          and "/project/first<" in (farm.www / "sitemap1.xml").read_text(encoding="utf-8"))
    add(farm, "second")
    comes(farm, "change.and the next one", lambda: named(farm) == ["first", "second"])
    restart(farm, search_hold="2s")
    (farm.www / "packages.json").unlink()
    comes(farm, "change.what may have changed before a start", lambda: there(farm))


def home_page(farm):
    """The pages of the site say how many packages there are, and how many of them have wheels, soon after a start."""
    farm.stop_process(farm.master)
    (farm.www / "packages.html").unlink()
    farm.start_master()
    comes(farm, "home.the number of packages", lambda: (farm.www / "packages.html").exists()
          and "PyPI has 2 packages. With wheels here: <strong>0</strong>." in (farm.www / "packages.html").read_text(encoding="utf-8"))


def unchanged(farm):
    """Their list is written last; one that is missing tells that all have been looked at."""
    restart(farm)
    kept = {name: (farm.www / name).stat() for name in ("packages.json", "sitemap1.xml")}
    (farm.www / "sitemap.xml").unlink()
    rebuild(farm)
    comes(farm, "unchanged.it was written", lambda: there(farm))
    for name, before in kept.items():
        now = (farm.www / name).stat()
        check(f"unchanged.{name} is the same file", (now.st_ino, now.st_mtime_ns) == (before.st_ino, before.st_mtime_ns))
    check("unchanged.no working files are left", not [p for p in farm.below(farm.www / ".staging" / "tmp") if p.is_file()])


def regularly(farm):
    restart(farm, search_every="1s")
    comes(farm, "regularly.the first time", lambda: there(farm))
    for turn in range(2):
        (farm.www / "packages.json").unlink()
        comes(farm, f"regularly.{turn}", lambda: there(farm))


def after_a_failure(farm):
    restart(farm)
    (farm.www / "packages.json").unlink()
    mode = farm.www.stat().st_mode
    farm.www.chmod(0o555)
    rebuild(farm)
    farm.wait_log(farm.master, r"the search index isn't written: .*Permission denied")
    check("failure.nothing is there", not (farm.www / "packages.json").exists())
    farm.www.chmod(mode)
    comes(farm, "failure.it is tried again", lambda: there(farm), 60)


def main():
    with farms.Farm() as farm:
        farm.prepare()
        farm.start_postgres()
        farm.create_database(abis=["cp311"])
        farm.start_pypi()
        farm.start_master()
        for step in (missing_at_start, after_a_change, home_page, unchanged, regularly, after_a_failure):
            step(farm)
        if score.failures:
            farm.show_logs()
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
