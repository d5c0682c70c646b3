"""Nothing that comes over a wire or stands in a file stops a program or leaves its user in the dark.

The functions that use gRPC import it themselves: it must not be loaded in a process that forks later.
"""

import random
import socket
import subprocess

import cdn as perigee
import pytest
from in_host import python_in

HTTP_GARBAGE = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/9.9\r\nHost: a\r\n\r\n", b"\r\n" * 50, b"GET / HTTP/1.1\nHost: a\n\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"b" * 200_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 10_000 + b"\r\n", b"\x00" * 1000,
    b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n",
]


def http_statuses(address):
    """The first line that each piece of garbage is answered with; empty when the server just closed."""
    lines = []
    for garbage in HTTP_GARBAGE:
        with socket.create_connection((address, 80), timeout=10) as connection:
            try:
                connection.sendall(garbage)
                connection.shutdown(socket.SHUT_WR)
                answer = connection.recv(4096)
            except (ConnectionResetError, BrokenPipeError):
                answer = b""
            lines.append(answer.split(b"\r\n")[0].decode(errors="replace"))
    return lines


def test_malformed_http_is_refused_and_the_server_lives(cdn, world):
    tokyo = world.hosts["tokyo"]
    lines = python_in("client-tokyo", http_statuses, tokyo.ipv4)
    for garbage, line in zip(HTTP_GARBAGE, lines):
        assert line == "" or line.split()[1][0] in "45", (garbage[:60], line)
    assert sum(line.startswith("HTTP/1.1 400") for line in lines) >= 9
    cdn.publish("t/alive.html", 100)
    assert cdn.wget("client-tokyo", f"http://{tokyo.ipv4}/t/alive.html")[3] == 0
    assert cdn.process("httpserver", "tokyo").poll() is None


def send_dns_garbage(address, seed, packets):
    """Mutations of a real query over UDP, then over TCP; returns how many answers came."""
    rng = random.Random(seed)
    query = bytes.fromhex("1234010000010000000000010363646e0770657269676565047465737400000100010000291000000000000000")
    answers = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(0.001)
        for _ in range(packets):
            mutated = bytearray(query[: rng.randrange(1, len(query) + 1)])
            for _ in range(rng.randrange(0, 6)):
                mutated[rng.randrange(len(mutated))] = rng.randrange(256)
            udp.sendto(bytes(mutated), (address, 53))
            try:
                udp.recv(4096)
                answers += 1
            except TimeoutError:
                pass
    for prefix in (b"\x00\x00", b"\xff\xff" + b"a" * 100, b"\x00\x05abc", bytes(100)):
        with socket.create_connection((address, 53), timeout=10) as tcp:
            try:
                tcp.sendall(prefix)
                tcp.shutdown(socket.SHUT_WR)
                tcp.recv(4096)
            except OSError:
                pass  # closed at once: an answer as good as any
    return answers


def test_malformed_dns_never_stops_the_server(cdn, world):
    answers = python_in("director", send_dns_garbage, "198.18.0.53", 7, 5_000)
    assert answers > 0, "FORMERR is an answer"
    addresses, _, text = cdn.dig("client-tokyo")
    assert addresses, text
    assert cdn.process("dnsserver", "director").poll() is None


def grpc_codes(cdn, address, method):
    import grpc_raw

    payloads = (b"\xff\xff\xff\xff garbage", b"\x0a\xff", b"\x0a\x03abc", b"\x0a\x09127.0.0.1", b"a" * 5_000_000)
    with grpc_raw.channel(cdn, "director", address) as channel:
        return [*(grpc_raw.code(channel, method, payload) for payload in payloads), grpc_raw.health(channel)]


@pytest.mark.parametrize("program, port, method", [
    ("prober", perigee.PROBER_PORT, "/perigee.v1.Prober/Measure"),
    ("httpserver", perigee.REPLICA_PORT, "/perigee.v1.Replica/Stats"),
    ("dnsserver", perigee.DIRECTOR_PORT, "/perigee.v1.Director/Explain"),
])
def test_malformed_grpc_is_an_error_and_the_server_serves_on(cdn, world, program, port, method):
    address = "127.0.0.1" if program == "dnsserver" else world.hosts["tokyo"].ipv4
    codes = python_in("director", grpc_codes, cdn, f"{address}:{port}", method)
    assert codes[-1] == "SERVING"
    assert codes[0] != "OK" and codes[4] != "OK"
    if program != "httpserver":  # Stats takes any message
        assert codes[2] == "INVALID_ARGUMENT"
    if program == "prober":
        assert codes[3] == "PERMISSION_DENIED"


def offered(cdn, address):
    import grpc_raw

    with grpc_raw.channel(cdn, "director", address) as channel:
        return sorted(grpc_raw.services(channel))


