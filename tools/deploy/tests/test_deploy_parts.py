import argparse
import io
import pathlib
import re
import subprocess
import tarfile

import pytest

import checks
import fleet
import plan
import release
import textproto
from display import table
from host import Facts, parse_facts, parse_status
from release import HOST_SCRIPT
from ssh import _explain

ROOT = pathlib.Path(__file__).resolve().parents[3]

def described(text, **given):
    options = argparse.Namespace(**({"port": 80, "dns_port": None, "origin": "o.example", "name": "cdn.example",
                                     "director": None} | given))
    return fleet.read(text, pathlib.Path("."), options)


TWO = 'replica { name: "dublin" ipv4: "192.0.2.10" }\nreplica <name:"tokyo", ipv6:"2001:db8::20"; http_port: 8080>\n'


class TestTextproto:
    def test_reads_every_spelling(self):
        fields = textproto.parse("""a: 'x\\"\\x41\\102' "y"  # comment with " and }
            m { b: -1.5 }  m: < b: true >  l: ["p", 'q'];""")
        assert [(f.name, f.value) for f in fields if f.name != "m"] == [("a", 'x"ABy'), ("l", "p"), ("l", "q")]
        assert [textproto.first(m, "b") for m in textproto.of(fields, "m")] == ["-1.5", "true"]

    @pytest.mark.parametrize("text, where", [("a: {", "1:5"), ("a:\n  }", "2:3"), ('a: "x', "1:4"), ("m { b: 1", "1:9")])
    def test_says_where_it_is_wrong(self, text, where):
        with pytest.raises(ValueError, match=f"^{where}: "):
            textproto.parse(text)

    def test_quotes_what_it_reads_back(self):
        odd = 'a "b" \\ c\n'
        assert textproto.first(textproto.parse(f"x: {textproto.quote(odd)}"), "x") == odd


class TestFleet:
    def test_the_first_replica_is_the_director_too_unless_another_is_named(self):
        assert [(h.name, h.is_director) for h in described(TWO).hosts] == [("dublin", True), ("tokyo", False)]
        assert [h.name for h in described(TWO, director="192.0.2.1").hosts] == ["director", "dublin", "tokyo"]
        assert described(TWO, director="2001:db8::20").director.name == "tokyo"

    def test_ports(self):
        assert [r.http_port for r in described(TWO, port=8000).replicas] == [8000, 8080]
        assert [described(TWO, port=p).dns_port for p in (80, 443, 1024, 40000)] == [53, 53, 1024, 40000]
        assert described(TWO, port=80, dns_port=5353).dns_port == 5353

    def test_the_command_line_counts_before_the_file(self):
        text = 'domain: "a.example"  # kept\norigin: "b.example"\n' + TWO
        assert described(text).text.startswith('domain: "cdn.example"\norigin: "o.example"\n')
        assert "# kept" in described(text).text and "a.example" not in described(text).text
        assert described(text, name=None, origin=None).domain == "a.example"

    @pytest.mark.parametrize("text, given, what", [
        ("", {}, "names no replica"),
        (TWO, {"name": None}, "-n is missing"),
        (TWO, {"origin": "a b"}, "-o"),
        (TWO, {"director": "ns.example"}, "is no IP address"),
        (TWO + TWO, {}, "the same name"),
        ('replica { name: "../x" ipv4: "192.0.2.1" }', {}, "letters, digits"),
    ])
    def test_refuses(self, text, given, what):
        with pytest.raises(fleet.FleetError, match=what):
            described(text, **given)

    def test_hosts_of_the_command_line(self):
        assert [r.name for r in described(fleet.text_from_list("a=192.0.2.1,b=2001:db8::2")).replicas] == ["a", "b"]
        with pytest.raises(fleet.FleetError, match="is no IP address"):
            fleet.text_from_list("a=nowhere")


