"""nginx, and the server of this package: started on free ports of loopback, ended by their ids."""

import gzip
import json
import os
import pathlib
import random
import shutil
import socket
import subprocess
import time

TICK_US = 1_000_000 // os.sysconf("SC_CLK_TCK")

NGINX = """
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log error;
{user}
events {{ worker_connections 16384; }}
http {{
    access_log off;
    default_type application/octet-stream;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    keepalive_timeout 600s;
    keepalive_requests 1000000000;
    open_file_cache max=100 inactive=600s;
    open_file_cache_valid 600s;
    # The head and what begins the body in one piece.
    tcp_nopush on;
    sendfile on;
    root {folder}/files;
    ssl_certificate {folder}/nginx.pem;
    ssl_certificate_key {folder}/nginx.key;
    ssl_protocols TLSv1.3;
    server {{
        listen 127.0.0.1:{plain} backlog=4096;
        listen 127.0.0.1:{tls} ssl backlog=4096;
        location = /1k {{ sendfile off; }}
        location = /json {{ default_type application/json; add_header Content-Encoding gzip; }}
    }}
}}
"""


class Servers:
    def __init__(self, folder, program):
        self.folder = folder
        self.program = program
        self.ca = folder / "ca.pem"
        self.sizes = {}

    def __enter__(self):
        self._make_files()
        self.own = subprocess.Popen([self.program, self.folder], text=True,
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.plain_origins = self.own.stdout.readline().split()
        self.tls_origins = self.own.stdout.readline().split()
        if not self.tls_origins:
            raise SystemExit("the server did not start")
        self._start_nginx()
        return self

    def __exit__(self, *_):
        # Each by its own id, and waited for.
        self.own.stdin.close()
        self.nginx.terminate()
        for process in (self.own, self.nginx):
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _make_files(self):
        files = self.folder / "files"
        files.mkdir()
        for name, size in {"1k": 1 << 10, "100k": 100 << 10, "64m": 64 << 20}.items():
            (files / name).write_bytes(b"x" * size)
            self.sizes[name] = (size, size)
        body = records(1 << 20)
        coded = gzip.compress(body, 6, mtime=0)
        (files / "json").write_bytes(coded)
        self.sizes["json"] = (len(body), len(coded))

    def _start_nginx(self):
        if not shutil.which("nginx"):
            raise SystemExit("nginx is missing: apt-get install nginx")
        user = "user root;" if os.getuid() == 0 else ""
        # A port may be gone before nginx has it.
        for _ in range(5):
            self.plain, self.tls = free_ports(2)
            config = self.folder / "nginx.conf"
            config.write_text(NGINX.format(folder=self.folder, plain=self.plain, tls=self.tls, user=user))
            self.nginx = subprocess.Popen(["nginx", "-p", self.folder, "-c", config],
                                          stderr=subprocess.DEVNULL)
            if self._answers():
                return
            self.nginx.wait()
        raise SystemExit("nginx did not start: see %s" % (self.folder / "nginx.log").read_text())

    def _answers(self):
        until = time.monotonic() + 10
        while time.monotonic() < until and self.nginx.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.tls)).close()
                return True
            except OSError:
                time.sleep(0.02)
        return False

    def file(self, name, is_tls=False):
        """The line of a job for one of nginx's files."""
        scheme, port = ("https", self.tls) if is_tls else ("http", self.plain)
        return "%s://127.0.0.1:%d/%s %d %d" % (scheme, port, name, *self.sizes[name])

    def counts(self):
        """Connections, full handshakes and resumed ones of the origins, since they were last asked."""
        self.own.stdin.write("\n")
        self.own.stdin.flush()
        return [int(number) for number in self.own.stdout.readline().split()]

    def cpu_us(self):
        """What the servers have used."""
        ids = [self.own.pid, self.nginx.pid, *children(self.nginx.pid)]
        return sum(cpu_ticks(id) for id in ids) * TICK_US

    def environment(self):
        # For clients that take their roots from the system, and from nowhere else.
        return os.environ | {"SSL_CERT_FILE": str(self.ca)}


def children(id):
    return [int(child) for child in pathlib.Path("/proc/%d/task/%d/children" % (id, id)).read_text().split()]


def cpu_ticks(id):
    # The name before may have spaces in it.
    fields = pathlib.Path("/proc/%d/stat" % id).read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def records(size):
    """JSON as an API has it, always the same."""
    dice = random.Random(5)
    words = ["".join(dice.choices("abcdefghijklmnopqrstuvwxyz", k=dice.randint(3, 9))) for _ in range(500)]
    rows, length = [], 0
    while length < size:
        row = {"id": dice.randrange(10**9), "name": " ".join(dice.choices(words, k=2)),
               "price": round(dice.uniform(1, 1000), 2), "tags": dice.choices(words, k=4),
               "text": " ".join(dice.choices(words, k=12)), "active": dice.random() < 0.5}
        rows.append(json.dumps(row))
        length += len(rows[-1]) + 2
    return ("[" + ", ".join(rows) + "]").encode()
