"""The caches that are compared, each as its experts would run it: one worker, no log, on 127.0.0.1."""

import contextlib
import http.client
import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import common  # noqa: E402
from common import BIN, LOAD_CORE, free_port  # noqa: E402

CACHE_MB = 400
READY_PATH = "/16/0/ready"


def get(port, path, headers=()):
    """(status, headers, body) of one GET."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", path, headers=dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


class Server(common.Server):
    """A cache with an origin of its own behind it."""

    def start(self):
        origin = self.spawn(LOAD_CORE, BIN / "http_origin", stdout=subprocess.PIPE, text=True)
        self.origin_port = int(origin.stdout.readline())
        super().start()

    def ready(self):
        with contextlib.suppress(OSError, http.client.HTTPException):
            return get(self.port, READY_PATH)[0] == 200
        return False

    def origin_count(self):
        return int(get(self.origin_port, "/count")[2])

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path


class Nginx(Server):
    name = "nginx"
    needs = ("nginx-light",)

    def command(self):
        conf = self.write("nginx.conf", f"""
user root;
daemon off;
worker_processes 1;
error_log {self.folder}/log crit;
pid {self.folder}/pid;
events {{ worker_connections 10000; use epoll; multi_accept on; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  tcp_nodelay on;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  open_file_cache max=100000 inactive=600s;
  open_file_cache_valid 600s;
  proxy_cache_path {self.folder}/cache levels=1:2 keys_zone=c:64m max_size={CACHE_MB}m inactive=1h use_temp_path=off;
  upstream origin {{ server 127.0.0.1:{self.origin_port}; keepalive 64; }}
  server {{
    listen 127.0.0.1:{self.port} backlog=8192;
    location / {{
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_cache c;
      proxy_cache_lock on;
      proxy_cache_lock_timeout 60s;
      proxy_cache_lock_age 60s;
    }}
  }}
}}
""")
        return ["/usr/sbin/nginx", "-c", conf, "-p", self.folder]


class HaProxy(Server):
    name = "haproxy"
    needs = ("haproxy",)

    def command(self):
        conf = self.write("haproxy.cfg", f"""
global
  nbthread 1
  maxconn 9000
defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 60s
  timeout http-keep-alive 600s
cache c
  total-max-size {CACHE_MB}
  max-object-size 4000000
  max-age 3600
frontend f
  bind 127.0.0.1:{self.port} backlog 8192
  http-request cache-use c
  http-response cache-store c
  default_backend b
backend b
  http-reuse always
  http-response cache-store c
  server origin 127.0.0.1:{self.origin_port}
""".replace("  http-response cache-store c\n  default_backend", "  default_backend"))
        return ["/usr/sbin/haproxy", "-db", "-f", conf]


class Varnish(Server):
    name = "varnish"
    needs = ("varnish",)

    def command(self):
        vcl = self.write("default.vcl", f"""vcl 4.1;
backend origin {{ .host = "127.0.0.1"; .port = "{self.origin_port}"; }}
""")
        (self.folder / "work").mkdir()
        parameters = ["thread_pools=1", "thread_pool_min=100", "thread_pool_max=3000", "listen_depth=8192",
                      "timeout_idle=600"]
        return ["/usr/sbin/varnishd", "-F", "-j", "none", "-a", f"127.0.0.1:{self.port}", "-f", vcl, "-T", "none",
                "-n", self.folder / "work", "-s", f"malloc,{CACHE_MB}m",
                *[word for parameter in parameters for word in ("-p", parameter)]]


class TrafficServer(Server):
    """It refuses to serve as root: as root it changes to its own user, otherwise it stays who it is."""

    name = "ats"
    user = "trafficserver" if os.geteuid() == 0 else "#-1"
    needs = ("trafficserver",)

    def command(self):
        for folder in ("etc", "run", "logs", "store", "data"):
            (self.folder / folder).mkdir()
        layout = self.write("runroot.yaml", f"""prefix: {self.folder}
exec_prefix: {self.folder}
bindir: /usr/bin
sbindir: /usr/sbin
sysconfdir: {self.folder}/etc
datadir: {self.folder}/data
includedir: /usr/include
libdir: /usr/lib/trafficserver
libexecdir: /usr/lib/trafficserver/modules
localstatedir: {self.folder}/run
runtimedir: {self.folder}/run
logdir: {self.folder}/logs
cachedir: {self.folder}/store
""")
        records = {
            "http.server_ports STRING": f"{self.port}:ip-in=127.0.0.1",
            "admin.user_id STRING": self.user,
            "exec_thread.autoconfig INT": 0, "exec_thread.limit INT": 1, "accept_threads INT": 0,
            "task_threads INT": 1, "cache.threads_per_disk INT": 1,
            "url_remap.remap_required INT": 1, "reverse_proxy.enabled INT": 1,
            "log.logging_enabled INT": 0, "diags.debug.enabled INT": 0,
            "cache.ram_cache.size INT": CACHE_MB * 1_000_000, "cache.ram_cache_cutoff INT": 4_000_000,
            "cache.limits.http.max_alts INT": 1, "http.cache.required_headers INT": 1,
            "http.insert_age_in_response INT": 1,
            # Requests for what is being fetched wait for it, as its manual has it for collapsing.
            "cache.enable_read_while_writer INT": 1, "http.background_fill_active_timeout INT": 0,
            "http.background_fill_completed_threshold FLOAT": 0.0, "cache.max_doc_size INT": 0,
            "http.cache.max_open_read_retries INT": 100, "http.cache.open_read_retry_time INT": 10,
            "http.cache.open_write_fail_action INT": 5,
            "http.keep_alive_no_activity_timeout_in INT": 600, "http.transaction_no_activity_timeout_in INT": 60,
            "net.connections_throttle INT": 19000, "net.max_connections_in INT": 19000,
            "net.max_requests_in INT": 0, "net.listen_backlog INT": 8192,
        }
        self.write("etc/records.config",
                   "".join(f"CONFIG proxy.config.{name} {value}\n" for name, value in records.items()))
        self.write("etc/ip_allow.yaml", "ip_allow:\n  - {apply: in, ip_addrs: 127.0.0.1, action: allow, methods: ALL}\n")
        self.write("etc/remap.config", f"map / http://127.0.0.1:{self.origin_port}/\n")
        self.write("etc/storage.config", f"{self.folder}/store {CACHE_MB}M\n")
        if os.geteuid() == 0:
            for path in self.folder.rglob("*"):
                shutil.chown(path, self.user)
        return ["/usr/bin/traffic_server", f"--run-root={layout}"]


class HttpServer(Server):
    name = "httpserver"
    memory_budget = CACHE_MB * 1_000_000

    def command(self):
        return [BIN / "httpserver", "-p", self.port, "--listen", "127.0.0.1", "-o", f"127.0.0.1:{self.origin_port}",
                "--threads", 1, "--control", f"127.0.0.1:{free_port()}", "--cache", self.folder / "cache.sqlite",
                "--cache-bytes", CACHE_MB * 1_000_000, "--memory-bytes", self.memory_budget, "--log-level", "warning",
                "--keep-alive-timeout-ms", 600_000]


class HttpServerOnDisk(HttpServer):
    """Nothing fits its memory tier: every hit is read from SQLite."""

    memory_budget = 1


ALL = [Nginx, HaProxy, Varnish, TrafficServer, HttpServer]
