#!/usr/bin/python3
"""A database server of its own, as docs/database.md sets it up: TCP with TLS and passwords, ~/.pgpass, a service file, an SSH
tunnel; and what is said when something about it is wrong. Certificates are made here; everything stays on this machine."""

import os
import pwd
import socket
import subprocess
import sys

import farm as farms
import score

PASSWORD = "open:ses\\ame/signs"
HBA = """local   all       all                       trust
hostssl piwheels  piwheels  127.0.0.1/32    scram-sha-256
"""


def same(got, wanted, what):
    if got != wanted:
        raise AssertionError(f"{what}: got {got!r}, not {wanted!r}")


def openssl(farm, *args):
    farm.run(["/usr/bin/openssl", *args], cwd=farm.dir / "pki")


def make_certificates(farm):
    """An authority, its certificate for the server, and another authority that has nothing to do with it."""
    farm.folder("pki")
    for name in ("authority", "stranger"):
        openssl(farm, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-keyout", f"{name}.key",
                "-out", f"{name}.crt")
    openssl(farm, "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
            "-keyout", "server.key", "-out", "server.csr")
    openssl(farm, "x509", "-req", "-in", "server.csr", "-CA", "authority.crt", "-CAkey", "authority.key", "-CAcreateserial", "-days",
            "2", "-copy_extensions", "copy", "-out", "server.crt")
    os.chmod(farm.dir / "pki" / "server.key", 0o600)


def write(farm, path, text, mode=0o600):
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    farm.own(path)


def refused(farm, dsn, pattern, what, env=None):
    """The master ends with exit code 1 and one line."""
    done = subprocess.run([*farm.drop, *map(str, farm.master_args()), "-q", "-d", dsn], env={**farm.env, **(env or {})},
                          cwd=farm.dir, capture_output=True, text=True, timeout=60 * farms.PATIENCE, check=False)
    lines = [line for line in done.stderr.splitlines() if line.startswith("piw-")]  # libpq says some of its own
    if done.returncode != 1 or pattern not in done.stderr or PASSWORD[:10] in done.stderr or len(lines) != 1:
        raise AssertionError(f"{what}: exit {done.returncode}, {done.stderr!r}")


def works(farm, dsn, what):
    options = farm.master_options
    farm.master_options = [*options, "-d", dsn]
    farm.start_master()
    farm.master_options = options
    sessions = farm.psql("SELECT s.ssl, count(*) FROM pg_stat_ssl s JOIN pg_stat_activity a ON a.pid = s.pid "
                         "WHERE a.usename = 'piwheels' GROUP BY 1")
    same((len(sessions), sessions[0][0], int(sessions[0][1]) >= 4), (1, "t", True), f"{what}: the master's sessions")
    same(PASSWORD[:10] in farm.master.text(), False, f"{what}: the password in the log")
    same(farm.stop_process(farm.master), 0, f"{what}: how the master ended")


def start_sshd(farm):
    """Of the unprivileged user, for that user, with keys of its own; the options of a client that knows it."""
    place = farm.folder("ssh", 0o700)
    for name in ("host", "user"):
        farm.run(["/usr/bin/ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", place / name])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    write(farm, place / "authorized", (place / "user.pub").read_text())
    write(farm, place / "known", f"[127.0.0.1]:{port} {(place / 'host.pub').read_text()}")
    # UsePAM: without it the user that tests run as counts as locked. StrictModes: the folder is below /tmp.
    write(farm, place / "sshd.conf", f"Port {port}\nListenAddress 127.0.0.1\nHostKey {place}/host\nPidFile none\nUsePAM yes\n"
          f"StrictModes no\nAuthorizedKeysFile {place}/authorized\nPasswordAuthentication no\nAllowStreamLocalForwarding yes\n")
    sshd = farm.start_process("sshd", ["/usr/sbin/sshd", "-D", "-e", "-f", place / "sshd.conf"])
    farm.wait_log(sshd, rf"Server listening on 127.0.0.1 port {port}")
    user = pwd.getpwuid(place.stat().st_uid).pw_name
    return ["-F", "none", "-p", str(port), "-i", place / "user", "-o", f"UserKnownHostsFile={place}/known", f"{user}@127.0.0.1"]


def start_tunnel(farm, client, here):
    """As the unit in docs/database.md does it."""
    there = farm.dir / "s" / here.name
    process = farm.start_process("tunnel", [
        "/usr/bin/ssh", "-N", "-T", "-o", "BatchMode=yes", "-o", "ExitOnForwardFailure=yes", "-o", "StreamLocalBindUnlink=yes",
        "-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=3", "-L", f"{here}:{there}", *client])
    process.expected_end = True
    try:
        farm.wait("the tunnel", here.exists, 20)
    except farms.Failure as error:
        raise farms.Failure(f"{error}: {process.text()}") from error
    return process