class TestRelease:
    def test_paths_of_the_fleet_file_become_the_hosts(self):
        text, files = release.localize("""
            control { ca_file: "my.pem" }  zone { name: "x" file: "zones/x.zone" }
            dns { state_file: "map.sqlite" decision_log: "/var/log/d" cookies { secret_file: "s" } }""")
        assert files == {"x.zone": "zones/x.zone", "s": "s"}
        assert 'file: "/opt/perigee/current/etc/x.zone"' in text and "my.pem" not in text
        assert 'state_file: "/opt/perigee/state/map.sqlite"' in text and 'decision_log: "/var/log/d"' in text
        assert text.count("control {") == 1 and 'key_file: "/opt/perigee/current/keys/key.pem"' in text

    def test_no_path_of_the_fleet_file_is_forgotten(self):
        proto = (ROOT / "proto/perigee/v1/config.proto").read_text()
        paths = set(re.findall(r"^  string (file|path|\w+_(?:file|log|ca)) = ", proto, re.M))
        control = {"ca_file", "certificate_file", "key_file"}
        assert paths == control | {path[-1] for path in release._READ + release._WRITTEN}

    def test_two_files_of_one_name_are_refused(self):
        with pytest.raises(fleet.FleetError, match="same name"):
            release.localize('zone { name: "x" file: "a/z" } zone { name: "y" file: "b/z" }')

    def test_each_host_is_given_its_programs_and_keys(self):
        both, tokyo = described(TWO).hosts
        assert sorted(release.services(described(TWO), both)) == ["dnsserver", "httpserver", "prober"]
        arguments = release.services(described(TWO), tokyo)
        assert sorted(arguments) == ["httpserver", "prober"] and "[::]:4302" in arguments["httpserver"]

    def test_each_program_comes_with_its_rights(self):
        both = described(TWO).hosts[0]
        made = release.make(described(TWO), both, {}, "runtime")
        with tarfile.open(fileobj=io.BytesIO(made.archive)) as tar:
            rights = {name for name in tar.getnames() if name.startswith("hardening/")}
        assert rights == {f"hardening/{name}/10-{part}.conf" for name in ("dnsserver", "httpserver", "prober") for part in ("all", name)}

    def test_the_same_content_is_the_same_release(self):
        one = described(TWO)
        ids = [release.make(one, one.hosts[0], {"key.pem": key}, runtime).id for key, runtime in
               ((b"k", "r"), (b"k", "r"), (b"other", "r"), (b"k", "other"))]
        assert ids[0] == ids[1] and len(set(ids)) == 3


class TestPlan:
    wanted = release.Release("id", "sha", b"", "runtime")

    def test_only_what_is_not_there_is_copied(self):
        assert plan.deploy_steps(Facts(), self.wanted) == ["copy", "install"]
        assert plan.deploy_steps(Facts(runtimes=("runtime",), current="old"), self.wanted) == ["install"]
        assert plan.deploy_steps(Facts(runtimes=("runtime",), current="id"), self.wanted) == []

    def test_run_starts_exchanges_or_leaves_alone(self):
        def step(**services):
            return plan.run_step(Facts(current="id", services=services))

        assert plan.run_step(Facts()) == "deploy"
        assert step(a=("stopped", ""), b=("running", "id")) == "start"
        assert step(a=("stopped", ""), b=("running", "old")) == "exchange"
        assert step(a=("running", "id")) is None

    @pytest.mark.parametrize("facts, what", [
        (Facts("aarch64", "6.1.0"), "aarch64"), (Facts("x86_64", "4.14.336-x"), "kernel"),
        (Facts("x86_64", "5.10", missing=("flock",)), "flock"), (Facts("x86_64", "5.10.0-28-amd64"), None)])
    def test_a_host_that_cannot_run_it_is_refused(self, facts, what):
        refusal = plan.refusal(facts, "x86_64")
        assert refusal is None if what is None else what in refusal


class TestWords:
    def test_of_the_host(self):
        facts = parse_facts("machine x86_64\nkernel 6.1.0\nmissing flock\ncurrent \nprevious p\ndrained tokyo\n"
                            "service a running r1\nservice b stopped\n")
        assert facts == Facts("x86_64", "6.1.0", ("flock",), (), "", "p", ("tokyo",),
                              {"a": ("running", "r1"), "b": ("stopped", "")})

    def test_of_cdnctl(self):
        status = parse_status('{"director": {"replicas": [{"name": "dublin", "healthy": true}]}, "replicas": {"replicas": []}}')
        assert status == {"dublin": {"name": "dublin", "healthy": True}}

    def test_of_dig(self):
        answer = "status: NOERROR, id: 1\ncdn.example. 60 IN A 192.0.2.10\n;; Query time: 12 msec\n"
        assert checks.read_dig(answer, {"192.0.2.10"}) == checks.Check(True, "192.0.2.10 12 ms")
        assert not checks.read_dig(answer, {"192.0.2.11"}).ok
        assert checks.read_dig("status: SERVFAIL, id: 1\n", set()) == checks.Check(False, "SERVFAIL")
        assert checks.read_dig(";; no servers could be reached", set()) == checks.Check(False, "no answer")

    def test_of_wget(self):
        headers = "  HTTP/1.1 200 OK\n  Cache-Status: Perigee; hit\n"
        assert checks.read_wget(headers, 20, 0.1234) == checks.Check(True, "200 20 B 123 ms hit")
        assert not checks.read_wget("  HTTP/1.1 502 Bad Gateway\n", 0, 0.1).ok
        assert checks.read_wget("", 0, 0.1) == checks.Check(False, "no answer")

    def test_of_ssh(self):
        assert "--accept-new-host-keys" in _explain("No ED25519 host key is known for 192.0.2.1\nHost key verification failed.", 255)
        changed = "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed."
        assert "CHANGED" in _explain(changed, 255)
        assert "sudo without a password" in _explain("sudo: a password is required", 1)

    def test_tables_line_up(self):
        assert table([("A", "LONGER"), ("longer", "B"), ("c", "")]) == "A       LONGER\nlonger  B\nc"


