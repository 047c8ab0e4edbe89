#!/usr/bin/python3
"""The pages that people read: all are there and lead to each other; whatever packages say of themselves is text on them; an
operator's templates, colour and notice are used, and a template that is wrong keeps the page of before and is named with its line.

TEST-TIMEOUT: 240
"""

import gzip
import html.parser
import json
import re
import sys

import farm as farms
import score
from score import check

PAGES = ("index.html", "packages.html", "stats.html", "faq.html", "json.html", "404.html", "site.css", "search.js", "favicon.svg",
         "sitemap.xml", "packages.json", "search/index.json")
TURNS = [*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x2028, 0x2029]
HOSTILE = "</title><script>alert(1)</script><img src=x onerror=alert(2)>\"' {{site_name}} " + "".join(map(chr, TURNS))
TAGS = {"script", "img", "iframe", "object", "style", "base", "form", "input", "button"}
STAMP = "2026-11-30T13:48:18,042 "  # as pip's own log has before each line
LOG = (["Collecting rough==1"] + [f"gcc -c {n}.c" for n in range(6000)] + [HOSTILE.replace("\u2028", " ").replace("\u2029", " "),
       f"{STAMP}  \x1b[1mModuleNotFoundError\x1b[0m: No module named 'numpy'", f"{STAMP}ERROR: Failed building wheel for rough"])


