"""Pages of docs/, run as printed against the real programs, and the links of all pages."""

import json
import re
import subprocess

import pytest
from cdn import BIN, ROOT, wait_until
from commands import check, examples
from local_dns import CLIENT, LocalDns, free_port
from local_replicas import LocalReplicas


@pytest.fixture(scope="module")
def ports(tmp_path_factory):
    """The ports of grpcurl.md, as they are here."""
    folder = tmp_path_factory.mktemp("grpcurl")
    (folder / "prober.textproto").write_text('domain: "cdn.example.org"\nprobe_policy { allow_special: "127.0.0.0/8" }\n')
    port = free_port()
    with (LocalDns(folder, probers=True) as dns, LocalReplicas(tmp_path_factory.mktemp("replicas")) as replicas,
          open(folder / "prober.log", "w") as log):
        prober = subprocess.Popen([BIN / "prober", "--listen", f"127.0.0.1:{port}", "--config", "prober.textproto"], cwd=folder,
                                  stdout=log, stderr=log)
        try:
            wait_until("prober listens", lambda: "scamper is ready" in (folder / "prober.log").read_text())
            replicas.origin.texts["/index.html"] = "a page"
            near = replicas.replicas["near"]
            yield {"127.0.0.1:4301": f"127.0.0.1:{port}", "127.0.0.1:4302": f"{near.address}:{near.control_port}",
                   "127.0.0.1:4303": f"127.0.0.1:{dns.control_port}", "198.51.100.7": CLIENT}
        finally:
            prober.terminate()
            prober.wait()


@pytest.mark.parametrize("command, printed", examples("docs/grpcurl.md"))
def test_grpcurl(ports, command, printed):
    check(command, printed, ports)


@pytest.fixture(scope="module")
def director(tmp_path_factory):
    with LocalDns(tmp_path_factory.mktemp("director"), flags=["--ns-address", "192.0.2.1"]) as dns:
        yield f"@127.0.0.1 -p {dns.port}"


@pytest.mark.parametrize("command, printed", examples("docs/delegation.md"))
def test_delegation(director, command, printed):
    assert check(command, printed, {"@192.0.2.1": director}), "an answer"


def test_ec2_opens_what_its_table_says(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_CALLS", str(tmp_path / "calls"))
    for example in examples("docs/ec2.md", "aws "):
        check(*example.values)
    calls = [json.loads(line) for line in (tmp_path / "calls").read_text().splitlines()]
    made = {call["group_name"] for call in calls if call["operation"] == "create-security-group"}
    opened = {(call["group_name"], rule["protocol"], *rule["ports"], rule["from"])
              for call in calls for rule in call.get("ip_permissions") or []}
    rows = re.findall(r"^\| (perigee-\w+) \| (\w+) \| (\d+)(?:-(\d+))? \| (\S+) \|", (ROOT / "docs/ec2.md").read_text(), re.M)
    table = {(group, protocol, int(first), int(last or first), source) for group, protocol, first, last, source in rows}
    assert opened == table and made == {row[0] for row in table}


PAGES = sorted(page for folder in (".", "bench", "docs", "docs/adr", "docker", "tests/conformance", "tests/world")
               for page in (ROOT / folder).glob("*.md"))


def anchors(page):
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        path, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link
