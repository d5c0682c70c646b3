"""The store of a real httpserver: restarts, kill -9 under load, a full disk, large bodies in constant memory, parts of what is
larger than the store."""

import concurrent.futures
import contextlib
import hashlib
import http.client
import http.server
import os
import random
import re
import socket
import sqlite3
import subprocess
import threading
import time

import pytest
from cdn import wait_until
from local_http import LocalHttp

MB = 1_000_000
BLOCK = random.Random(0).randbytes(1 << 20)


def body_of(path, version):
    """/s/NAME/SIZE: bytes that follow from path and version."""
    return random.Random(f"{path} {version}").randbytes(int(path.split("/")[-1]))


def blocks(size):
    for at in range(0, size, len(BLOCK)):
        yield (b"%016d" % at + BLOCK[16:])[: size - at]


class Versions(http.server.BaseHTTPRequestHandler):
    """Each answer is of a new version, which X-Version tells. /blocks/…/SIZE streams blocks(SIZE)."""

    protocol_version = "HTTP/1.1"
    requests = []
    lock = threading.Lock()

    def do_GET(self):
        with self.lock:
            self.requests.append(self.path)
            version = len(self.requests)
        size = int(self.path.split("/")[-1])
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.send_header("X-Version", str(version))
        self.send_header("Cache-Control", "max-age=600")
        self.end_headers()
        try:
            if not self.path.startswith("/blocks/"):
                return self.wfile.write(body_of(self.path, version))
            for block in blocks(size):
                self.wfile.write(block)
        except OSError:
            pass  # the server has been killed

    def log_message(self, *_):
        pass


def store(folder, *flags, cache="cache.sqlite"):
    Versions.requests.clear()
    return LocalHttp(folder, flags=["--cache", str(cache), "--metrics", "METRICS", *flags], handler=Versions)


def is_hit(headers):
    return "hit" in headers["Cache-Status"]


class Memory:
    """What a process has in memory of its own, looked at a hundred times a second: not what it has mapped of
    its cache's file, which the kernel takes back when it likes."""

    def __init__(self, process):
        self._status = f"/proc/{process.pid}/status"
        self.before = self.peak = self._now()
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._look)

    def _now(self):
        return int(re.search(r"^RssAnon:\s+(\d+) kB", open(self._status).read(), re.M)[1]) * 1024

    def _look(self):
        while not self._over.wait(0.01):
            self.peak = max(self.peak, self._now())

    def __enter__(self):
        self._watch.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._watch.join()


def test_after_a_graceful_restart_everything_is_a_hit_at_once(tmp_path):
    paths = [f"/s/{n}/{n * 997}" for n in range(1, 40)] + [f"/s/large/{3 * MB}"]
    with store(tmp_path, "--cache-bytes", str(20 * MB)) as server:
        first = {path: server.ask(path) for path in paths}
        assert server.end() == 0
        asked = len(Versions.requests)
        server.start()
        for path in paths:
            _, headers, body = server.ask(path)
            assert is_hit(headers) and "disk" in headers["Cache-Status"]
            assert headers["X-Version"] == first[path][1]["X-Version"] and body == first[path][2]
        assert len(Versions.requests) == asked