class Page(html.parser.HTMLParser):
    """What of a page a browser would act upon."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.links, self.ids, self.events, self.text = [], [], set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("href", "src", "action"):
                self.links.append(value)
            if name == "id":
                self.ids.add(value)
            if name.startswith("on") or name == "style":
                self.events.append((tag, name))

    def handle_data(self, data):
        self.text.append(data)


def fill(farm):
    quoted = HOSTILE.replace("'", "''")
    farm.psql(f"""
        INSERT INTO packages VALUES ('rough', '', '{quoted[:200]}'), ('fine', '', 'A fine thing');
        INSERT INTO versions (package, version, released, yanked, skip) VALUES ('rough', '1', '2024-01-01', true, ''),
            ('rough', '2', '2024-01-02', false, '{quoted[:100]}'), ('fine', '1.0', '2024-01-01', false, ''), ('fine', '1.1', '2024-02-01', false, '');
        INSERT INTO builds (package, version, built_by, built_at, duration, status, abi_tag) VALUES
            ('rough', '1', 1, now() AT TIME ZONE 'UTC', '1 s', false, 'cp311'), ('fine', '1.0', 1, now() AT TIME ZONE 'UTC', '61 s', true, 'cp311');
        INSERT INTO files SELECT 'fine-1.0-cp311-cp311-linux_armv7l.whl', build_id, 1500, repeat('ab', 32), 'fine', '1.0', 'cp311', 'cp311',
            'linux_armv7l', NULL FROM builds WHERE status;
        INSERT INTO dependencies SELECT filename, 'apt', d FROM files, unnest('{{libc6,libgcc-s1,zlib1g,libfine2}}'::text[]) d;
        INSERT INTO downloads (filename, accessed_by, accessed_at, arch, distro_name, distro_version, py_version) SELECT
            'fine-1.0-cp311-cp311-linux_armv7l.whl', '::1', now() AT TIME ZONE 'UTC', '{quoted[:50]}', 'Debian GNU/Linux', '12', v
            FROM unnest('{{3.11.2,3.11.9,99.<b>}}'::text[]) v;
        INSERT INTO piw.attempts (slave_id, package, version, abi_tag, state, cause, ended, next_try) SELECT 1, 'fine', '1.1', 'cp311',
            'transient', 'no space left on device', now() AT TIME ZONE 'UTC', '2100-01-02 03:04';
        SELECT piw.drain(1000)""")
    for (number,) in farm.rows("SELECT build_id FROM builds"):
        path = farm.www / "logs" / "0000" / "0000" / f"{int(number):04}.txt.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress("\n".join(LOG).encode(), mtime=0))
    for path in (farm.www, *farm.below(farm.www)):
        farm.own(path)


def read(farm, name):
    """A page, unpacked."""
    path = farm.www / name
    data = path.read_bytes()
    return (gzip.decompress(data) if name.endswith(".gz") else data).decode()


def rebuild(farm, *what):
    return farm.run([farm.program("piw-rebuild"), "-c", farm.configuration(), "--yes", "--import-queue", farm.socket("import"), *what], check=False)


def everything_is_there(farm):
    for name in PAGES:
        check(f"there: {name}", (farm.www / name).is_file())
    lost = []
    for name in (*PAGES[:6], "project/fine/index.html", "project/rough/index.html"):
        page = Page(read(farm, name))
        for link in page.links:
            if link.startswith(("https://pypi.org/", "#")) or link.endswith(".whl"):
                continue
            link, _, fragment = link.partition("#")
            if fragment and fragment not in Page(read(farm, link)).ids:
                lost.append(f"{name}: #{fragment} of {link}")
            target = (farm.www / link.lstrip("/")) if link.startswith("/") or name == "404.html" else (farm.www / name).parent / link
            target = target.resolve()
            if not any(p.exists() for p in (target, target / "index.html", target.with_name(target.name + ".gz"))):
                lost.append(f"{name}: {link}")
            if "://" in link:
                lost.append(f"{name} leads elsewhere: {link}")
        if page.events:
            lost.append(f"{name}: {page.events}")
    check("there: what pages lead to", not lost, lost)
    titles = {name: re.search("<title>(.*)</title>", read(farm, name)).group(1) for name in PAGES[:6]}
    check("there: titles say which page of which site it is", len(set(titles.values())) == 6 and
          all(title == "piwheels" or title.endswith(" - piwheels") for title in titles.values()), titles)


def words_are_right(farm):
    fine = read(farm, "project/fine/index.html")
    check("project: what a plain system has isn't to be installed", "<code>sudo apt install libfine2\npip3 install" in fine and "libc6" not in fine)
    check("project: why, and when it is tried next", "tried once, and failed because of the machine, not of the package "
          "(no space left on device). The next try is after 2100-01-02 03:04 UTC." in fine, fine[-3000:])
    check("project: duration, size, downloads", all(word in fine for word in ("1m 1s", "1.5 KB", "3 downloads in 30 days")))
    table = fine[fine.index('<table class="versions">'):].split("</table>")[0]
    check("project: how long a build took stands in the table of versions", re.search(r">built</a><span class=\"sub\">1m 1s</span>"
          r"<span class=\"sub\">20\d\d-\d\d-\d\d</span></td>", table) and "title=" not in table, table)
    check("project: downloads of a version and of a file", '<td class="num">3</td>' in table and
          '<td class="num">3<span class="sub">3 in all</span></td>' in fine.split("</table>")[1], fine)
    check("project: yanked, in words", "installers avoid it" in read(farm, "project/rough/index.html"))
    home, stats = read(farm, "index.html"), read(farm, "stats.html")
    check("home: what has wheels is counted", "<strong>1</strong> so far" in home)
    check("home: the real address", "http://wheels.test/simple PACKAGE" in home and "extra-index-url = http://wheels.test/simple" in home)
    check("home: last builds", home.count('class="state ') == 2 and 'href="logs/0000/0000/0001.html"' in home)
    check("stats: builds, downloads and their kinds of today", all(word in stats for word in (
        "built: 1<", "failed: 1<", "downloads: 3<", ">3.11</span>", ">Debian 12</span>", ">other</span>")), stats[-4000:])


def json_is_described(farm):
    """The page for who reads a project's document names each of its members, and none that isn't there."""
    document = json.loads(read(farm, "project/fine/json/index.json"))
    release = document["releases"]["1.0"]
    there = {*document, *release, *next(iter(release["files"].values()))}
    cells = re.findall(r'<td class="members">(.*?)</td>', read(farm, "json.html"))
    told = set(re.findall(r"<code>(\w+)</code>", "".join(cells)))
    check("json: its page names its members", told == there | {"views"}, told ^ there)


def nothing_is_run(farm):
    seen = {}
    for name in ("project/rough/index.html", "logs/0000/0000/0001.html.gz", "index.html", "stats.html", "packages.html"):
        text = read(farm, name)
        page = Page(text)
        wrong = [hex(ord(c)) for c in text if ord(c) in TURNS]
        scripts = page.tags.count("script") - ("search.js" in text)
        if wrong or page.events or scripts or "img" in page.tags or (not name.endswith(("index.html", "packages.html")) and TAGS & set(page.tags)):
            seen[name] = (wrong, page.events, sorted(set(page.tags)))
    check("hostile: nothing of it is markup, nor turns text", not seen, seen)
    rough = read(farm, "project/rough/index.html")
    check("hostile: it can be read", "[U+202E]" in rough and "&lt;script&gt;alert(1)" in rough and "{{site_name}}" in rough)


def log_page(farm):
    text = read(farm, "logs/0000/0000/0001.html.gz")
    page = Page(text)
    number = next(n for n, line in enumerate(LOG, 1) if "ModuleNotFoundError" in line)
    check("log: the error comes first", text.find(f'<li class="err"><a href="#L{number}">') in range(text.index('<li id="L1"')), text[:3000])
    check("log: no colours are shown", f"<code>{STAMP}  ModuleNotFoundError: No module named" in text, text[:3000])
    check("log: lines can be linked to", {"L1", "L2", f"L{number}"} <= page.ids)
    check("log: the middle of a long one is left out", "L3000" not in page.ids and re.search(r"… [0-9,]+ lines are left out", text))
    check("log: the project leads to it", "../../logs/0000/0000/0001.html" in read(farm, "project/rough/index.html"))


def every_log(farm):
    """A version that was built 130 times in other years: the table shows the last of them, the rest have their place below, and every log
    has a page in the end."""
    farm.psql("INSERT INTO packages VALUES ('often'); INSERT INTO versions (package, version) VALUES ('often', '1'), ('often', '2'); "
              "UPDATE versions SET skip = 'deleted' WHERE package = 'often' AND version = '2'; "
              "INSERT INTO builds (build_id, package, version, built_by, built_at, duration, status, abi_tag) SELECT 200 + n, 'often', "
              "CASE WHEN n = 131 THEN '2' ELSE '1' END, 1, timestamp '2020-01-01' + n * interval '1 hour', n * interval '1 s', false, 'cp311' "
              "FROM generate_series(1, 132) n")
    folder = farm.www / "logs" / "0000" / "0000"
    for number in range(201, 332):
        (folder / f"{number:04}.txt.gz").write_bytes(gzip.compress(b"error: in vain\n", mtime=0))
        farm.own(folder / f"{number:04}.txt.gz")
    rebuild(farm, "project", "often")
    text = read(farm, "project/often/index.html")
    links = re.findall(r'"\.\./\.\./logs/0000/0000/(\d{4})\.(\w+)"', text)
    table, others = text.split("<details>")
    check("logs: the table has the newest build", "0332.txt" in table and "../../logs/0000/0000/0331" not in text)
    check("logs: each of the other builds has a way to its log", {int(number) for number, _ in links} == {*range(201, 331), 332} and
          "their logs: 130<" in others, links)
    check("logs: some have pages", 0 < len([kind for _, kind in links if kind == "html"]) < 131, links)
    for _ in range(10):
        rebuild(farm, "project", "often")
    kinds = re.findall(r'"\.\./\.\./logs/0000/0000/0[23]\d\d\.(\w+)">failed', read(farm, "project/often/index.html").split("<details>")[1])
    check("logs: in the end all have", kinds == ["html"] * 130, kinds)


def large_logs(farm):
    """Of a log that is larger than what is looked at the page has its beginning and its end, and their lines have their numbers."""
    many = ["Collecting large==1"] + [f"gcc -c {n}.c {'x' * 60}" for n in range(300000)] + ["a.c:1:2: error: at the end", "bye"]
    long = ["Collecting large==1", "=" * (20 << 20), "a.c:1:2: error: behind it", "bye"]
    logs = {400: "\n".join(many), 401: "\n".join(long) + "\n", 402: "x" * (20 << 20)}
    farm.psql("INSERT INTO packages VALUES ('large'); INSERT INTO versions (package, version) VALUES ('large', '1'); "
              "INSERT INTO builds (build_id, package, version, built_by, built_at, duration, status, abi_tag) SELECT n, 'large', '1', 1, "
              "now() AT TIME ZONE 'UTC' + n * interval '1 s', '1 s', false, 'cp311' FROM generate_series(400, 402) n")
    for number, text in logs.items():
        path = farm.www / "logs" / "0000" / "0000" / f"{number:04}.txt.gz"
        path.write_bytes(gzip.compress(text.encode(), 1, mtime=0))
        farm.own(path)
    rebuild(farm, "project", "large")
    pages = [read(farm, f"logs/0000/0000/{number:04}.html.gz") for number in logs]
    parts = [Page(page) for page in pages]
    count, left_out = len(many), len(many) - 1000 - 3000
    check("large: its lines have their numbers", {"L1", "L1000", f"L{count - 1}", f"L{count}"} <= parts[0].ids and "L1001" not in parts[0].ids and
          f'<a href="#L{count - 1}">' in pages[0], sorted(parts[0].ids)[-5:])
    check("large: what is left out is counted", re.search(rf"… {left_out:,} lines are left out", "".join(parts[0].text)), pages[0][-600:])
    check("large: behind a line that never seems to end", {"L1", "L3", "L4"} <= parts[1].ids and '<a href="#L3">' in pages[1], parts[1].ids)
    check("large: of a single line nothing is shown", not any(name.startswith("L") for name in parts[2].ids), parts[2].ids)


def feeds(farm):
    """The task that writes them doesn't run here; then it does, or did."""
    names = ("index.html", "faq.html", "json.html", "project/fine/index.html")
    leading = [name for name in names if ".atom" in read(farm, name)]
    check("feeds: where there are none no page leads to one", not leading, leading)
    (farm.www / "feeds").mkdir()
    (farm.www / "feeds" / "new.atom").write_text("<feed/>")
    for path in (farm.www / "feeds", farm.www / "feeds" / "new.atom"):
        farm.own(path)
    rebuild(farm, "home")
    rebuild(farm, "project", "fine")
    farm.wait("links to feeds", lambda: all(".atom" in read(farm, name) for name in names), 60)
    check("feeds: where there are some pages lead to them", '<a href="feed.atom">' in read(farm, "project/fine/index.html"))


