#!/bin/sh
# Apache 2.4 writes into the pipe of a log program after it has told that program to end.
#
# Expected: on a graceful restart ("SIGUSR1: the parent advises the children to exit after their current request") a
# piped log program is told to end once the children that write to it have ended, or finds the end of its input then.
# Seen: it gets SIGTERM at once. A program that obeys loses the line of each download that was under way.
set -u
apache=2.4.71-1~deb12u1 apr=1.7.2-3+deb12u1 aprutil=1.6.3-1+deb12u1

dir=$(mktemp -d) || exit 2
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; wait; rm -rf "$dir"' EXIT
cd "$dir" || exit 2
apt-get -qq download "apache2-bin=$apache" "libapr1=$apr" "libaprutil1=$aprutil" >/dev/null 2>&1 ||
    { echo "the packages can't be downloaded"; exit 2; }
for package in ./*.deb; do dpkg -x "$package" root || exit 2; done
LD_LIBRARY_PATH=$(echo root/usr/lib/*/ | sed "s|^|$dir/|; s|/\$||")
export LD_LIBRARY_PATH

# Notes when it is told to end, and reads on.
cat >reader <<'END'
#!/usr/bin/python3
import signal, sys
note = open(sys.argv[1], "a", buffering=1)
signal.signal(signal.SIGTERM, lambda *_: note.write("SIGTERM\n"))
for line in sys.stdin:
    note.write("line\n")
note.write("end of input\n")
END
mkdir www && head -c 16777216 /dev/zero >www/large
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >conf <<END
ServerRoot $dir
ServerName localhost
DefaultRuntimeDir $dir
PidFile $dir/pid
Listen 127.0.0.1:$port
User nobody
Group nogroup
ErrorLog $dir/error.log
LoadModule mpm_event_module $dir/root/usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module $dir/root/usr/lib/apache2/modules/mod_authz_core.so
DocumentRoot $dir/www
CustomLog "|/usr/bin/python3 $dir/reader $dir/notes" "%r"
END
chmod 755 "$dir"
root/usr/sbin/apache2 -f "$dir/conf" -D FOREGROUND &
server=$!

# One download over a graceful restart: begun, held until the new workers are there, ended.
python3 - "$port" "$server" "$dir" <<'END'
import os, pathlib, signal, socket, sys, time
port, server, folder = int(sys.argv[1]), int(sys.argv[2]), pathlib.Path(sys.argv[3])
def wait(condition):
    until = time.monotonic() + 60
    while not condition():
        if time.monotonic() > until:
            sys.exit("nothing happens for a minute")
        time.sleep(0.05)
def text(name):
    return (folder / name).read_text() if (folder / name).exists() else ""
def ready():
    return text("error.log").count("resuming normal operations")
wait(lambda: ready() == 1)
(folder / "notes").write_text("")
client = socket.socket()
client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
client.connect(("127.0.0.1", port))
client.sendall(b"GET /large HTTP/1.0\r\n\r\n")
client.recv(1024)
os.kill(server, signal.SIGUSR1)
wait(lambda: ready() == 2)
while client.recv(1 << 20):
    pass
wait(lambda: "end of input" in text("notes"))
END
[ $? -eq 0 ] || exit 2
echo "Apache $apache, a download over a graceful restart. What its log program notes:"
cat notes
[ "$(tr '\n' ' ' <notes)" = "SIGTERM line end of input " ] || { echo "changed"; exit 1; }
echo "expected: no SIGTERM before the line; seen: SIGTERM first, and the line after it"
