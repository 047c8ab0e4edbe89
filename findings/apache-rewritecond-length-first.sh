#!/bin/sh
# Apache 2.4's "RewriteCond STRING <OTHER" compares lengths before it compares letters.
#
# Expected: the manual says lexicographically, of plain strings: 0.25 precedes 0.5, and 1 doesn't. So it is with "<" in an
# expression of the same server.
# Seen: 1 precedes 0.5, since it is shorter, and 0.25 doesn't, since it is longer. So weights of an Accept header, dates of several
# forms or versions can't be compared so; the example in packaging/apache does it with one regular expression.
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
modules=$dir/root/usr/lib/apache2/modules
mkdir www && chmod 755 "$dir"
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
LoadModule mpm_event_module $modules/mod_mpm_event.so
LoadModule authz_core_module $modules/mod_authz_core.so
LoadModule rewrite_module $modules/mod_rewrite.so
LoadModule headers_module $modules/mod_headers.so
DocumentRoot $dir/www
RewriteEngine On
RewriteCond %{QUERY_STRING} "<0.5"
RewriteRule "^" - [E=plain:less]
RewriteCond expr "%{QUERY_STRING} < '0.5'"
RewriteRule "^" - [E=expression:less]
Header always set X-Plain "%{plain}e"
Header always set X-Expression "%{expression}e"
END
root/usr/sbin/apache2 -f "$dir/conf" -D FOREGROUND &
server=$!

python3 - "$port" "$apache" <<'END'
import http.client, sys, time
port, version = int(sys.argv[1]), sys.argv[2]
def less(text):
    until = time.monotonic() + 60
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("GET", f"/?{text}")
            headers = connection.getresponse().headers
            return headers["X-Plain"] == "less", headers["X-Expression"] == "less"
        except ConnectionRefusedError:
            if time.monotonic() > until:
                sys.exit(2)
            time.sleep(0.05)
print(f"apache2-bin {version}")
seen = {text: less(text) for text in ("0.25", "0.4", "1")}
for text, (plain, expression) in seen.items():
    print(f"expected: {text} precedes 0.5: {text < '0.5'}; seen: RewriteCond {plain}, the expression {expression}")
known = seen == {"0.25": (False, True), "0.4": (True, True), "1": (True, False)}
print("still so" if known else "it has changed")
sys.exit(0 if known else 1)
END
