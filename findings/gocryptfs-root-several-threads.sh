#!/bin/sh
# gocryptfs, mounted by root for all users, refuses an ordinary user who makes files from several threads at a time.
#
# Expected: "-allow_other: allow other users to access the mount"; a folder there that belongs to a user is as good as any other folder
# of this user. What one thread may do there, four may do at once.
# Seen: one thread makes 300 folders with a file in each, without an error; of four threads that do the same at once many are told EPERM
# ("Operation not permitted"), each time others. So a server of several threads, which isn't root, can't have its files there.
# (2.6.1 refuses none.)
set -u
[ "$(id -u)" -eq 0 ] && [ -c /dev/fuse ] || { echo "needs root and /dev/fuse"; exit 2; }
version=2.3-1+b4

dir=$(mktemp -d /tmp/finding-XXXXXX) || exit 2
trap 'umount "$dir/plain" 2>/dev/null; rm -rf "$dir"' EXIT
chmod 755 "$dir" && cd "$dir" || exit 2
apt-get -qq download "gocryptfs=$version" >/dev/null 2>&1 || { echo "the package can't be downloaded"; exit 2; }
dpkg -x gocryptfs_*.deb root || exit 2

cat >make.py <<'END'
import os
import sys
import threading

refused = []

def make(number):
    for n in range(300):
        folder = f"plain/{number}-{n}"
        try:
            os.mkdir(folder)
            os.close(os.open(f"{folder}/file", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
        except PermissionError as error:
            refused.append(error)

threads = [threading.Thread(target=make, args=(number,)) for number in range(int(sys.argv[1]))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(refused))
END
mkdir cipher plain || exit 2
./root/usr/bin/gocryptfs -q -init -extpass "echo secret" cipher || exit 2
./root/usr/bin/gocryptfs -q -allow_other -nosyslog -extpass "echo secret" cipher plain || exit 2
chown nobody:nogroup plain
make() {
    setpriv --reuid nobody --regid nogroup --clear-groups -- /usr/bin/python3 make.py "$1"
    rm -rf plain/*-*
}
alone=$(make 1)
four=$(make 4)
echo "gocryptfs $version: of one thread's 300 folders $alone were refused, of four threads' 1200 $four"
[ "$alone" -eq 0 ] && [ "$four" -gt 0 ]
