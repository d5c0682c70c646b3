"""Every odd query against the real dnsserver over loopback: RFC 8906 §8 case by case, then what else resolvers do."""

import socket
import struct

import dns_raw as dns
import pytest
from local_dns import CLIENT, DOMAIN, LocalDns

IDENTITY, VERSION = "bench-1", "perigee test"
BIG, NAME = f"big.{DOMAIN}", f"www.{DOMAIN}"
COOKIE_8 = bytes(range(8))
ZONE = f"""$ORIGIN {DOMAIN}.
$TTL 300
@ SOA ns1 hostmaster 1 3600 600 86400 60
@ NS ns1
@ TXT "static"
ns1 A 127.0.0.1
www A 192.0.2.1
www TXT "one"
www MX 10 ns1
""" + "".join(f'big TXT "{i:03} {"x" * 200}"\n' for i in range(20))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    fleet = f"""zone {{ name: "{DOMAIN}" file: "zone" steered: "@" }}
                dns {{ version: "{VERSION}" identity: "{IDENTITY}" }}"""
    with LocalDns(tmp_path_factory.mktemp("dns"), fleet, {"zone": ZONE}) as local:
        yield local


def refused_or(answer, rcode):
    assert answer is not None, "no answer at all"
    assert answer.has(dns.QR) and answer.id == 0x1234
    assert answer.rcode == rcode, answer
    return answer


def holds_soa(answer):
    refused_or(answer, dns.NOERROR)
    assert [r.owner for r in answer.of(dns.SOA)] == [f"{DOMAIN}."]
    assert answer.has(dns.AA) and not answer.has(dns.AD) and not answer.has(dns.RA) and not answer.has(dns.Z)
    return answer


# RFC 8906 §8.1: basic DNS. The numbers are the sections'.


def test_8_1_1_the_server_is_configured_for_the_zone(server):
    answer = holds_soa(server.ask(DOMAIN, dns.SOA))
    assert not answer.has(dns.RD) and answer.opt is None


def test_8_1_2_an_unknown_type_is_no_data(server):
    answer = refused_or(server.ask(DOMAIN, 1000), dns.NOERROR)
    assert answer.answer == [] and answer.has(dns.AA) and not answer.has(dns.RD) and answer.opt is None
    assert len(answer.of(dns.SOA, "authority")) == 1


@pytest.mark.parametrize("flag", [dns.CD, dns.AD, dns.Z], ids=["8.1.3.1-CD", "8.1.3.2-AD", "8.1.3.3-Z"])
def test_8_1_3_a_header_bit_changes_nothing(server, flag):
    answer = holds_soa(server.ask(DOMAIN, dns.SOA, flags=flag))
    assert not answer.has(dns.RD) and answer.opt is None


def test_8_1_3_4_recursion_desired_is_echoed_and_not_available(server):
    assert holds_soa(server.ask(DOMAIN, dns.SOA, flags=dns.RD)).has(dns.RD)


@pytest.mark.parametrize("opcode", [1, 2, 4, 5, 6, 15])
def test_8_1_4_an_unknown_opcode_is_not_implemented(server, opcode):
    answer = refused_or(server.ask(DOMAIN, dns.SOA, opcode=opcode), dns.NOTIMP)
    assert answer.opcode == opcode and not answer.has(dns.AA) and not answer.has(dns.RD) and not answer.has(dns.AD)
    assert answer.answer == [] and answer.opt is None


def test_8_1_4_an_unknown_opcode_in_a_bare_header_is_not_implemented(server):
    answer = refused_or(dns.udp(server.port, struct.pack("!6H", 0x1234, 15 << 11, 0, 0, 0, 0), CLIENT), dns.NOTIMP)
    assert answer.opcode == 15 and answer.questions == []


def test_8_1_5_over_tcp(server):
    with server.tcp() as tcp:
        answer = holds_soa(tcp.ask(dns.query(DOMAIN, dns.SOA)))
    assert not answer.has(dns.RD) and answer.opt is None


# RFC 8906 §8.2: extended DNS.


def test_8_2_1_minimal_edns(server):
    answer = holds_soa(server.ask(DOMAIN, dns.SOA, edns=dns.opt()))
    assert answer.edns_version == 0 and answer.edns_flags == 0 and answer.options == {}


def bad_version(server, edns):
    answer = refused_or(server.ask(DOMAIN, dns.SOA, edns=edns), dns.BADVERS)
    assert answer.edns_version == 0 and answer.answer == [] and not answer.has(dns.AA)
    return answer


