#!/bin/sh
# PostgreSQL counts a committed transaction in a session that does nothing but wait for notifications.
#
# Expected: pg_stat_database.xact_commit ("number of transactions in this database that have been committed") grows by one
# for a transaction that notifies; the session that has said LISTEN, and is idle, runs no statement and commits nothing.
# Seen: it grows by one more for each notification that comes, in that session: half of a farm's "transactions a second"
# are none that anybody began.
set -u
version=15.18-0+deb12u1

dir=$(mktemp -d) || exit 2
server=
trap '[ -z "$server" ] || kill -INT "$server" 2>/dev/null; wait; rm -rf "$dir"' EXIT
chmod 755 "$dir" && cd "$dir" || exit 2
apt-get -qq download "postgresql-15=$version" "postgresql-client-15=$version" "libpq5=$version" >/dev/null 2>&1 ||
    { echo "the packages can't be downloaded"; exit 2; }
for package in ./*.deb; do dpkg -x "$package" root || exit 2; done
LD_LIBRARY_PATH=$(echo root/usr/lib/*-linux-*/ | sed "s|^|$dir/|; s|/\$||")
export LD_LIBRARY_PATH LC_ALL=C PGHOST="$dir/s" PGUSER=postgres PGDATABASE=postgres
bin=$dir/root/usr/lib/postgresql/15/bin
as=
[ "$(id -u)" -ne 0 ] || as="setpriv --reuid nobody --regid nogroup --clear-groups --"
mkdir s data && { [ -z "$as" ] || chown nobody:nogroup s data; } || exit 2
$as "$bin/initdb" -D data -U postgres -A trust --no-sync >log 2>&1 || { cat log; exit 2; }
$as "$bin/postgres" -D data -c listen_addresses= -c "unix_socket_directories=$dir/s" -c fsync=off -c autovacuum=off >>log 2>&1 &
server=$!
until "$bin/pg_isready" -q; do kill -0 "$server" || exit 2; sleep 0.1; done

# 200 transactions of one session, each with a notification; then both sessions end, and have told what they counted.
commits() {
    mkfifo in
    "$bin/psql" -XAtq -f in >listener 2>&1 &
    listener=$!
    exec 3>in
    echo "$1; SELECT 'there';" >&3
    until grep -q there listener; do sleep 0.1; done
    before=$("$bin/psql" -XAtq -c "SELECT xact_commit FROM pg_stat_database WHERE datname = 'postgres'")
    n=0
    while [ "$n" -lt 200 ]; do
        echo "NOTIFY bell, '$n'; SELECT pg_sleep(0.005);"
        n=$((n + 1))
    done | "$bin/psql" -XAtq >/dev/null
    exec 3>&-
    wait "$listener"
    rm in
    sleep 1
    after=$("$bin/psql" -XAtq -c "SELECT xact_commit FROM pg_stat_database WHERE datname = 'postgres'")
    echo $((after - before))
}
alone=$(commits "SELECT 1")
heard=$(commits "LISTEN bell")
echo "PostgreSQL $version: 200 notifications; $alone transactions counted when nobody listens, $heard with an idle listener"
[ "$heard" -ge $((alone + 150)) ]