def test_killed_again_and_again_under_load_it_never_gives_a_wrong_byte(tmp_path, report):
    budget, rounds = 12 * MB, 20
    sizes = [100, 5_000, 60_000, 300_000, 1_500_000, 2_500_000]
    rng = random.Random(9)
    paths = [f"/s/{n}/{rng.choice(sizes) + n}" for n in range(60)]
    seen = {"answers": 0, "hits": 0, "warm": 0, "cut": 0}

    def ask(server, path, word):
        try:
            status, headers, body = server.ask(path)
        except (OSError, http.client.HTTPException):
            seen["cut"] += 1
            return
        assert status == 200 and body == body_of(path, headers["X-Version"]), path
        seen["answers"] += 1
        seen[word] += is_hit(headers)

    def load(server, seed, stop):
        choice = random.Random(seed)
        while not stop.is_set():
            ask(server, choice.choice(paths), "hits")

    with store(tmp_path, "--cache-bytes", str(budget), "--memory-bytes", str(MB)) as server, \
            concurrent.futures.ThreadPoolExecutor(8) as pool:
        for number in range(rounds):
            stop = threading.Event()
            clients = [pool.submit(load, server, number * 100 + n, stop) for n in range(8)]
            time.sleep(rng.uniform(0.1, 0.8))
            server.kill()
            stop.set()
            for client in clients:
                client.result(30)
            server.start()
            metrics = server.metrics()
            assert metrics["perigee_http_cache_bytes"] <= budget and metrics["perigee_http_cache_disk_up"] == 1
            for path in rng.sample(paths, 10):
                ask(server, path, "warm")
            assert server.metrics()["perigee_http_cache_disk_errors_total"] == 0
        assert server.end() == 0
    assert not list(tmp_path.glob("*damaged*"))
    with sqlite3.connect(tmp_path / "cache.sqlite") as file:
        assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert file.execute("SELECT count(*) FROM loose").fetchone() == (0,)
        loose = "SELECT count(*) FROM chunk WHERE id >> 20 NOT IN (SELECT id FROM object)"
        assert file.execute(loose).fetchone() == (0,)
    report(f"{rounds} times kill -9: {seen}")
    assert seen["warm"] > rounds, "hits survive"


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 8 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "perigee-test", folder], capture_output=True, text=True)
    if mount.returncode != 0:
        if os.environ.get("CI"):
            pytest.fail(mount.stderr)
        pytest.skip(f"cannot mount a small disk: {mount.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_means_memory_alone_until_there_is_room(tmp_path, small_disk):
    flags = ["--cache-bytes", str(30 * MB), "--disk-retry-ms", "200"]
    with store(tmp_path, *flags, cache=small_disk / "cache.sqlite") as server:
        def check(path):
            _, headers, body = server.ask(path)
            assert body == body_of(path, headers["X-Version"])
            return headers

        def disk_up():
            return server.metrics()["perigee_http_cache_disk_up"]

        (small_disk / "ballast").write_bytes(bytes(4 * MB))
        assert disk_up() == 1
        for n in range(30):
            check(f"/s/{n}/200000")
            check(f"/s/large{n}/1500000")
        wait_until("the disk is out", lambda: disk_up() == 0)
        assert server.metrics()["perigee_http_cache_disk_errors_total"] >= 1
        check("/s/memory/100000")
        assert is_hit(check("/s/memory/100000")), "memory goes on"
        (small_disk / "ballast").unlink()
        subprocess.run(["mount", "-o", "remount,size=80m", small_disk], check=True)
        wait_until("the disk is back", lambda: disk_up() == 1)
        for path in ("/s/back/100000", "/s/back/2000000"):
            check(path)
        assert server.end() == 0
        server.start()
        for path in ("/s/back/100000", "/s/back/2000000"):
            assert is_hit(check(path)), "stored on the disk again"


def test_a_cache_that_has_filled_its_disk_begins_anew_after_a_restart(tmp_path, small_disk):
    flags = ["--cache-bytes", str(30 * MB), "--disk-retry-ms", "200"]
    with store(tmp_path, *flags, cache=small_disk / "cache.sqlite") as server:
        for n in range(100):
            server.ask(f"/s/{n}/200000")
        wait_until("the disk is out", lambda: server.metrics()["perigee_http_cache_disk_up"] == 0)
        assert server.end() == 0
        server.start()
        wait_until("the disk is back", lambda: server.metrics()["perigee_http_cache_disk_up"] == 1)
        server.ask("/s/new/100000")
        assert server.end() == 0
        server.start()
        assert is_hit(server.ask("/s/new/100000")[1])


def download(port, path, pause=0.0, receive_buffer=None):
    """The digest of the body; reads at the pace of a chunk each `pause` seconds."""
    with socket.socket() as client:
        if receive_buffer:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        client.settimeout(60)
        client.connect(("127.0.0.1", port))
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        data = b""
        while b"\r\n\r\n" not in data:
            data += client.recv(65536)
        digest = hashlib.blake2b(data.split(b"\r\n\r\n", 1)[1])
        while data := client.recv(1 << 20):
            digest.update(data)
            time.sleep(pause)
        return digest.hexdigest()


def digest_of_blocks(size):
    digest = hashlib.blake2b()
    for block in blocks(size):
        digest.update(block)
    return digest.hexdigest()


def test_a_body_much_larger_than_memory_is_stored_and_served_in_constant_memory(tmp_path, report):
    size = int(os.environ.get("PERIGEE_LARGE_BODY_BYTES", 200 * MB))
    with store(tmp_path, "--cache-bytes", str(2 * size), "--max-object-bytes", str(size)) as server:
        server.ask("/s/small/100")
        for expected_requests in (2, 2):
            began = time.monotonic()
            with Memory(server.process) as memory:
                assert download(server.port, f"/blocks/{size}") == digest_of_blocks(size)
            assert len(Versions.requests) == expected_requests
            report(f"{size / MB:.0f} MB in {time.monotonic() - began:.1f} s,"
                   f" peak {memory.peak / MB:.1f} MB after {memory.before / MB:.1f} MB")
            assert memory.peak < memory.before + 30 * MB
        assert server.metrics()["perigee_http_cache_bytes"] > size


def test_memory_is_bounded_under_many_large_downloads(tmp_path, report):
    """60 clients, most of them slow, on 12 bodies that come from the origin and then from the disk."""
    size, flight = 12 * MB, 16 * MB
    flags = ["--cache-bytes", str(400 * MB), "--memory-bytes", str(8 * MB), "--max-object-bytes", str(size),
             "--max-flight-bytes", str(flight)]
    with store(tmp_path, *flags) as server, concurrent.futures.ThreadPoolExecutor(60) as pool:
        server.ask("/s/small/100")
        expected = digest_of_blocks(size)
        with Memory(server.process) as memory:
            answers = [pool.submit(download, server.port, f"/blocks/{n % 12}/{size}", (n % 4) * 0.005, 65536) for n in range(60)]
            for answer in answers:
                assert answer.result(120) == expected
        # The flights' budget; what waits for the disk and is assembled there, two windows of 1 MiB a fetch; a chunk
        # and a piece for each connection; and SQLite's page caches, 2 MB for each reader and the writer.
        bound = flight + 12 * 2 * (1 << 20) + 60 * (256 + 32) * 1024 + 18 * 2 * MB
        report(f"60 downloads of {size / MB:.0f} MB: peak {memory.peak / MB:.1f} MB after {memory.before / MB:.1f} MB,"
               f" bound {bound / MB:.1f} MB more")
        assert memory.peak < memory.before + bound


def test_what_waits_for_clients_that_do_not_read_is_bounded(tmp_path, report):
    """Hits of 1 MB that nobody takes: of several ranges, of bodies that others drive out, and from the disk."""
    cache, flight, clients = 20 * MB, 20 * MB, 100
    flags = ["--cache-bytes", str(cache), "--memory-bytes", str(4 * MB), "--max-flight-bytes", str(flight)]
    with store(tmp_path, *flags) as server, contextlib.ExitStack() as stack:
        with Memory(server.process) as memory:
            for n in range(clients):
                path = f"/s/{n}/{MB}"
                server.ask(path)
                for fields in ("", f"Range: bytes=0-0,2-{MB - 1}\r\n"):
                    client = stack.enter_context(socket.socket())
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                    client.connect(("127.0.0.1", server.port))
                    client.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode())
                    assert client.recv(12) in (b"HTTP/1.1 200", b"HTTP/1.1 206")
        # What waits for clients; what is stored, which is in memory until a slow disk has it; SQLite's page caches.
        bound = flight / 2 + cache + 18 * 2 * MB
        report(f"{2 * clients} clients that do not read: peak {memory.peak / MB:.1f} MB after {memory.before / MB:.1f} MB")
        assert memory.peak < memory.before + bound
        assert is_hit(server.ask(f"/s/{clients - 1}/{MB}")[1])