def test_8_2_2_a_higher_version_is_bad_version(server):
    assert bad_version(server, dns.opt(version=1)).edns_flags == 0


def test_8_2_3_an_unknown_option_is_ignored(server):
    answer = holds_soa(server.ask(DOMAIN, dns.SOA, edns=dns.opt(options=dns.option(100))))
    assert answer.edns_version == 0 and answer.options == {}


def test_8_2_4_an_unknown_flag_is_not_echoed(server):
    answer = holds_soa(server.ask(DOMAIN, dns.SOA, edns=dns.opt(flags=0x40)))
    assert answer.edns_version == 0 and answer.edns_flags == 0


def test_8_2_5_a_higher_version_with_unknown_flags(server):
    assert bad_version(server, dns.opt(version=1, flags=0x40)).edns_flags == 0


def test_8_2_6_a_higher_version_with_an_unknown_option(server):
    assert bad_version(server, dns.opt(version=1, options=dns.option(100))).options == {}


def test_8_2_7_truncated_with_edns(server):
    answer = refused_or(server.ask(BIG, dns.TXT, edns=dns.opt(payload=512, flags=dns.DO)), dns.NOERROR)
    assert answer.has(dns.TC) and len(answer.raw) <= 512 and answer.edns_version == 0


def test_8_2_8_dnssec_ok_is_echoed(server):
    answer = holds_soa(server.ask(DOMAIN, dns.SOA, edns=dns.opt(flags=dns.DO)))
    assert answer.edns_version == 0 and answer.edns_flags == dns.DO


def test_8_2_9_a_higher_version_with_dnssec_ok(server):
    bad_version(server, dns.opt(version=1, flags=dns.DO))


def test_8_2_10_several_defined_options_at_once(server):
    options = (dns.option(dns.NSID) + dns.option(dns.COOKIE, COOKIE_8) + dns.client_subnet("0.0.0.0", 0)
               + dns.option(dns.EXPIRE))
    answer = holds_soa(server.ask(DOMAIN, dns.SOA, edns=dns.opt(options=options)))
    assert answer.edns_version == 0
    assert {dns.NSID, dns.COOKIE, dns.CLIENT_SUBNET} == answer.options.keys() - {dns.EXPIRE}


@pytest.mark.parametrize("edns", [
    dns.opt(), dns.opt(payload=0), dns.opt(version=1), dns.opt(flags=dns.DO), dns.opt(flags=0x40),
    dns.opt(options=dns.option(100)), dns.opt(options=dns.option(dns.NSID)),
], ids=["plain", "payload-0", "version-1", "DO", "unknown-flag", "unknown-option", "NSID"])
def test_8_3_edns_is_answered_whatever_the_option_or_flag_and_only_then(server, edns):
    for qname in (DOMAIN, "example.net"):
        assert server.ask(qname, dns.SOA, edns=edns).opt is not None
        assert server.ask(qname, dns.SOA).opt is None


def test_dig_agrees(server):
    assert "status: NOERROR" in server.dig("+norec", "+qr", DOMAIN, "SOA")
    assert "status: NOTIMP" in server.dig("+noedns", "+opcode=15", "+norec", "+header-only", DOMAIN)
    assert "status: BADVERS" in server.dig("+edns=1", "+noednsneg", DOMAIN, "SOA")
    assert "Warning" not in server.dig("+bufsize=512", "+ignore", BIG, "TXT")


# What is no query, or one that is not served.


@pytest.mark.parametrize("message", [
    b"", b"\x12", b"\x12\x34\0\0\0\1\0\0\0\0\0", dns.query(DOMAIN, dns.SOA, flags=dns.QR),
    dns.query(DOMAIN, dns.SOA, flags=dns.QR, opcode=15),
], ids=["empty", "one-octet", "eleven-octets", "response", "response-of-unknown-opcode"])
def test_what_is_no_query_is_dropped(server, message):
    assert dns.udp(server.port, message, CLIENT, timeout=0.3) is None


TRAILING = dns.query(DOMAIN, dns.SOA) + b"\0"
TWO_QUESTIONS = (struct.pack("!6H", 0x1234, 0, 2, 0, 0, 0) + dns.question(DOMAIN, dns.SOA)
                 + dns.question(DOMAIN, dns.NS))
