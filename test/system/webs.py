"""nginx as Debian sets it up, with the example of packaging/nginx, or another site of that form, over a farm's site."""

import os
import re
import signal

import farm as farms

EXAMPLE = farms.ROOT / "packaging" / "nginx" / "piwheels.conf"
# What Debian's nginx.conf has around a site.
FRAME = """daemon off;
worker_processes 1;
pid {dir}/s/nginx.pid;
error_log {dir}/log/nginx-error.log;
events {{ worker_connections 768; }}
http {{
    sendfile on;
    tcp_nopush on;
    types_hash_max_size 2048;
    client_body_temp_path {dir}/tmp/body;
    proxy_temp_path {dir}/tmp/proxy;
    fastcgi_temp_path {dir}/tmp/fastcgi;
    uwsgi_temp_path {dir}/tmp/uwsgi;
    scgi_temp_path {dir}/tmp/scgi;
{site}
}}
"""


class Nginx:
    def __init__(self, farm, site=None):
        self.farm = farm
        self.site = site or EXAMPLE.read_text(encoding="utf-8")
        self.log = farm.dir / "log" / "nginx-access.log"
        self.port = 0
        self.process = None

    def text(self):
        """The site, of which only the address, the folder and the places of log and map are others."""
        text = self.site
        for pattern, new in ((r"(?m)^    listen 80;", f"    listen 127.0.0.1:{self.port};"), (r"(?m)^    listen \[::\]:80;\n", ""),
                             (r"root /var/www;", f"root {self.farm.www};"), (r"/var/log/nginx/access.log", str(self.log)),
                             (r"/etc/nginx/piwheels-aliases", f"{self.farm.dir}/aliases")):
            text = re.sub(pattern, new, text)
        return FRAME.format(dir=self.farm.dir, site=text)

    def start(self):
        if not os.access("/usr/sbin/nginx", os.X_OK):
            raise farms.Failure("nginx isn't installed (apt package nginx-light)")
        farm = self.farm
        for _ in range(5):
            self.port = farms.free_port()
            conf = farm.dir / "nginx-site.conf"
            conf.write_text(self.text(), encoding="utf-8")
            conf.chmod(0o644)
            self.process = farm.start_process("nginx", ["/usr/sbin/nginx", "-c", conf, "-e", farm.dir / "log" / "nginx-error.log"],
                                              stop_signal=signal.SIGQUIT)
            if farm.wait("nginx", lambda: "gone" if not self.process.running() else farms.connects(self.port),
                         alive=False) != "gone":
                return self
            farm.forget(self.process)
        raise farms.Failure("nginx finds no free port, or doesn't like its site")

    def workers(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as file:
            return set(file.read().split())

    def reload(self):
        """What `systemctl reload nginx` does; returns when the new worker is there."""
        before = self.workers()
        self.process.popen.send_signal(signal.SIGHUP)
        self.farm.wait("the reload", lambda: self.workers() - before)
