"""httpserver before an https origin: what it trusts, and what it says of what it does not."""

import datetime
import re
import socket
import ssl
import subprocess
import threading

import pytest
from cdn import BIN, wait_until
from local_http import LocalHttp

ANSWER = b"HTTP/1.1 200 OK\r\nCache-Control: private\r\n"


def openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def authority(folder, name):
    openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")


def certificate(folder, name, ca, subject, days=2, ca_options=()):
    """`subject`: a subjectAltName, or "" for a certificate that has its name in CN alone."""
    openssl(folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost",
            "-keyout", f"{name}.key", "-out", f"{name}.csr")
    (folder / f"{name}.ext").write_text(f"subjectAltName={subject}\n" if subject else "keyUsage=digitalSignature\n")
    # The validity of `openssl x509 -req` begins now: a negative number of days makes one that has ended.
    openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key", "-CAcreateserial",
            "-days", str(days), "-extfile", f"{name}.ext", "-out", f"{name}.pem")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    for ca in ("ca", "stranger"):
        authority(folder, ca)
    certificate(folder, "good", "ca", "DNS:localhost,IP:127.0.0.1")
    certificate(folder, "expired", "ca", "DNS:localhost", days=-1)
    certificate(folder, "other-name", "ca", "DNS:origin.example")
    certificate(folder, "name-in-cn-only", "ca", "")
    certificate(folder, "unknown-issuer", "stranger", "DNS:localhost")
    openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
            "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", "self-signed.key", "-out", "self-signed.pem")
    return folder


class TlsOrigin:
    """Answers every request with its path. Keeps what the clients' handshakes said."""

    def __init__(self, folder, name="good", truncate=False, keep=True, configure=lambda context: None):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
        self.context.set_alpn_protocols(["http/1.1"])
        self.context.sni_callback = lambda _, server_name, __: self.names.append(server_name)
        configure(self.context)
        self.names, self.protocols, self.resumed, self.truncate, self.keep = [], [], [], truncate, keep

    def __enter__(self):
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()

    def _accept(self):
        while True:
            try:
                raw, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(raw,), daemon=True).start()

    def _serve(self, raw):
        try:
            with raw, self.context.wrap_socket(raw, server_side=True) as connection:
                self.protocols.append((connection.version(), connection.selected_alpn_protocol()))
                self.resumed.append(connection.session_reused)
                self._answer(connection)
        except (OSError, ssl.SSLError):
            pass

    def _answer(self, connection):
        while request := connection.recv(65536):
            path = request.split(b" ")[1]
            if self.keep:
                connection.sendall(ANSWER + b"Content-Length: %d\r\n\r\n%s" % (len(path), path))
                continue
            connection.sendall(ANSWER + b"\r\n" + path)  # until the end of the connection
            if not self.truncate:
                connection.unwrap()
            return


def before(tmp_path, origin, ca, flags=(), host="localhost"):
    trust = ["--origin-ca", str(ca)] if ca else []
    return LocalHttp(tmp_path, origin=f"https://{host}:{origin.port}", flags=[*trust, "--failure-hold-ms", "1", *flags])


def test_a_verified_origin_is_asked_by_name_and_its_connections_and_sessions_are_used_again(tmp_path, certificates):
    with TlsOrigin(certificates) as origin, \
            before(tmp_path, origin, certificates / "ca.pem", ["--threads", "1", "--max-idle-origin-connections", "1"]) as server:
        for path in ("/a", "/b?c=d"):
            status, headers, body = server.ask(path)
            assert (status, body) == (200, path.encode()), server.log()
            assert headers["Cache-Status"].startswith("Perigee; fwd=uri-miss; fwd-status=200")
        assert origin.names == ["localhost"], "one connection, which told the name"
        assert origin.protocols == [("TLSv1.3", "http/1.1")]
        server.ask("/", method="POST")  # never on a kept connection
        assert origin.resumed == [False, True]


def test_an_address_is_verified_as_such(tmp_path, certificates):
    with TlsOrigin(certificates) as origin, before(tmp_path, origin, certificates / "ca.pem", host="127.0.0.1") as server:
        assert server.ask("/a")[2] == b"/a"
        assert origin.names == [None], "an address is no name (RFC 6066 section 3)"