NO_QUESTION = struct.pack("!6H", 0x1234, 0, 0, 0, 0, 0)
TWO_OPTS = struct.pack("!6H", 0x1234, 0, 1, 0, 0, 2) + dns.question(DOMAIN, dns.SOA) + dns.opt() * 2
LONG_LABEL = struct.pack("!6H", 0x1234, 0, 1, 0, 0, 0) + b"\x40" + b"a" * 64 + b"\0\0\1\0\1"
POINTER_LOOP = struct.pack("!6H", 0x1234, 0, 1, 0, 0, 0) + b"\xc0\x0c\0\1\0\1"
CUT_OPTION = dns.query(DOMAIN, dns.SOA, edns=dns.opt(options=b"\0\x0a\0\x08abc"))
NAMED_OPT = dns.query(DOMAIN, dns.SOA, edns=b"\1a" + dns.opt())


@pytest.mark.parametrize("message", [
    dns.query(DOMAIN, dns.SOA)[:20], TRAILING, TWO_QUESTIONS, NO_QUESTION, TWO_OPTS, LONG_LABEL, POINTER_LOOP,
    CUT_OPTION, NAMED_OPT,
], ids=["cut", "trailing", "two-questions", "no-question", "two-opts", "long-label", "pointer-loop", "cut-option",
        "named-opt"])
def test_a_malformed_query_is_a_format_error(server, message):
    answer = refused_or(dns.udp(server.port, message, CLIENT), dns.FORMERR)
    assert answer.answer == answer.authority == []


@pytest.mark.parametrize("qclass", [2, 4, 42, 254])
def test_an_unknown_class_is_refused(server, qclass):
    assert refused_or(server.ask(DOMAIN, dns.SOA, qclass), dns.REFUSED).answer == []


def test_a_name_of_no_zone_is_refused_without_the_authority_bit(server):
    answer = refused_or(server.ask("example.net", dns.A), dns.REFUSED)
    assert not answer.has(dns.AA) and answer.authority == []


@pytest.mark.parametrize("qtype", [251, 252], ids=["IXFR", "AXFR"])
def test_a_transfer_is_refused(server, qtype):
    refused_or(server.ask(DOMAIN, qtype), dns.REFUSED)
    with server.tcp() as tcp:
        refused_or(tcp.ask(dns.query(DOMAIN, qtype)), dns.REFUSED)


def test_any_is_answered_with_one_set(server):
    answer = refused_or(server.ask(NAME, dns.ANY), dns.NOERROR)
    assert len({r.type for r in answer.answer}) == 1 and len(answer.raw) < 200


@pytest.mark.parametrize("qname, text", [
    ("version.bind", VERSION), ("version.server", VERSION), ("hostname.bind", IDENTITY), ("id.server", IDENTITY),
])
def test_chaos_tells_what_the_operator_allows(server, qname, text):
    answer = refused_or(server.ask(qname, dns.TXT, dns.CHAOS), dns.NOERROR)
    assert [r.rdata for r in answer.answer] == [bytes([len(text)]) + text.encode()]
    assert answer.answer[0].rr_class == dns.CHAOS


def test_another_chaos_name_is_refused(server):
    refused_or(server.ask("authors.bind", dns.TXT, dns.CHAOS), dns.REFUSED)


@pytest.mark.parametrize("qtype", [dns.A, dns.SOA, dns.TXT], ids=["steered", "soa", "static"])
def test_the_case_of_the_question_is_kept(server, qtype):
    mixed = "CdN.eXaMpLe.OrG"
    answer = refused_or(server.ask(mixed, qtype), dns.NOERROR)
    assert answer.questions[0][0] == mixed + "." and answer.answer[0].owner == mixed + "."


# Sizes, and TCP.


def test_an_answer_longer_than_1232_is_cut_and_whole_over_tcp(server):
    cut = refused_or(server.ask(BIG, dns.TXT, edns=dns.opt(payload=4096)), dns.NOERROR)
    assert cut.has(dns.TC) and len(cut.raw) <= 1232
    with server.tcp() as tcp:
        whole = tcp.ask(dns.query(BIG, dns.TXT, edns=dns.opt()))
    assert not whole.has(dns.TC) and len(whole.answer) == 20


def test_without_edns_512_octets_are_the_limit(server):
    answer = refused_or(server.ask(BIG, dns.TXT), dns.NOERROR)
    assert answer.has(dns.TC) and len(answer.raw) <= 512


@pytest.mark.parametrize("payload", [0, 1, 12, 511])
def test_rfc6891_6_2_3_a_payload_below_512_counts_as_512(server, payload):
    """Knot 3.2 has FORMERR for a payload of 1; the RFC has "MUST be treated as equal to 512"."""
    assert not holds_soa(server.ask(DOMAIN, dns.SOA, edns=dns.opt(payload=payload))).has(dns.TC)
    cut = refused_or(server.ask(BIG, dns.TXT, edns=dns.opt(payload=payload)), dns.NOERROR)
    assert cut.has(dns.TC) and len(cut.raw) <= 512