class Film(http.server.BaseHTTPRequestHandler):
    """Four gigabytes that are made as they are asked for, by ranges of "bytes=FIRST-LAST" alone."""

    protocol_version = "HTTP/1.1"
    size = 4_000 * MB
    etag = '"first-cut"'
    requests = []

    @classmethod
    def part(cls, first, last):
        begin = first - first % len(BLOCK)
        made = b"".join(b"%016d" % at + BLOCK[16:] for at in range(begin, last + 1, len(BLOCK)))
        return made[first - begin:last + 1 - begin]

    def do_GET(self):
        self.requests.append(self.headers["Range"])
        first, last = map(int, self.headers["Range"].removeprefix("bytes=").split("-"))
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{last}/{self.size}")
        self.send_header("Content-Length", str(last - first + 1))
        self.send_header("ETag", self.etag)
        self.send_header("Cache-Control", "max-age=600")
        self.end_headers()
        self.wfile.write(self.part(first, last))

    def log_message(self, *_):
        pass


def test_a_film_larger_than_the_store_is_served_from_its_parts(tmp_path, report):
    scenes = [3_999 * MB, 0, 1_500 * MB, 1_502 * MB]  # each of two megabytes, in the order of the first viewer
    flags = ["--cache", "cache.sqlite", "--cache-bytes", str(40 * MB), "--memory-bytes", str(4 * MB)]
    with LocalHttp(tmp_path, flags=flags, handler=Film) as server:

        def watch(first, last):
            status, headers, body = server.ask("/film", Range=f"bytes={first}-{last}")
            assert status == 206 and headers["Content-Range"] == f"bytes {first}-{last}/{Film.size}"
            assert body == Film.part(first, last)
            return is_hit(headers)

        for scene in scenes:
            pieces = [(at, at + 500_000 - 1) for at in range(scene, min(scene + 2 * MB, Film.size), 500_000)]
            assert not any([watch(*piece) for piece in pieces])

        def everybody_else():
            assert watch(1_500 * MB + 17, 1_504 * MB - 1), "across pieces and scenes"
            assert all(watch(at, at + 100_000 - 1) for at in range(100_000, 2 * MB - 100_000, 70_001))
            assert is_hit(server.ask("/film", Range="bytes=-1000")[1])

        wait_until("the last piece is stored", lambda: watch(1_504 * MB - 9, 1_504 * MB - 1))
        asked = len(Film.requests)
        everybody_else()
        assert server.end() == 0
        server.start()
        everybody_else()
        server.kill()
        server.start()
        everybody_else()
        assert len(Film.requests) == asked
        assert os.path.getsize(tmp_path / "cache.sqlite") < 40 * MB
        report(f"{asked} requests to the origin")