def operators_own(farm):
    folder = farm.dir / "templates"
    folder.mkdir()
    folder.chmod(0o755)

    def put(name, text):
        (folder / name).write_text(text)
        (folder / name).chmod(0o644)

    farm.stop_process(farm.master)
    farm.site_options.update({"templates": folder, "notice": "Closed on <Sundays>", "accent": '"#123abc"', "name": "Ours & \"theirs\"",
                              "base-url": "http://wheels.test/below/"})
    put("foot.html", "<p>{{site_name}} by its operator</p></body></html>\n")
    farm.start_master()
    farm.wait("the operator's template", lambda: "Ours &amp; &quot;theirs&quot; by its operator" in read(farm, "index.html"), 30)
    check("own: what is to be pasted for uv is TOML whatever the site's name", '\nname = "wheels"\nurl = "http://wheels.test/below/simple"<' in
          read(farm, "faq.html"))
    links = Page(read(farm, "404.html")).links
    check("own: below a path of its host, too, the page of what isn't there leads to what is", links and
          all(link.startswith(("/below/", "#", "https://pypi.org/")) for link in links), links)
    check("own: template, notice and colour", "Closed on &lt;Sundays&gt;" in read(farm, "faq.html") and "--accent: #123abc" in read(farm, "site.css"))
    before = read(farm, "project/fine/index.html")
    put("project.html", "{{>head.html}}\n<p>mine</p>\n{{nmae}}\n")
    told = rebuild(farm, "project", "fine").stderr
    found = farm.wait_log(farm.master, r"the pages of fine aren't written: (.*)$").group(1)
    check("wrong: file and line are said", found == f"{folder}/project.html:3: {{{{nmae}}}} is a name that this page doesn't have", found)
    check("wrong: to who asked, too", found in told, told)
    check("wrong: the page of before stays", read(farm, "project/fine/index.html") == before)
    put("faq.html", "{{#open}}")
    put("index.html", "<p>{{packages}} is mine</p>")
    rebuild(farm, "home")
    farm.wait_log(farm.master, r"the home page isn't written: \S+/faq.html:1: \{\{#open\}\} is never closed")
    check("wrong: other pages are written", farm.wait("the home page", lambda: read(farm, "index.html") == "<p>1 is mine</p>\n<!-- end -->\n", 30))
    put("project.html", "<p>{{name}}, mine</p>")
    farm.wait("the page, once its template is right", lambda: read(farm, "project/fine/index.html") == "<p>fine, mine</p>\n<!-- end -->\n", 60)
    check("wrong: mended, it is taken by itself", True)
    put("project.html", "{{nmae}}")
    farm.psql("INSERT INTO packages VALUES ('late', '', 'A late thing'); INSERT INTO package_names (package, name) VALUES ('late', 'late')")
    told = rebuild(farm, "index", "late").stderr
    check("wrong: who asks for a new package is told", "{{nmae}}" in told, told)
    farm.wait("the root list", lambda: 'href="late/"' in read(farm, "simple/index.html"), 30)
    check("wrong: installers find what is new", "Links for late" in read(farm, "simple/late/index.html") and
          "A late thing" in read(farm, "project/late/json/index.json"))
    put("log.html", "{{#never}}")
    put("project.html", "<p>{{name}} without a log's page</p>")
    for path in farm.www.glob("logs/0000/0000/*.html.gz"):
        path.unlink()
    told = rebuild(farm, "project", "fine").stderr
    check("wrong: a log's template is named", f"{folder}/log.html:1: " in told, told)
    check("wrong: the project's page is written", read(farm, "project/fine/index.html") == "<p>fine without a log's page</p>\n<!-- end -->\n")