def test_rfc6891_6_2_5_our_own_payload_does_not_depend_on_the_clients(server):
    told = {server.ask(DOMAIN, dns.SOA, edns=dns.opt(payload=payload)).opt.rr_class for payload in (0, 512, 65535)}
    assert told == {1232}


def test_pipelined_queries_are_all_answered(server):
    with server.tcp() as tcp:
        tcp.send(*(dns.query(NAME, dns.TXT, id=i) for i in range(100)))
        assert sorted(tcp.receive().id for _ in range(100)) == list(range(100))


def test_a_held_query_does_not_hold_up_those_behind_it(tmp_path):
    fleet = "dns { client_subnet { disabled: true } }"
    with LocalDns(tmp_path, fleet, steering="hold_ms: 1000", probers=True) as local:
        local.wait_known()  # the fleet is up: an unknown client waits for its measurement
        with local.tcp("127.7.7.7") as tcp:
            tcp.send(dns.query(DOMAIN, dns.A, id=1), dns.query(DOMAIN, dns.SOA, id=2))
            assert [tcp.receive().id, tcp.receive().id] == [2, 1]


def test_a_query_may_come_octet_by_octet(server):
    message = dns.query(NAME, dns.TXT)
    with server.tcp() as tcp:
        tcp.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in struct.pack("!H", len(message)) + message:
            tcp.socket.sendall(bytes([octet]))
        assert tcp.receive().rcode == dns.NOERROR


# EDNS options.


def test_nsid_is_told_to_those_who_ask(server):
    answer = server.ask(DOMAIN, dns.SOA, edns=dns.opt(options=dns.option(dns.NSID)))
    assert answer.options == {dns.NSID: IDENTITY.encode()}


def ask_cookie(server, value, source=CLIENT):
    return server.ask(NAME, dns.TXT, edns=dns.opt(options=dns.option(dns.COOKIE, value)), source=source)


def test_a_client_cookie_is_completed(server):
    cookie = refused_or(ask_cookie(server, COOKIE_8), dns.NOERROR).options[dns.COOKIE]
    assert cookie[:8] == COOKIE_8 and len(cookie) == 24 and cookie[8:12] == b"\1\0\0\0"


def test_a_valid_cookie_is_given_back(server):
    cookie = ask_cookie(server, COOKIE_8).options[dns.COOKIE]
    assert refused_or(ask_cookie(server, cookie), dns.NOERROR).options[dns.COOKIE] == cookie


@pytest.mark.parametrize("length", [8, 16, 24, 40])
def test_rfc7873_5_2_4_a_wrong_server_cookie_is_as_none_and_answered_with_a_fresh_one(server, length):
    """Of what §5.2.3 leaves to the server's policy (drop, BADCOOKIE, answer) we answer: forged sources meet the rate
    limit, and a resolver of an anycast set with other secrets loses no round trip. Knot 3.2 has BADCOOKIE."""
    wrong = (COOKIE_8 + bytes(32))[:length]
    answer = refused_or(ask_cookie(server, wrong), dns.NOERROR)
    cookie = answer.options[dns.COOKIE]
    assert cookie[:8] == COOKIE_8 and len(cookie) == 24 and cookie != wrong and answer.of(dns.TXT)


def test_rfc7873_5_2_3_over_tcp_a_wrong_server_cookie_is_never_an_error(server):
    with server.tcp() as tcp:
        answer = tcp.ask(dns.query(NAME, dns.TXT, edns=dns.opt(options=dns.option(dns.COOKIE, bytes(24)))))
    assert refused_or(answer, dns.NOERROR).of(dns.TXT) and len(answer.options[dns.COOKIE]) == 24


def lone_cookie(server, value):
    header = struct.pack("!6H", 0x1234, 0, 0, 0, 0, 1)
    return dns.udp(server.port, header + dns.opt(options=dns.option(dns.COOKIE, value)), CLIENT)


def test_rfc7873_5_4_a_cookie_without_a_question_is_given_or_judged(server):
    given = refused_or(lone_cookie(server, COOKIE_8), dns.NOERROR).options[dns.COOKIE]
    assert refused_or(lone_cookie(server, given), dns.NOERROR).options[dns.COOKIE] == given
    wrong = refused_or(lone_cookie(server, given[:-1] + bytes([given[-1] ^ 1])), dns.BADCOOKIE)
    assert wrong.options[dns.COOKIE][:8] == COOKIE_8 and wrong.questions == []


