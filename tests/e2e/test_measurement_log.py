"""The measurement log of a real dnsserver, and yesterday's traffic judged again by it."""

import json
import re
import subprocess

import cdn as perigee

CLIENTS = ["client-london", "client-tokyo", "client-accra", "client-dallas", "client-caracas", "client-kazan"]


def test_what_was_measured_is_written_down_and_replayed(cdn, tmp_path):
    log = cdn.measurement_log
    cdn.forget_clients()
    before = log.stat().st_size if log.exists() else 0
    for client in CLIENTS:
        cdn.dig(client)

    def measured(client, why):
        return why in cdn.measurements(client, since=before)

    perigee.wait_until("all are measured", lambda: all(measured(client, "query") for client in CLIENTS))
    perigee.wait_until("some again", lambda: any(measured(client, "refinement") for client in CLIENTS))
    today = tmp_path / log.name
    today.write_text(log.read_text()[before:])

    def least_ms(network):
        lines = map(str.split, today.read_text().splitlines())
        rtts = [re.search(r":(\d+)@", answer) for words in lines if words[1] == network for answer in words[3:]]
        return min(int(rtt[1]) for rtt in rtts if rtt) / 1000

    replay = subprocess.run([perigee.BIN / "sim", "--replay", today, "--refinement-probes", "5"], capture_output=True, text=True,
                            check=True, timeout=60)
    _, *stories = map(json.loads, replay.stdout.splitlines())
    stories = {story["place"]: story for story in stories}
    for client in CLIENTS:
        network = cdn.network(client)
        truth = stories[network]["truth"]
        assert min(filter(None, truth)) == least_ms(network), network
        chosen, reason, _ = stories[network]["again"]
        assert truth[chosen] <= min(filter(None, truth)) + perigee.NEAR_MS, (client, reason, truth)


def test_a_damaged_log_is_refused_with_the_line(tmp_path):
    log = tmp_path / "measurements.log"
    log.write_text("1732948800123 198.18.7.0/24 query a=silent@5\n1732948800123 198.18.7.0/24 query a=\n")
    replay = subprocess.run([perigee.BIN / "sim", "--replay", log], capture_output=True, text=True, timeout=60)
    assert replay.returncode == 2
    assert replay.stderr == f"sim: {log}:2: 'a=' is no answer of a replica\n"