def operators_slips(farm):
    """Settings that can't be used are named at the start, and no page is made worse by them."""
    farm.stop_process(farm.master)
    before = read(farm, "stats.html")
    farm.site_options.update({"templates": farm.dir / "tmeplates", "notice": "x" * 1001, "accent": "red", "base-url": "wheels.test"})
    farm.start_master()
    for words in (r"\[site\] base-url is \"wheels.test\", which is no address like \S+: the pages tell people to install from http://\S+/simple$",
                  r"\[site\] accent is no colour like #2b6cb0", r"site.notice is longer than 1000 bytes",
                  rf"the home page isn't written: the folder of templates, {farm.dir}/tmeplates, can't be used: No such file or directory"):
        farm.wait_log(farm.master, words)
    check("slips: each is said", True)
    rebuild(farm, "home")
    check("slips: without the folder of templates pages stay as they were", read(farm, "stats.html") == before)
    (farm.dir / "templates").rename(farm.dir / "tmeplates")
    farm.wait("the page, once its template is there", lambda: "by its operator" in read(farm, "stats.html") and read(farm, "stats.html") != before, 60)
    check("slips: mended, it is taken by itself; an address that is none isn't used", "://wheels.test" not in read(farm, "json.html") and
          "wheels.test/simple" not in read(farm, "json.html") and "--accent: #2f7d57" in read(farm, "site.css"), read(farm, "json.html"))


def main():
    with farms.Farm() as farm:
        farm.prepare()
        farm.start_postgres()
        farm.create_database(["cp311"])
        fill(farm)
        farm.start_pypi()
        farm.start_master()
        farm.wait_log(farm.master, r"\[site\] base-url isn't set: the pages tell people to install from http://")
        check("start: an address that isn't set is said", True)
        farm.stop_process(farm.master)
        farm.site_options = {"base-url": "http://wheels.test/"}
        farm.start_master()
        farm.wait("pages of all packages", lambda: farm.pages_form() == "all", 60)
        farm.wait("the site's own pages", lambda: all((farm.www / name).exists() for name in PAGES), 60)
        farm.wait("the site's address", lambda: "http://wheels.test/simple PACKAGE" in read(farm, "index.html"), 60)
        farm.wait("links to the logs' pages", lambda: "logs/0000/0000/0001.html" in read(farm, "index.html"), 90)
        for step in (everything_is_there, words_are_right, json_is_described, nothing_is_run, log_page, every_log, large_logs, feeds, operators_own, operators_slips):
            step(farm)
        if score.failures:
            farm.show_logs()
    return score.code()


if __name__ == "__main__":
    sys.exit(score.run([main]))