def test_a_cookie_is_one_clients_own(server):
    cookie = ask_cookie(server, COOKIE_8).options[dns.COOKIE]
    assert ask_cookie(server, cookie, source="127.8.8.8").options[dns.COOKIE] != cookie


@pytest.mark.parametrize("length", [0, 1, 7, 9, 15, 41, 64])
def test_a_cookie_of_a_wrong_length_is_a_format_error(server, length):
    refused_or(ask_cookie(server, bytes(length)), dns.FORMERR)


def ask_subnet(server, qname, qtype, option):
    return server.ask(qname, qtype, edns=dns.opt(options=option))


def test_client_subnet_has_scope_0_for_static_data(server):
    sent = dns.client_subnet("198.18.7.0", 24)
    answer = refused_or(ask_subnet(server, NAME, dns.TXT, sent), dns.NOERROR)
    assert answer.options[dns.CLIENT_SUBNET] == sent[4:]  # the scope that was sent is 0 too


@pytest.mark.parametrize("network, length, scope", [("198.18.7.0", 24, 24), ("198.18.7.128", 32, 24),
                                                    ("fd00:1:2:300::", 56, 56), ("fd00:1:2:300::", 64, 56)])
def test_client_subnet_has_the_maps_scope_for_a_steered_name(server, network, length, scope):
    answer = refused_or(ask_subnet(server, DOMAIN, dns.A, dns.client_subnet(network, length)), dns.NOERROR)
    returned = answer.options[dns.CLIENT_SUBNET]
    assert returned == dns.client_subnet(network, length, scope)[4:], returned.hex()


@pytest.mark.parametrize("network, length, scope", [("10.1.2.0", 24, 8), ("192.168.7.1", 32, 16), ("172.16.0.0", 12, 12),
                                                    ("2001:db8:7::", 48, 32)])
def test_a_private_client_subnet_has_the_scope_of_all_of_its_range(server, network, length, scope):
    """RFC 7871 section 10."""
    answer = refused_or(ask_subnet(server, DOMAIN, dns.A, dns.client_subnet(network, length)), dns.NOERROR)
    assert answer.options[dns.CLIENT_SUBNET] == dns.client_subnet(network, length, scope)[4:]
    assert answer.of(dns.A) == ask_subnet(server, DOMAIN, dns.A, b"").of(dns.A)  # as the resolver is answered


def test_a_source_prefix_of_0_asks_for_privacy_and_gets_scope_0(server):
    answer = refused_or(ask_subnet(server, DOMAIN, dns.A, dns.client_subnet("0.0.0.0", 0)), dns.NOERROR)
    assert answer.options[dns.CLIENT_SUBNET] == b"\0\1\0\0"


@pytest.mark.parametrize("value", [
    b"", b"\0\1\x18", b"\0\1\x18\0\xc6\x12", b"\0\1\x18\0\xc6\x12\x07\0", b"\0\1\x18\x08\xc6\x12\x07",
    b"\0\1\x17\0\xc6\x12\x07", b"\0\1\x21\0\xc6\x12\7\7\7", b"\0\3\x18\0\xc6\x12\7", b"\0\2\x81\0" + bytes(17),
], ids=["empty", "short", "cut-address", "long-address", "scope-set", "host-bits", "v4-33", "family-3", "v6-129"])
def test_a_malformed_client_subnet_is_a_format_error(server, value):
    refused_or(ask_subnet(server, DOMAIN, dns.A, dns.option(dns.CLIENT_SUBNET, value)), dns.FORMERR)


def test_padding_is_ignored(server):
    answer = holds_soa(server.ask(DOMAIN, dns.SOA, edns=dns.opt(options=dns.option(dns.PADDING, bytes(100)))))
    assert dns.PADDING not in answer.options and len(answer.raw) < 200


def test_keepalive_is_told_over_tcp_alone(server):
    asked = dns.query(DOMAIN, dns.SOA, edns=dns.opt(options=dns.option(dns.KEEPALIVE)))
    with server.tcp() as tcp:
        value = holds_soa(tcp.ask(asked)).options[dns.KEEPALIVE]
    assert struct.unpack("!H", value)[0] == 100  # the idle time-out of 10 s, in units of 100 ms
    assert dns.KEEPALIVE not in holds_soa(dns.udp(server.port, asked, CLIENT)).options
