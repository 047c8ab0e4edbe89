"""What every web server over a site does alike with pages that have two forms: who gets which by the weights of Accept (RFC 9110 12.5.1),
and that a view's index (docs/views.md) is an index as the common one is. `get` has a path and headers, and returns status, headers."""

import random

from score import check, equal

JSON = "application/vnd.pypi.simple.v1+json"
LATEST = "application/vnd.pypi.simple.latest+json"
V1_HTML = "application/vnd.pypi.simple.v1+html"
WEIGHTS = (None, None, "0", "0.0", "1", "1.0", "1.000", "0.5", "0.50", "0.25", "0.9", "0.05", "0.512", "0.511")


def accepts(seed, count):
    """(Accept, whether JSON is wanted: it is where its weight isn't less than HTML's). HTML is always taken, too."""
    source = random.Random(seed)
    for _ in range(count):
        html = source.choice((V1_HTML, "text/html", "TEXT/HTML", "text/*", "*/*"))
        form = source.choice((JSON, LATEST))
        names = [form, html, *source.sample(("text/plain", "image/png"), source.randrange(3))]
        weights = {name: source.choice(WEIGHTS) for name in names}
        source.shuffle(names)
        equals, comma = source.choice((";q=", "; q=", " ;  q=")), source.choice((", ", ","))
        json, other = float(weights[form] or 1), float(weights[html] or 1)
        if other > 0:
            yield comma.join(name + (equals + weights[name] if weights[name] else "") for name in names), 0 < json >= other


def check_weights(name, get, path="/simple/load/"):
    wrong = []
    for accept, json in accepts(7, 300):
        status, headers = get(path, Accept=accept)
        if status != 200 or headers["Content-Type"].startswith(JSON) != json:
            wrong.append(f"{accept}: {status} {headers['Content-Type']}")
    check(f"{name}: the form that is liked best", not wrong, f"{len(wrong)} wrong: " + "\n".join(wrong[:5]))


def make_view(write):
    """A package, and its page for people, may be called simple, too. Beside them a piece of the search."""
    for folder in ("trixie/simple", "trixie/simple/load", "simple/simple"):
        write(f"{folder}/index.html", b"<!DOCTYPE html>")
        write(f"{folder}/index.v1.json", b"{}")
    write("trixie/simple/load/load-1-py3-none-any.whl", b"w" * 100)
    write("project/simple/index.html", b"<!DOCTYPE html>")
    write("project/simple/json/index.json", b"{}")
    write("search/0123456789abcdef0123.gz", b"names")


def check_view(name, get, where=lambda headers: headers["Location"]):
    """The files of make_view, and a link of /project/Load to load."""
    for path in ("/trixie/simple/", "/trixie/simple/load/", "/simple/simple/"):
        for accept in (JSON, "text/html"):
            status, headers = get(path, Accept=accept)
            equal(f"{name}: {path} as {accept}", (status, headers["Content-Type"].split(";")[0], headers["Vary"], headers["Cache-Control"]),
                  (200, accept, "Accept", "no-cache"))
    status, headers = get("/trixie/simple/load/load-1-py3-none-any.whl")
    equal(f"{name}: a view's wheel", (status, headers["Content-Type"], headers["Cache-Control"]), (200, "application/zip", "no-cache"))
    for form in ("index.html", "index.v1.json"):
        status, headers = get(f"/trixie/simple/load/{form}")
        equal(f"{name}: a view's {form}", (status, headers["Content-Type"].split(";")[0], headers["Cache-Control"]),
              (200, "text/html" if form == "index.html" else JSON, "no-cache"))
    status, headers = get("/search/0123456789abcdef0123.gz")
    equal(f"{name}: what is called after its bytes is kept for good", (status, headers["Cache-Control"], headers["Content-Encoding"] or ""),
          (200, "max-age=31536000, immutable", ""))
    for path, wanted in (("/trixie/simple/Load/", "/trixie/simple/load/"), ("/trixie/simple/load", "/trixie/simple/load/"),
                         ("/trixie/simple/Load/load-1-py3-none-any.whl", "/trixie/simple/load/load-1-py3-none-any.whl")):
        status, headers = get(path)
        equal(f"{name}: {path}", (status, where(headers)), (301, wanted))
    for path, kind in (("/project/simple/", "text/html"), ("/project/simple/json/", "application/json")):
        status, headers = get(path, Accept=JSON)
        equal(f"{name}: {path} is no index", (status, headers["Content-Type"].split(";")[0]), (200, kind))
