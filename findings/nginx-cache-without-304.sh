#!/bin/sh
# nginx tells nobody 304 any more once proxy_cache stands before pages that say "Cache-Control: no-cache".
#
# Expected: such an answer isn't kept, so each request goes to the server behind, as without the cache. A client that shows the
# page's ETag is told 304 by one of the two, as without the cache, and the page isn't sent.
# Seen: 200 and the whole page, always. What the client shows isn't passed on where there is a cache (that the manual says), and nginx, which
# then has the page and its ETag in hand, compares them only for what it may keep: with "max-age=60" it is 304. So a cache that
# can't keep an index makes a download of every look at it.
version=1.22.1-9+deb12u11

dir=$(mktemp -d /tmp/finding-XXXXXX) || exit 2
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; wait; rm -rf "$dir"' EXIT
chmod 755 "$dir" && cd "$dir" || exit 2
apt-get -qq download "nginx=$version" >/dev/null 2>&1 || { echo "the package can't be downloaded"; exit 2; }
dpkg -x ./nginx_*.deb root || exit 2
mkdir -p www cache tmp && chmod 777 cache tmp && echo "<!DOCTYPE html><title>Links</title>" >www/index.html || exit 2
for name in body proxy fastcgi uwsgi scgi; do temporary="$temporary ${name}_temp_path tmp/$name;"; done
temporary=$(echo "$temporary" | sed 's/body_temp/client_body_temp/')
cat >conf <<END
daemon off;
pid pid;
events {}
http {
    access_log off; $temporary
    proxy_cache_path cache keys_zone=zone:1m;
    server { listen unix:$dir/origin; root $dir/www;
        location / { add_header Cache-Control no-cache; }
        location /kept/ { alias $dir/www/; add_header Cache-Control max-age=60; } }
    server { listen unix:$dir/plain; location / { proxy_pass http://unix:$dir/origin:; } }
    server { listen unix:$dir/cached; proxy_cache zone; proxy_cache_revalidate on; location / { proxy_pass http://unix:$dir/origin:; } }
}
END
./root/usr/sbin/nginx -p "$dir/" -e "$dir/errors" -c conf &
server=$!
tries=0
until curl -sf --unix-socket cached http://test/ >/dev/null 2>&1; do
    kill -0 "$server" 2>/dev/null && [ "$tries" -lt 100 ] || { cat errors; exit 2; }
    tries=$((tries + 1))
    sleep 0.1
done

# ask SOCKET PATH: what a client is told that has the page
ask() {
    etag=$(curl -s -D- -o /dev/null --unix-socket "$1" "http://test$2" | tr -d '\r' | sed -n 's/^ETag: //p')
    [ -n "$etag" ] || exit 2
    curl -s -o /dev/null -w '%{http_code}' -H "If-None-Match: $etag" --unix-socket "$1" "http://test$2"
}
seen="no cache, no-cache: $(ask plain /)
cache, max-age=60: $(ask cached /kept/)
cache, no-cache: $(ask cached /)" || { echo "it can't be tried"; exit 2; }
echo "nginx $version"
echo "expected: 304, in all"
echo "seen:"
echo "$seen"
[ "$seen" = "no cache, no-cache: 304
cache, max-age=60: 304
cache, no-cache: 200" ]
