#!/usr/bin/python3
"""PyPI behind a certificate that no authority of the system has signed: SSL_CERT_FILE names the one that has, and the master,
piw-add and the slave's pip go by it; without it each of them refuses, and says so."""

import http.client
import http.server
import ssl
import subprocess
import sys
import threading
import urllib.parse

import farm as farms
import score
from score import check


def make_certificates(farm):
    """An authority, and what it signed for localhost."""
    folder = farm.folder("tls")
    run = lambda *args: subprocess.run(["openssl", *map(str, args)], cwd=folder, check=True, capture_output=True, timeout=60)
    run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=our own")
    run("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "host.key", "-out", "host.csr", "-subj", "/CN=localhost")
    (folder / "names").write_text("subjectAltName=DNS:localhost\n")
    run("x509", "-req", "-in", "host.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names",
        "-out", "host.pem")
    (folder / "ca.pem").chmod(0o644)
    return folder


class Front(http.server.BaseHTTPRequestHandler):
    """Hands each request on to the stand-in for PyPI."""

    protocol_version = "HTTP/1.1"
    behind = None

    def hand_on(self):
        if self.path.startswith("/down/"):
            self.send_response(302)
            self.send_header("Location", f"http://{self.behind}/{self.path[6:]}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        connection = http.client.HTTPConnection(self.behind, timeout=30)
        kept = {key: value for key, value in self.headers.items() if key.lower() not in ("connection",)}
        connection.request(self.command, self.path, body or None, kept)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        self.send_response(answer.status)
        for key, value in answer.getheaders():
            if key.lower() not in ("connection", "transfer-encoding", "content-length", "date", "server"):
                self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_POST = hand_on

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Whoever doesn't trust us hangs up."""


def start_front(farm, folder):
    Front.behind = urllib.parse.urlsplit(farm.pypi_url).netloc
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "host.pem", folder / "host.key")
    server = Server(("127.0.0.1", 0), Front)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    farm.pypi_url = f"https://localhost:{server.server_address[1]}"
    return server


def test_all(farm):
    farm.prepare()
    farm.add_samples("piwdemo-pure", "piwdemo-cext")
    farm.start_postgres()
    farm.create_database()
    farm.start_pypi()
    folder = make_certificates(farm)
    server = start_front(farm, folder)
    add = [farm.program("piw-add"), "-c", farm.configuration(), "-y", "--import-queue", farm.socket("import"), "--pypi-json",
           f"{farm.pypi_url}/pypi"]

    farm.start_master()
    match = farm.wait_log(farm.master, r"(?i).*certificate.*")
    check("master.without the authority", farm.value("SELECT count(*) FROM packages") == "0", match.group(0))
    done = farm.run([*add, "piwdemo-cext"])
    check("piw-add.without the authority", "certificate" in done.stderr and
          farm.value("SELECT length(description) FROM packages WHERE package = 'piwdemo-cext'") == "0", done.stderr)
    farm.stop_process(farm.master)

    farm.env["SSL_CERT_FILE"] = str(folder / "ca.pem")
    farm.start_master()
    done = farm.run([*add, "piwdemo-pure"])
    farm.wait("what PyPI has", lambda: farm.rows("SELECT 1 FROM versions WHERE package = 'piwdemo-cext'"))
    check("master.with the authority", True)
    described = farm.value("SELECT length(description) FROM packages WHERE package = 'piwdemo-pure'")
    check("piw-add.with the authority", done.stderr == "" and described != "0", (done.stderr, described))

    done = farm.run([*add[:-1], f"{farm.pypi_url}/down/pypi", "piwdemo-pure"])
    check("piw-add.is not led from https to http", "rotocol" in done.stderr, done.stderr)

    farm.env.pop("SSL_CERT_FILE")
    stranger = farm.start_slave("stranger")
    farm.wait_log(stranger, r"build of \S+ failed")
    check("slave.without the authority", not list((farm.www / "simple").glob("*/*.whl")))
    farm.stop_process(stranger)
    farm.start_slave("trusting", env={"SSL_CERT_FILE": str(folder / "ca.pem")})
    farm.wait("a wheel", lambda: list((farm.www / "simple").glob("*/*.whl")), timeout=120)
    check("slave.with the authority", True)
    server.shutdown()


def main():
    with farms.Farm() as farm:
        try:
            test_all(farm)
        except (farms.Failure, OSError, subprocess.SubprocessError) as error:
            check("own authority", False, f"{type(error).__name__}: {error}")
            farm.show_logs()
        score.stops(farm)
    return score.code()


if __name__ == "__main__":
    sys.exit(main())