def test_tls_1_2_is_enough(tmp_path, certificates):
    def old(context):
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    with TlsOrigin(certificates, configure=old) as origin, before(tmp_path, origin, certificates / "ca.pem") as server:
        assert server.ask("/a")[0] == 200
        server.ask("/", method="POST")
        assert origin.protocols[0][0] == "TLSv1.2" and origin.resumed == [False, True]


@pytest.mark.parametrize("name, detail, words", [
    ("expired", "certificate-time", "certificate has expired"),
    ("other-name", "certificate-name", "hostname mismatch"),
    ("name-in-cn-only", "certificate-name", "hostname mismatch"),
    ("unknown-issuer", "certificate-issuer", "unable to get local issuer certificate"),
    ("self-signed", "certificate-issuer", "self-signed certificate"),
])
def test_what_is_wrong_with_a_certificate_is_said(tmp_path, certificates, name, detail, words):
    with TlsOrigin(certificates, name) as origin, before(tmp_path, origin, certificates / "ca.pem") as server:
        status, headers, _ = server.ask("/a")
        assert (status, headers["Cache-Status"]) == (502, f"Perigee; fwd=uri-miss; detail={detail}")
        assert re.search(rf"127\.0\.0\.1:{origin.port}: {detail} \({words}\)", server.log()), server.log()


def test_an_address_that_the_certificate_does_not_name_is_refused(tmp_path, certificates):
    with TlsOrigin(certificates, "other-name") as origin, \
            before(tmp_path, origin, certificates / "ca.pem", host="127.0.0.1") as server:
        assert server.ask("/a")[1]["Cache-Status"].endswith("detail=certificate-name")


def test_a_private_authority_counts_only_when_it_is_given(tmp_path, certificates):
    with TlsOrigin(certificates) as origin, before(tmp_path, origin, None) as server:
        assert server.ask("/a")[1]["Cache-Status"].endswith("detail=certificate-issuer")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1:DeprecationWarning")
def test_tls_older_than_1_2_is_refused(tmp_path, certificates):
    def ancient(context):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with TlsOrigin(certificates, configure=ancient) as origin, before(tmp_path, origin, certificates / "ca.pem") as server:
        status, headers, _ = server.ask("/a")
        assert status == 502 and headers["Cache-Status"].endswith("detail=tls")


def test_an_origin_that_speaks_no_tls_or_stalls_in_the_handshake_fails_in_time(tmp_path, certificates):
    with LocalHttp(tmp_path) as plain:
        folder = tmp_path / "tls"
        folder.mkdir()
        with LocalHttp(folder, origin=f"https://localhost:{plain.port}",
                       flags=["--origin-ca", str(certificates / "ca.pem")]) as server:
            assert server.ask("/a")[1]["Cache-Status"].endswith("detail=tls")
    silent = socket.create_server(("127.0.0.1", 0))
    folder = tmp_path / "silent"
    folder.mkdir()
    with silent, LocalHttp(folder, origin=f"https://localhost:{silent.getsockname()[1]}",
                           flags=["--origin-ca", str(certificates / "ca.pem"), "--connect-timeout-ms", "300"]) as server:
        begin = datetime.datetime.now()
        status, headers, _ = server.ask("/a")
        assert status == 504 and headers["Cache-Status"].endswith("detail=connect-timeout")
        assert datetime.timedelta(milliseconds=300) <= datetime.datetime.now() - begin < datetime.timedelta(seconds=3)


def test_a_body_until_the_end_is_whole_only_with_a_close_notify(tmp_path, certificates):
    with TlsOrigin(certificates, keep=False) as origin, before(tmp_path, origin, certificates / "ca.pem") as server:
        assert server.ask("/whole")[2] == b"/whole"
        origin.truncate = True
        with pytest.raises(Exception):  # IncompleteRead or a reset
            server.ask("/cut")
        wait_until("the log says it", lambda: "cut-short" in server.log())


def test_authorities_that_cannot_be_read_are_named_at_the_start(tmp_path):
    run = subprocess.run([BIN / "httpserver", "-p", "1", "-o", "https://localhost", "--origin-ca", "absent.pem"],
                         cwd=tmp_path, capture_output=True, text=True, timeout=10)
    assert run.returncode != 0 and "absent.pem" in run.stderr