def functions(root):
    """host.sh without the command at its end, for a folder of ours."""
    return HOST_SCRIPT.rsplit("\ncommand=$1\n", 1)[0].replace("root=/opt/perigee", f"root={root}")


def test_what_the_prober_may_do_is_what_its_unit_says(tmp_path):
    (tmp_path / "current/hardening").mkdir(parents=True)
    (tmp_path / "current/hardening/prober").symlink_to(release.HARDENING)
    said = subprocess.run(["sh", "-c", f"{functions(tmp_path)}\nprober_capabilities"], capture_output=True, text=True)
    assert said.stdout == "+net_raw,+sys_chroot,+setuid,+setgid,+kill\n", said.stderr


def test_the_host_script_is_posix_shell():
    assert subprocess.run(["sh", "-n"], input=HOST_SCRIPT, text=True).returncode == 0


@pytest.mark.parametrize("then, alive", [("", True), ("kill -9 $pid; while identity $pid; do :; done >/dev/null;", False)])
def test_a_process_is_known_by_its_start_not_by_its_number(tmp_path, then, alive):
    (tmp_path / "run").mkdir()
    script = f"""{functions(tmp_path)}
        sleep 60 >/dev/null & pid=$!; record x.process $pid; {then}
        recorded x.process >/dev/null && echo alive || echo gone
        sed -i 's/^\\([0-9]*\\) [0-9]*/\\1 1/' $root/run/x.process
        recorded x.process || echo another
        kill $pid 2>/dev/null || :"""
    said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=20)
    assert said.stdout.split() == ["alive" if alive else "gone", "another"], said.stderr


_FAKE_PROGRAM = """#!/bin/sh
[ ! -e "$(dirname "$0")/broken" ] || exit 1
while [ $# -gt 1 ]; do
  [ "$1" != --replace ] || kill "$2"
  shift
done
exec sleep 60
"""


@pytest.fixture
def supervised(tmp_path):
    """Two releases of a program that can be broken, and host.sh at work on them, without systemd."""
    for name in ("a", "b"):
        folder = tmp_path / "releases" / name
        for part in ("runtime/run", "services"):
            (folder / part).mkdir(parents=True)
        (folder / "services" / "httpserver").write_text("")
        (folder / "runtime/run/httpserver").write_text(_FAKE_PROGRAM)
        (folder / "runtime/run/httpserver").chmod(0o755)
        script = HOST_SCRIPT.replace("root=/opt/perigee", f"root={tmp_path}").replace("[ ! -d /run/systemd/system ] ||", "false &&")
        (folder / "host.sh").write_text(script)
    for name in ("run", "log", "state", "tmp"):
        (tmp_path / name).mkdir()

    def host(command, release="a"):
        (tmp_path / "next").symlink_to(f"releases/{release}")
        (tmp_path / "next").rename(tmp_path / "current")
        done = subprocess.run(["sh", tmp_path / "current/host.sh", command], capture_output=True, text=True, timeout=60)
        return [line.split()[2:] for line in done.stdout.splitlines() if line.startswith("service httpserver")]

    host.root = tmp_path
    yield host
    host("stop")


def _process(host):
    return (host.root / "run/httpserver.process").read_text()


def test_a_release_that_does_not_start_leaves_the_old_one_running(supervised):
    assert supervised("start") == [["started"]]
    before = _process(supervised)
    (supervised.root / "releases/b/runtime/run/broken").touch()
    assert supervised("start", "b") == [["failed"]]
    assert _process(supervised) == before and supervised("facts", "b") == [["running", "a"]]
    (supervised.root / "releases/b/runtime/run/broken").unlink()
    assert supervised("start", "b") == [["exchanged"]]
    assert _process(supervised) != before and supervised("facts", "b") == [["running", "b"]]


def test_stopping_leaves_no_record_and_starts_nothing_anew(supervised):
    supervised("start")
    assert supervised("start") == [["running"]]
    assert supervised("stop") == [["ended"]] and supervised("stop") == []
    assert list((supervised.root / "run").iterdir()) == []
