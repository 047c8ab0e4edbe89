#!/usr/bin/python3
"""piw-monitor on large screens: builds, failures, queues and a log beside the slaves, of a real master with builds going through;
what it says where those can't be asked for; search; another size at any moment; a master that dies. And that on 80×24 nothing
of this is seen: that screen is compared with the one that it always had, cell by cell.

TEST-TIMEOUT: 300
"""

import datetime
import re
import sys

import clerk
import farm as farms
import load as loads
import score
from score import check, equal
import screen
from test_causes import ctl
from test_monitor import args, builder, is_free, shows, until
import wire

ABIS = ("cp39", "cp311")
LOG = ("2026-11-29T21:25:27,747 Collecting x\n" + "2026-11-29T21:25:27,747   word\tword\n" * 40 +
       "x.c:3:10: fatal error: \x1b[2J\x1b]0;owned\x07nothing.h: No such file\n" + "wide " + "日本語" * 900 + "\nthe end\n")

# The screen on 80×24, `{…}` before what has these attributes.
ON_80_BY_24 = r"""{reverse} {bold reverse}farm-1, up 400d, Debian GNU/Linux 12 (bookworm){reverse}                       {bold reverse}4 slaves
 Builds/h   {bold}352{}                       {36}▇{}  Disk       {bold}60%{}            {32}▄{} {dim}40.0G free{}
 Pending     {bold}13{}                       {36}▇{}  Memory     {bold}25%{}            {32}▂{}  {dim}6.0G free{}
 New/h        {bold}3{}                       {36}▅{}  Load       {bold}2.5{}            {32}▇{}
 Downl./h    {bold}17{}                       {36}▇{}  CPU temp   {bold}48C{}            {32}▄{}
                                         Swap        {bold}0%{}            {32}▁{}  {dim}1.0G free{}
 12.3k packages, 23.5k files, 78.0GB, 1h00m; 30.0k downloads/month, 4.0M ever
{reverse}    ID SLAVE           STATE                      SINCE DISK  MEM SWAP LOAD TEMP
{bold reverse}>{reverse}  {bold reverse}all slaves{32 reverse}  1 building  1 done{reverse}  1 idle{33 reverse}  1 paused{reverse}
{dim}─{36 bold} cp39  9 pending, 352 built in the last hour {dim}─────────────────────{} 3 slaves {dim}───
 {32}►{33 bold}!{}  1 pi-9            {32}builds numpy 1.26.4{}        >400d  {33 bold}94!{}   50    0  3.2  {33 bold}75!
 {33}={33 bold}!{}  2 pi-11           {33}paused{}                     >400d  {33 bold}94!{}   50    0  3.2  {33 bold}75!
 {32}-{33 bold}!{}  3 日本            {32}done{}                       >400d  {33 bold}94!{}   50    0  3.2  {33 bold}75!
{dim}─{36 bold} cp311  0 pending, 0 built in the last hour {dim}──────────────────────{} 1 slave {dim}────
 ·{33 bold}!{}  4 \x1b[2Jodd      idle                       >400d  {33 bold}94!{}   50    0  3.2  {33 bold}75!
{dim}─{36 bold} cp313  4 pending, 0 built in the last hour {dim}───────────────────────{33 bold} no slave! {dim}─







{bold reverse} ? {}Help {bold reverse} q {}Quit {bold reverse} p {}Pause {bold reverse} r {}Resume {bold reverse} s {}Skip {bold reverse} k {}Kill {bold reverse} z {}Sleep {bold reverse} w {}Wake {bold reverse} t {}Terminate"""


class Styled(screen.Screen):
    """Knows the attributes of cells too."""

    def resize(self, rows, columns):
        super().resize(rows, columns)
        self.attributes, self.styles = [], [[""] * columns for _ in range(rows)]

    def put(self, character):
        super().put(character)
        if self.column > 0:
            self.styles[self.row][self.column - 1] = " ".join(self.attributes)

    def sequence(self, numbers, final):
        if final == "m":
            for number in numbers:
                name = {1: "bold", 2: "dim", 7: "reverse"}.get(number, str(number))
                kept = [] if number == 0 else [one for one in self.attributes if number < 30 or one.isalpha()]
                self.attributes = sorted({*kept, *([] if number in (0, 39) else [name])})
        super().sequence(numbers, final)

    def styled(self):
        made = []
        for cells, styles in zip(self.cells, self.styles):
            line, last = "", ""
            for cell, style in zip(cells, styles):
                line += f"{{{style}}}{cell}" if style != last else cell
                last = style
            made.append(line.rstrip())
        return "\n".join(made)


