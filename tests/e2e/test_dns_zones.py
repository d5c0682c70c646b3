"""Zone files beside steered names, and what an operator does to a running dnsserver: over loopback, no world needed."""

import re
import subprocess
import threading

import dns_raw as dns
import pytest
from cdn import wait_until
from local_dns import CLIENT, DOMAIN, REPLICAS, LocalDns
from metrics_page import total

ZONE_NAME = "example.org"
FLEET = f"""zone {{ name: "{ZONE_NAME}" file: "example.zone" steered: "cdn" steered: "*.steered" }}
dns {{
  metrics_listen: "METRICS" decision_log: "decisions.log" state_file: "state.sqlite"
  rate_limit {{ responses_per_second: 50 slip: 2 exempt: "127.9.0.0/16" }}
}}
"""
ZONE = f"""$ORIGIN {ZONE_NAME}.
$TTL 300
@ SOA ns1 hostmaster 7 3600 600 86400 60
@ NS ns1
@ NS ns2
@ MX 10 mail
@ TXT "v=spf1 -all" "second string"
@ CAA 0 issue "ca.example"
ns1 A 127.0.0.1
ns2 A 127.0.0.1
mail A 192.0.2.25
cdn TXT "beside the steered name"
_sip._tcp SRV 1 2 5060 mail
www HTTPS 1 . alpn=h2 ipv4hint=192.0.2.80
alias CNAME cdn
outside CNAME www.example.net.
*.wild A 192.0.2.99
*.wild TXT "wild"
exists.wild A 192.0.2.100
leaf.empty A 192.0.2.101
old DNAME new
host.new A 192.0.2.102
sub NS ns.sub
sub DS 12345 13 2 0102030405060708091011121314151617181920212223242526272829303132
ns.sub A 192.0.2.53
odd TYPE65400 \\# 3 010203
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with LocalDns(tmp_path_factory.mktemp("zones"), FLEET, {"example.zone": ZONE}, probers=True) as local:
        local.wait_known()
        yield local


def ask(server, relative, qtype):
    return server.ask(f"{relative}.{ZONE_NAME}" if relative else ZONE_NAME, qtype)


def text_of(answer, qtype):
    return sorted(r.text for r in answer.of(qtype))


@pytest.mark.parametrize("relative, qtype, rdatas", [
    ("", dns.NS, [dns.name("ns1.example.org"), dns.name("ns2.example.org")]),
    ("", dns.MX, [b"\0\x0a" + dns.name("mail.example.org")]),
    ("", dns.TXT, [b"\x0bv=spf1 -all\x0dsecond string"]),
    ("", dns.CAA, [b"\0\5issueca.example"]),
    ("_sip._tcp", dns.SRV, [b"\0\1\0\2\x13\xc4" + dns.name("mail.example.org")]),
    ("www", dns.HTTPS, [b"\0\1\0" + b"\0\1\0\3\2h2" + b"\0\4\0\4\xc0\0\2\x50"]),
    ("odd", 65400, [b"\1\2\3"]),
    ("cdn", dns.TXT, [b"\x17beside the steered name"]),
])
def test_a_record_of_any_type_is_served(server, relative, qtype, rdatas):
    answer = ask(server, relative, qtype)
    assert answer.rcode == dns.NOERROR and answer.has(dns.AA)
    assert sorted(r.rdata for r in answer.answer) == sorted(rdatas)
    assert all(r.ttl == 300 for r in answer.answer)


def negative(answer, rcode):
    assert answer.rcode == rcode and answer.has(dns.AA) and answer.answer == []
    assert [(r.owner, r.ttl) for r in answer.of(dns.SOA, "authority")] == [(f"{ZONE_NAME}.", 60)]


def test_a_missing_name_and_a_missing_type_come_with_the_soa_and_its_negative_ttl(server):
    negative(ask(server, "nowhere", dns.A), dns.NXDOMAIN)
    negative(ask(server, "mail", dns.AAAA), dns.NOERROR)


def test_an_empty_non_terminal_exists(server):
    negative(ask(server, "empty", dns.A), dns.NOERROR)
    negative(ask(server, "other.empty", dns.A), dns.NXDOMAIN)


def test_a_wildcard_answers_for_what_does_not_exist_alone(server):
    assert text_of(ask(server, "any.wild", dns.A), dns.A) == ["192.0.2.99"]
    assert text_of(ask(server, "deep.er.wild", dns.A), dns.A) == ["192.0.2.99"]
    assert ask(server, "any.wild", dns.A).answer[0].owner == f"any.wild.{ZONE_NAME}."
    assert text_of(ask(server, "exists.wild", dns.A), dns.A) == ["192.0.2.100"]
    negative(ask(server, "exists.wild", dns.TXT), dns.NOERROR)
    negative(ask(server, "below.exists.wild", dns.A), dns.NXDOMAIN)


def test_a_delegation_is_a_referral_with_glue(server):
    answer = ask(server, "host.sub", dns.A)
    assert answer.rcode == dns.NOERROR and not answer.has(dns.AA) and answer.answer == []
    assert [r.text for r in answer.of(dns.NS, "authority")] == [f"ns.sub.{ZONE_NAME}."]
    assert [r.text for r in answer.of(dns.A, "additional")] == ["192.0.2.53"]


def test_ds_at_a_cut_is_the_parents(server):
    answer = ask(server, "sub", dns.DS)
    assert answer.has(dns.AA) and len(answer.of(dns.DS)) == 1


def test_a_cname_leads_to_a_steered_name(server):
    answer = ask(server, "alias", dns.A)
    assert [r.text for r in answer.of(dns.CNAME)] == [f"cdn.{ZONE_NAME}."]
    assert text_of(answer, dns.A) == [REPLICAS["near"]]


def test_a_cname_that_leaves_our_zones_ends_the_answer(server):
    answer = ask(server, "outside", dns.A)
    assert answer.rcode == dns.NOERROR and [r.type for r in answer.answer] == [dns.CNAME]


def test_dname_redirects_what_is_below_it(server):
    answer = ask(server, "host.old", dns.A)
    assert [r.type for r in answer.answer] == [dns.DNAME, dns.CNAME, dns.A]
    assert text_of(answer, dns.A) == ["192.0.2.102"]
    negative(ask(server, "old", dns.A), dns.NOERROR)


def test_a_steered_name_and_a_steered_wildcard_give_the_nearest_replica(server):
    assert text_of(ask(server, "cdn", dns.A), dns.A) == [REPLICAS["near"]]
    assert text_of(ask(server, "any.steered", dns.A), dns.A) == [REPLICAS["near"]]
    negative(ask(server, "cdn", dns.AAAA), dns.NOERROR)


BROKEN = ZONE + "broken A 192.0.2.300\n"
BROKEN_LINE = BROKEN.count("\n")


def test_a_broken_zone_is_refused_at_start_with_file_and_line(tmp_path):
    local = LocalDns(tmp_path, FLEET, {"example.zone": BROKEN})
    result = subprocess.run(local.command(), cwd=tmp_path, capture_output=True, text=True, timeout=20)
    assert result.returncode == 2
    assert f"example.zone:{BROKEN_LINE}" in result.stderr


def reload_by(server, how):
    """What the reload was refused with; empty when it was not."""
    if how == "cdnctl":
        result = server.cdnctl("reload")
        return result.stderr if result.returncode else ""
    start = len(server.log())
    server.signal_reload()
    line = wait_until("the reload is logged", lambda: re.search(r"^.*\breload.*\n", server.log()[start:], re.MULTILINE))
    return line[0] if "example.zone:" in line[0] else ""


@pytest.mark.parametrize("how", ["SIGHUP", "cdnctl"])
def test_a_broken_zone_is_refused_on_reload_and_the_old_one_goes_on(server, how):
    server.write("example.zone", BROKEN)
    try:
        assert f"example.zone:{BROKEN_LINE}" in reload_by(server, how)
        assert text_of(ask(server, "mail", dns.A), dns.A) == ["192.0.2.25"]
    finally:
        server.write("example.zone", ZONE)
    server.write("example.zone", ZONE + "fresh A 192.0.2.110\n")
    assert reload_by(server, how) == ""
    assert text_of(ask(server, "fresh", dns.A), dns.A) == ["192.0.2.110"]
    server.write("example.zone", ZONE)
    assert reload_by(server, how) == ""


def test_no_query_is_lost_in_twenty_reloads(server):
    done = threading.Event()
    asked, lost = [0], []

    def ask_on():
        while not done.is_set():
            asked[0] += 1
            try:
                answer = server.ask(f"cdn.{ZONE_NAME}", (dns.A, dns.TXT)[asked[0] % 2], timeout=2)
            except OSError:
                answer = None
            if answer is None or answer.rcode != dns.NOERROR or not answer.answer:
                lost.append(answer)

    asking = threading.Thread(target=ask_on)
    asking.start()
    try:
        for i in range(20):
            server.write("example.zone", ZONE + f"n{i} A 192.0.2.111\n")
            assert server.cdnctl("reload").returncode == 0
            assert text_of(ask(server, f"n{i}", dns.A), dns.A) == ["192.0.2.111"]
    finally:
        done.set()
        asking.join()
    assert asked[0] > 20 and lost == []


def test_a_drained_replica_loses_its_known_clients_and_a_restart_keeps_both(tmp_path):
    with LocalDns(tmp_path, FLEET, {"example.zone": ZONE}, probers=True, steering="hold_ms: 10000") as local:
        local.wait_known()
        assert text_of(ask(local, "cdn", dns.A), dns.A) == [REPLICAS["near"]]
        assert local.cdnctl("drain", "near").returncode == 0
        assert text_of(ask(local, "cdn", dns.A), dns.A) == [REPLICAS["far"]]
        assert local.end() == 0
        local.start()
        assert "nothing is known" not in local.cdnctl("explain", CLIENT).stdout  # before it has asked again
        answer = local.ask(f"cdn.{ZONE_NAME}", dns.A)
        assert answer is not None, "a known client was made to wait"
        assert text_of(answer, dns.A) == [REPLICAS["far"]]


def test_the_metrics_page_counts(server):
    before = server.metrics()
    for _ in range(7):
        ask(server, "mail", dns.A)
    ask(server, "nowhere", dns.MX)
    dns.udp(server.port, dns.query(DOMAIN, dns.A, flags=dns.QR), CLIENT, timeout=0.1)
    after = server.metrics()

    def more(*words):
        return total(after, *words) - total(before, *words)

    assert more('type="A"') == 7
    assert more('type="MX"') == 1
    assert more('"NXDOMAIN"') == 1
    assert more("not", "query") == 1
    assert any(key.endswith("_count") or "_count{" in key for key in after), "no latency histogram"


def test_the_decision_log_gives_the_reason_of_each_answer(server):
    for _ in range(3):
        ask(server, "cdn", dns.A)

    def logged():
        return [d for d in server.decisions() if d["client"] == CLIENT and d["reason"] == "measured-best"]

    decision = wait_until("three decisions are logged", lambda: len(logged()) >= 3 and logged())[-1]
    assert decision["prefix"] == "127.9.9.0/24" and decision["name"] == f"cdn.{ZONE_NAME}."
    assert (decision["type"], decision["protocol"], decision["replica"]) == ("A", "udp", "near")
    assert decision["method"] == "icmp-echo" and decision["rtt_us"] == 2000
    assert decision["ttl"] == 60 and decision["scope"] in (0, 24)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", decision["time"])


def burst(server, source, count, edns=None):
    """All at once from one address: how many answers came whole, cut and not at all. A query of another kind, which is
    limited by itself, comes last: one socket's queries are answered in their order."""
    whole = cut = 0
    with dns.socket.socket(dns.socket.AF_INET, dns.socket.SOCK_DGRAM) as s:
        s.bind((source, 0))
        s.connect(("127.0.0.1", server.port))
        s.settimeout(dns.TIMEOUT_S)
        for i in range(count):
            s.send(dns.query(f"mail.{ZONE_NAME}", dns.A, id=i, edns=edns))
        s.send(dns.query(f"nowhere.{ZONE_NAME}", dns.A, id=count))
        while (answer := dns.parse(s.recv(4096))).id != count:
            whole, cut = whole + (not answer.has(dns.TC)), cut + answer.has(dns.TC)
    return whole, cut, count - whole - cut


def test_rate_limiting_slips_every_second_answer_truncated(server):
    before = server.metrics()
    whole, cut, silent = burst(server, "127.66.0.1", 200)
    assert 50 <= whole <= 100
    assert cut > 0 and abs(cut - silent) <= 2
    after = server.metrics()
    assert total(after, "slipped") - total(before, "slipped") == cut
    assert total(after, "limited") - total(before, "limited") >= silent


def test_rate_limiting_spares_tcp_exempt_clients_and_valid_cookies(server):
    assert burst(server, "127.9.66.1", 200) == (200, 0, 0)
    client = "127.66.1.1"
    first = server.ask(f"mail.{ZONE_NAME}", dns.A, source=client, edns=dns.opt(options=dns.option(dns.COOKIE, bytes(8))))
    cookie = dns.opt(options=dns.option(dns.COOKIE, first.options[dns.COOKIE]))
    assert burst(server, client, 200, cookie) == (200, 0, 0)
    with server.tcp("127.66.2.1") as tcp:
        for i in range(200):
            assert not tcp.ask(dns.query(f"mail.{ZONE_NAME}", dns.A, id=i)).has(dns.TC)