def tunnel(farm, port):
    here = farm.folder("t") / f".s.PGSQL.{port}"
    client = start_sshd(farm)
    process = start_tunnel(farm, client, here)
    farm.master_options = ["-d", f"postgresql:///piwheels?host={here.parent}&user=piwheels"]
    farm.start_master()
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'piwheels'"
    same(int(farm.value(sessions)) >= 4, True, "the master's sessions")
    farm.stop_process(process)
    farm.wait_log(farm.master, r"the database connection is lost: .*; trying again")
    farm.wait("the end of the sessions", lambda: farm.value(sessions) == "0")
    process = start_tunnel(farm, client, here)
    farm.wait("the master's sessions again", lambda: int(farm.value(sessions)) >= 4)
    same(farm.stop_process(farm.master), 0, "how the master ended")
    farm.stop_process(process)


def main():
    with farms.Farm() as farm:
        farm.prepare()
        make_certificates(farm)
        port = farms.free_port()
        pki = farm.dir / "pki"
        farm.postgres_options = ["listen_addresses=127.0.0.1", f"port={port}", "ssl=on", f"ssl_cert_file={pki}/server.crt",
                                 f"ssl_key_file={pki}/server.key"]
        # The socket's name has the port in it.
        farm.env["PGPORT"] = str(port)
        farm.start_postgres()
        farm.create_database(["cp39"])
        quoted = PASSWORD.replace("'", "''")
        farm.psql(f"ALTER ROLE piwheels PASSWORD '{quoted}'")
        write(farm, farm.dir / "pg" / "pg_hba.conf", HBA)
        farm.psql("SELECT pg_reload_conf()")
        base = f"postgresql://piwheels@localhost:{port}/piwheels"
        safe = f"{base}?sslmode=verify-full&sslrootcert={pki}/authority.crt"
        pgpass = farm.dir / "home" / ".pgpass"
        in_file = PASSWORD.replace("\\", "\\\\").replace(":", "\\:")

        def attempt(name, action):
            try:
                action()
                score.check(name, True)
            except (AssertionError, farms.Failure) as error:
                score.check(name, False, error)

        attempt("no password", lambda: refused(farm, safe, "no password supplied", "no password"))
        write(farm, pgpass, f"localhost:{port}:piwheels:piwheels:wrong\n")
        attempt("a wrong password", lambda: refused(farm, safe, "password authentication failed", "a wrong password"))
        write(farm, pgpass, f"localhost:{port}:piwheels:piwheels:{in_file}\n")
        attempt("TLS and .pgpass", lambda: works(farm, safe, "verify-full"))
        attempt("sslmode=require", lambda: works(farm, f"{base}?sslmode=require", "require"))
        attempt("without TLS", lambda: refused(farm, f"{base}?sslmode=disable", "no pg_hba.conf entry", "without TLS"))
        attempt("another authority", lambda: refused(
            farm, f"{base}?sslmode=verify-full&sslrootcert={pki}/stranger.crt", "certificate verify failed", "another authority"))
        attempt("another host name", lambda: refused(
            farm, safe.replace("localhost", "127.0.0.1"), "certificate for", "another host name"))
        write(farm, farm.dir / "home" / ".pg_service.conf", f"[farm]\nhost=localhost\nport={port}\ndbname=piwheels\nuser=piwheels\n"
              f"sslmode=verify-full\nsslrootcert={pki}/authority.crt\n")
        attempt("a service file", lambda: works(farm, "postgresql:///?service=farm", "a service"))
        attempt("an unknown service", lambda: refused(
            farm, "postgresql:///?service=nosuch", 'definition of service "nosuch" not found', "an unknown service"))
        write(farm, pgpass, f"*:{port}:*:piwheels:{in_file}\n", 0o644)
        attempt("a .pgpass that others may read", lambda: refused(farm, safe, "no password supplied", "a readable .pgpass"))
        if os.path.exists("/usr/sbin/sshd") and os.path.exists("/usr/bin/ssh"):
            attempt("an SSH tunnel that falls and comes back", lambda: tunnel(farm, port))
        else:
            score.skip("an SSH tunnel", "OpenSSH's server or client isn't installed")
        return score.code()


if __name__ == "__main__":
    sys.exit(score.run([main]))
