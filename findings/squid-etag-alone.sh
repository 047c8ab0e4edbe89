#!/bin/sh
# Behind Squid a page's ETag alone gets no client a 304: it must have a Last-Modified too.
#
# Expected: a page of "Cache-Control: no-cache" may be kept, but is asked for again each time; the server says 304 to Squid, and Squid
# says so to a client that shows this very ETag. RFC 9110 has If-None-Match go before If-Modified-Since, which is for who has no ETag.
# Seen: 200 and the whole page, though the server said 304 (its log: TCP_REFRESH_UNMODIFIED/200). With If-Modified-Since,
# alone or beside the same ETag, it is 304, and so it is with the ETag alone as long as the page is fresh. An index that saves itself
# Last-Modified, since its ETags are exact, is sent whole to everybody there. (7.7 does the same.)
dir=$(mktemp -d /tmp/finding-XXXXXX) || exit 2
pids=
trap 'for pid in $pids; do kill "$pid" 2>/dev/null; done; wait; rm -rf "$dir"' EXIT
chmod 777 "$dir" && cd "$dir" || exit 2
version=5.7-2+deb12u6
apt-get -qq download "squid=$version" "squid-common=$version" squid-langpack=20220130-1 libecap3=1.0.1-3.4 libltdl7=2.4.7-7~deb12u1 \
    libnetfilter-conntrack3=1.0.9-3 libnfnetlink0=1.0.2-2 libtdb1=1.4.8-2 >/dev/null 2>&1 || { echo "the packages can't be downloaded"; exit 2; }
for package in ./*.deb; do dpkg -x "$package" root || exit 2; done
LD_LIBRARY_PATH=$(echo root/usr/lib/*-linux-*/ | sed "s|^|$dir/|; s|/\$||")
export LD_LIBRARY_PATH

# Two pages, /no-cache and /max-age=60, which is what their Cache-Control says.
cat >origin.py <<'END'
import http.server
import os
class Page(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        etag, moment = '"one"', "Mon, 01 Jan 2024 00:00:00 GMT"
        shown = self.headers.get("If-None-Match")
        known = shown == etag if shown else self.headers.get("If-Modified-Since") == moment
        body = b"" if known else b"<!DOCTYPE html><title>Links</title>"
        self.send_response(304 if known else 200)
        for name, value in (("ETag", etag), ("Last-Modified", moment), ("Cache-Control", self.path[1:])):
            self.send_header(name, value)
        if not known:
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
print(server.server_port, file=open("port.new", "w"), flush=True)
os.rename("port.new", "port")
server.serve_forever()
END
python3 origin.py &
pids=$!
proxy=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >conf <<END
http_port 127.0.0.1:$proxy
http_access allow all
access_log stdio:$dir/access
cache_log $dir/messages
coredump_dir $dir
pid_filename none
netdb_filename none
pinger_enable off
visible_hostname test
cache_effective_user nobody
mime_table $dir/root/usr/share/squid/mime.conf
unlinkd_program $dir/root/usr/lib/squid/unlinkd
icon_directory $dir/root/usr/share/squid/icons
error_directory $dir/root/usr/share/squid/errors/templates
END
./root/usr/sbin/squid -N -f "$dir/conf" >out 2>&1 &
squid=$!
pids="$pids $squid"
tries=0
until [ -s port ] && curl -sf -o /dev/null -x "http://127.0.0.1:$proxy" "http://127.0.0.1:$(cat port)/no-cache"; do
    kill -0 "$squid" 2>/dev/null && [ "$tries" -lt 100 ] || { cat out; exit 2; }
    tries=$((tries + 1))
    sleep 0.1
done

# ask PAGE HEADER...: what a client is told, by Squid
ask() {
    url=http://127.0.0.1:$(cat port)/$1
    shift
    curl -s -o /dev/null -w '%{http_code}' -x "http://127.0.0.1:$proxy" "$@" "$url"
}
etag='If-None-Match: "one"' moment='If-Modified-Since: Mon, 01 Jan 2024 00:00:00 GMT'
ask max-age=60 >/dev/null
seen="kept and fresh, ETag: $(ask max-age=60 -H "$etag")
asked for again, ETag: $(ask no-cache -H "$etag")
asked for again, date: $(ask no-cache -H "$moment")
asked for again, both: $(ask no-cache -H "$etag" -H "$moment")"
echo "squid $version"
echo "expected: 304, in all"
echo "seen:"
echo "$seen"
[ "$seen" = "kept and fresh, ETag: 304
asked for again, ETag: 200
asked for again, date: 304
asked for again, both: 304" ]