def test_every_server_offers_health_and_reflection(cdn, world):
    tokyo = world.hosts["tokyo"].ipv4
    for address, service in ((f"{tokyo}:{perigee.PROBER_PORT}", "Prober"), (f"{tokyo}:{perigee.REPLICA_PORT}", "Replica"),
                             (f"127.0.0.1:{perigee.DIRECTOR_PORT}", "Director")):
        assert python_in("director", offered, cdn, address) == ["grpc.health.v1.Health", f"perigee.v1.{service}"]


def code_without_certificate(cdn, address):
    import grpc
    import grpc_raw

    credentials = grpc.ssl_channel_credentials((cdn.folder / "director" / "ca.pem").read_bytes())
    codes = []
    for channel in (grpc.insecure_channel(address), grpc.secure_channel(address, credentials)):
        with channel:
            codes.append(grpc_raw.code(channel, "/perigee.v1.Prober/Measure", b"\x0a\x0b198.18.0.80"))
    return codes


def test_a_stranger_without_a_certificate_cannot_measure(cdn, world):
    address = f"{world.hosts['tokyo'].ipv4}:{perigee.PROBER_PORT}"
    assert python_in("client-tokyo", code_without_certificate, cdn, address) == ["UNAVAILABLE"] * 2


def codes_of_a_replica(cdn, methods):
    import grpc_raw

    codes = []
    for address, method in methods:
        with grpc_raw.channel(cdn, "dublin", address) as channel:
            codes += [grpc_raw.code(channel, method), grpc_raw.health(channel)]
    return codes


def test_a_replicas_certificate_commands_nobody(cdn, world):
    tokyo = world.hosts["tokyo"].ipv4
    methods = [(f"{tokyo}:{perigee.PROBER_PORT}", "/perigee.v1.Prober/Measure"),
               (f"{tokyo}:{perigee.REPLICA_PORT}", "/perigee.v1.Replica/Purge"),
               (f"127.0.0.1:{perigee.DIRECTOR_PORT}", "/perigee.v1.Director/Reload")]
    assert python_in("director", codes_of_a_replica, cdn, methods) == ["PERMISSION_DENIED", "SERVING"] * 3


def run(*command, cwd=None):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=20, cwd=cwd)


@pytest.mark.parametrize("program, arguments", [
    ("dnsserver", ["-p", "53"]), ("httpserver", ["-p", "80", "-o", "origin.example"]), ("prober", []), ("cdnctl", ["status"]),
])
def test_a_wrong_flag_is_named_and_exits_2(program, arguments):
    result = run(perigee.BIN / program, *arguments, "--no-such-flag")
    assert result.returncode == 2
    assert "--no-such-flag" in result.stderr


@pytest.mark.parametrize("program", ["dnsserver", "httpserver", "prober", "cdnctl"])
def test_help_teaches_and_version_tells(program):
    assert "Examples:" in run(perigee.BIN / program, "--help").stdout
    assert run(perigee.BIN / program, "--version").stdout.startswith(f"{program} ")


@pytest.mark.parametrize("program, arguments", [
    ("dnsserver", ["-p", "5399"]), ("httpserver", ["-p", "8099", "-o", "origin.example"]), ("prober", []), ("cdnctl", ["config", "check"]),
])
def test_a_wrong_fleet_file_is_named_with_line_and_column(program, arguments, tmp_path):
    (tmp_path / "cdn.textproto").write_text('domain: "a.example"\nreplica { name: "x" ipv4: "192.0.2.300" }\n')
    result = run(perigee.BIN / program, *arguments, "--config", "cdn.textproto", cwd=tmp_path)
    assert result.returncode == 2
    assert "cdn.textproto:2:21: ipv4:" in result.stderr


def test_a_port_in_use_is_named(cdn, world):
    tokyo = world.hosts["tokyo"]
    attempts = {
        "dnsserver": ("director", "-p", "53", "-n", "a.example", "--listen", "198.18.0.53", "--control", "127.0.0.1:4999"),
        "httpserver": ("tokyo", "-p", "80", "-o", "198.18.0.80", "--control", "127.0.0.1:4999", "--cache", "other.sqlite"),
        "prober": ("tokyo", "--listen", f"{tokyo.ipv4}:{perigee.PROBER_PORT}", "--config", "cdn.textproto"),
    }
    for program, (host, *arguments) in attempts.items():
        result = subprocess.run(world.command(host, perigee.BIN / program, *arguments), capture_output=True, text=True,
                                timeout=20, cwd=cdn.folder / host)
        assert result.returncode == 1, result.stderr
        assert "in use" in result.stderr


def test_what_each_server_takes_at_rest(cdn, report):
    sizes = {name: perigee.resident_kib(cdn.process(*name.split("@")).pid) / 1024
             for name in ("dnsserver@director", "httpserver@dublin", "prober@dublin")}
    report("resident at rest: " + ", ".join(f"{name} {mib:.1f} MiB" for name, mib in sizes.items()))
    assert all(mib < 64 for mib in sizes.values())