class Played:
    """A stock master, whose whole farm is told in words that don't change with time."""

    def __init__(self, farm):
        self.listeners = [wire.Listener(farm.dir / "s" / f"played-{name}", kind)
                          for name, kind in (("status", b"PUB"), ("control", b"PULL"))]
        self.peers = []

    def args(self, farm, *more):
        return [*args(farm), "--status-queue", farm.socket("played-status"), "--control-queue", farm.socket("played-control"),
                *more]

    def tell(self):
        self.peers = [clerk.accept(listener) for listener in self.listeners]
        status = self.peers[0]
        equal("played.subscribes", status.receive(30 * farms.PATIENCE), [b"\x01"])
        now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
        old, hour, gigabyte = now - datetime.timedelta(days=400), datetime.timedelta(hours=1), 1 << 30
        say = lambda *message: status.send(wire.cbor_encode(list(message)))
        say("HELLO", [old, "farm-1", "Debian GNU/Linux", "12 (bookworm)", "unknown", "unknown"])
        say("STATS", [now, 12345, {"cp39": 352}, hour, 78 * gigabyte, {"cp39": 9, "cp311": 0, "cp313": 4}, 3, 23456, 17, 30000, 4000000,
                      100 * gigabyte, 40 * gigabyte, 8 * gigabyte, 6 * gigabyte, gigabyte, gigabyte, 2.5, 48.0])
        for number, label, abi, word, data in ((1, "pi-9", "cp39", "BUILD", ["numpy", "1.26.4"]), (2, "pi-11", "cp39", "SLEEP", True),
                                               (3, "日本", "cp39", "DONE", wire.NODATA), (4, "\x1b[2Jodd", "cp311", "SLEEP", False)):
            minutes = datetime.timedelta(minutes=300)
            hello = [minutes, minutes, abi[2:], abi, "linux_armv7l", label, "Raspbian", "12", "c03112", "1"]
            stats = [old, 32 * gigabyte, 2 * gigabyte, gigabyte, gigabyte // 2, gigabyte, gigabyte, 3.25, 75.0]
            for kind, about in (("HELLO", hello), ("STATS", stats), (word, data)):
                say("SLAVE", [number, old, kind, about])

    def close(self):
        for each in (*self.peers, *self.listeners):
            each.close()


def test_small(farm):
    """80×24 is as it always was, though this master has an admin queue."""
    played = Played(farm)
    with screen.Terminal([*farm.drop, *played.args(farm, "--admin-queue", farm.socket("admin"))],
                         {**farm.env, "TERM": "xterm-256color"}, 24, 80, farms.PATIENCE) as monitor:
        monitor.screen = Styled(24, 80)
        played.tell()
        shows("small.told", monitor, r"odd ")
        monitor.send("\x0c")
        for _ in range(100 * farms.PATIENCE):
            if monitor.screen.styled() == ON_80_BY_24 or not monitor.read(0.1):
                break
        equal("small.screen", monitor.screen.styled().splitlines(), ON_80_BY_24.splitlines())
        monitor.send("q")
        equal("small.ends", monitor.end(), 0)
    played.close()



def test_stock(farm):
    """A large screen before a master that can't be asked for more says so in one line, and has all else."""
    played = Played(farm)
    why = r"^ No builds, queues and log: "
    with screen.Terminal([*farm.drop, *played.args(farm, "--admin-queue", farm.socket("nobody"))],
                         {**farm.env, "TERM": "xterm-256color"}, 43, 132, farms.PATIENCE) as monitor:
        played.tell()
        shows("stock.says why", monitor, why + r"no master answers at ipc://\S+/nobody, where")
        shows("stock.slaves", monitor, r"^ ► *!? +1 pi-9 +builds numpy 1.26.4 .* 75!")
        monitor.resize(24, 80)
        shows("stock.small", monitor, why, gone=True)
        monitor.resize(60, 200)
        shows("stock.large again", monitor, why)
    played.close()
    played = Played(farm)
    with screen.Terminal([*farm.drop, *played.args(farm, "--admin-queue", farm.socket("admin"))],
                         {**farm.env, "TERM": "xterm-256color"}, 43, 200, farms.PATIENCE) as monitor:
        played.tell()
        shows("stock.another master's admin queue", monitor, why + r"the master at \S+ has its status queue at ipc://\S+/status")
    played.close()


def test_rights(farm):
    """Who may see slaves, but not ask the master."""
    if not farm.as_root:
        score.skip("rights", "it takes root to be somebody else")
        return
    drop = ["setpriv", "--pdeathsig", "TERM", "--reuid", "daemon", "--regid", "nogroup", "--clear-groups", "--"]
    with screen.Terminal([*drop, *args(farm), "--admin-queue", farm.socket("admin")], {**farm.env, "TERM": "xterm-256color"},
                         43, 132, farms.PATIENCE) as monitor:
        shows("rights.says why", monitor, r"^ No builds, queues and log: ipc://\S+/admin may not be used by this user: only root")
        shows("rights.slaves", monitor, r"slaves *$")
        monitor.send("q")
        equal("rights.ends", monitor.end(), 0)


def width_of(line):
    return sum(2 if "\u3000" < character < "\uff00" else 1 for character in line)


def test_panes(farm, monitor, slave):
    """Builds as they come, at 132×43."""
    shows("panes.nothing yet", monitor, r"0 failures of the last 0 builds")
    load = loads.Load(farm, "--builds", "6", "--slaves", "2", "--abi", "cp39", "--poll", "100ms")
    shows("panes.builds", monitor, r" \d+ +\d+s cp39   load-\d+ 1\.0 +\d+s built *$", timeout=60)
    shows("panes.no failure", monitor, r"0 failures of the last 6 builds", timeout=60)
    shows("panes.a log", monitor, r"^─ Log of build \d+: load-\d+ 1\.0 for cp39, built by slave \d+ load\d ")
    load.process.popen.wait(60 * farms.PATIENCE)
    farm.forget(load.process)
    shows("panes.queue", monitor, r" cp311 +\d+ +0 +0 +2 *$")
    shows("panes.next", monitor, r" next for cp(39|311): *$")
    check("panes.gets a build", until(slave.idle, lambda answer: answer[0] == "BUILD"))
    slave.fail(LOG)
    shows("panes.failure", monitor, r"1 failure of the last 7 builds")
    shows("panes.its log", monitor, r"^─ Log of build \d+: load-\d+ 1\.0 for cp311, failed by slave \d+ pi-311 ")
    place = shows("panes.error first", monitor, r"^ x\.c:3:10: fatal error: \S+2J\S+owned\S+nothing\.h: No such file")
    check("panes.below its title", place and monitor.lines()[place[0] - 1].startswith("─ Log of build"), monitor.text())
    shows("panes.tail", monitor, r"^ the end")
    shows("panes.cut", monitor, r"^ wide 日本語.*…$")
    shows("panes.tabs are blanks, stamps left out", monitor, r"^   word word")
    check("panes.hostile", b"owned\x07" not in monitor.raw and b"\x1b]" not in monitor.raw)
    check("panes.lines", all(width_of(line) <= 132 for line in monitor.lines()), monitor.text())


def test_sizes(monitor):
    """Another size at any moment."""
    for rows, columns in ((60, 200), (24, 80), (30, 120), (29, 200), (43, 119), (12, 40), (3, 20), (1, 1), (43, 132)):
        monitor.resize(rows, columns)
        large = rows >= 30 and columns >= 120
        if rows >= 12:
            shows(f"sizes.{columns}x{rows}", monitor, r"pi-311 +done load-\d+|3 done|1 done|done load-")
        else:
            shows(f"sizes.{columns}x{rows}", monitor, r"^too small$|^…$|^t$|^~$")
        shows(f"sizes.{columns}x{rows} panes", monitor, r"1 failure of the last 7 builds", gone=not large)
        check(f"sizes.{columns}x{rows} known", not monitor.screen.unknown, monitor.screen.unknown)
        if rows == 60:
            shows("sizes.slaves of builds", monitor, r"load-\d+ 1\.0 +\d+ pi-311 +1s failed *$")


def test_search(farm, monitor, slave):
    zero = builder(farm, "Garage", "cp39", board="902120")
    zero.idle()
    shows("search.slave", monitor, r" Garage ")
    monitor.send("/PI-3")
    shows("search.counts", monitor, r"^/PI-3. 1 slave; Enter")
    monitor.send("9x")
    shows("search.none", monitor, r"^/PI-39x. 0 slaves; Enter")
    monitor.send("\x7f\x7f\r")
    shows("search.by label", monitor, r"^>.* pi-311 ")
    shows("search.its log", monitor, r"^─ Log of build \d+: .* by slave \d+ pi-311 ")
    monitor.send("/zero 2\r")
    shows("search.by board", monitor, r"^>.* Garage ")
    shows("search.nothing to show", monitor, r"^─ Log: no build is known whose it could be")
    monitor.send(f"/{slave.id}\r")
    shows("search.by number", monitor, rf"^>.* {slave.id} pi-311 ")
    monitor.send("/CP3\rn")
    chosen = monitor.wait(r"^>.* (Garage|pi-other|load\d) ")
    check("search.next", chosen, monitor.text())
    monitor.send("N")
    shows("search.back", monitor, r"^>.* pi-other ")
    monitor.send("/nobody\r")
    shows("search.said", monitor, r"no slave has 'nobody' as its number or in its label, ABI")
    monitor.send("/kqt")
    shows("search.keys are text", monitor, r"^/kqt")
    monitor.send("\x1b")
    shows("search.left", monitor, r"^/kqt", gone=True)
    check("search.harmless", is_free(until(slave.idle, is_free)) and farm.master.running())
    slave.fail()
    zero.bye()
    zero.close()


def test_away(farm, monitor):
    """What the database isn't asked for goes on without it."""
    check("away.disabled", ctl(farm, "disable", "seraph", "--force").returncode == 0)
    shows("away.said", monitor, r" the database can't be asked now \(")
    shows("away.builds are old", monitor, r"─ Builds ─.* as of \d+\w+ ago ─")
    shows("away.queues", monitor, r"─ Queues ─.* as of \d+\w+ ago ─", gone=True)
    check("away.enabled", ctl(farm, "enable", "seraph").returncode == 0)
    shows("away.over", monitor, r" the database can't be asked now ", gone=True)


def test_gone(farm, monitor):
    """A master that dies, and comes again."""
    farm.master.kill()
    shows("gone.said", monitor, r"the master has gone *$")
    shows("gone.panes are old", monitor, r"─ as of \d+\w+ ago ─")
    farm.restart_master()
    shows("gone.panes are new", monitor, r" as of \d+\w+ ago ", timeout=60, gone=True)
    shows("gone.builds", monitor, r"failures of the last 8 builds", timeout=60)
    monitor.send("t")
    shows("gone.asks before it terminates", monitor, r"Terminate the master on ")
    monitor.send("n")
    shows("gone.no", monitor, r"Terminate the master", gone=True)
    check("gone.goes on", farm.master.running())
    monitor.send("q")
    equal("gone.ends", monitor.end(), 0)
    check("gone.restored", monitor.restored(), monitor.raw[-200:])


def test_large(farm):
    slave, other = builder(farm, "pi-311"), builder(farm, "pi-other")
    with screen.Terminal([*farm.drop, *args(farm), "--admin-queue", farm.socket("admin")],
                         {**farm.env, "TERM": "xterm-256color"}, 43, 132, farms.PATIENCE) as monitor:
        test_panes(farm, monitor, slave)
        test_sizes(monitor)
        test_search(farm, monitor, slave)
        slave.close()
        other.close()
        test_away(farm, monitor)
        test_gone(farm, monitor)


def main():
    with farms.Farm() as farm:
        farm.prepare()
        farm.start_postgres()
        farm.create_database(abis=ABIS)
        loads.fill(farm, 30, 1)
        farm.folder("pypi")
        farm.start_pypi()
        farm.start_master()
        score.run([test_small, test_stock, test_rights, test_large], farm)
        if score.failures:
            farm.show_logs()
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
