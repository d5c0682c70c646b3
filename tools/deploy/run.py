"""runCDN: starts what is deployed, changes over what runs from an earlier release, one replica after the other, and tests
every replica as a client would."""

import concurrent.futures
import time

import checks
import plan
from display import table
from operation import PARALLEL, Operation

_HEALTH_PATIENCE_S = 30
_POLL_S = 0.3
_LOG_LINES = 3
_HEADER = ("REPLICA", "ADDRESS", "RELEASE", "HEALTH", "DIG", "GET /")


def run(fleet, ssh, options):
    if missing := checks.missing_tools():
        raise RuntimeError("; ".join(missing))
    operation = Operation(fleet, ssh)
    facts = operation.on_all(lambda remote: remote.facts())
    steps = {name: plan.run_step(known) for name, known in facts.items()}
    for remote in [r for r in operation.hosts if steps[r.host.name] == "deploy"]:
        operation.fail(remote, "nothing is deployed here: ./deployCDN first")
    if options.dry_run:
        for remote in operation.hosts:
            operation.progress.done(remote.host.name, steps[remote.host.name] or "nothing: it runs")
        return operation.report("Would run")
    _start(operation, steps)
    _give_back(operation, facts)
    _exchange(operation, [r for r in operation.hosts if steps[r.host.name] == "exchange"])
    return _test(operation, facts)


def _start(operation, steps):
    def on_host(remote):
        if steps[remote.host.name] is None:
            operation.progress.done(remote.host.name, "runs already")
            return
        operation.progress.say(remote.host.name, "starting")
        _act(remote, operation.progress)

    operation.on_all(on_host, [r for r in operation.hosts if steps[r.host.name] != "exchange"])


def _give_back(operation, facts):
    """The replicas that a run drained which was interrupted then."""
    if director := operation.director:
        operation.on_all(lambda r: [r.undrain(name) for name in facts[r.host.name].drained], [director])


def _act(remote, progress):
    outcomes = remote.start()
    if failed := [name for name, outcome in outcomes.items() if outcome == "failed"]:
        raise RuntimeError("; ".join(f"{name} does not start: {_last_words(remote, name)}" for name in failed))
    progress.done(remote.host.name, ", ".join(f"{name} {outcome}" for name, outcome in outcomes.items()))


def _last_words(remote, name):
    return " | ".join(remote.log(name).splitlines()[-_LOG_LINES:]) or "it says nothing"


def _exchange(operation, remotes):
    """Replicas one after the other, then the director; the first failure ends it, and leaves the others as they are."""
    director = operation.director
    failed = False
    for remote in sorted(remotes, key=lambda r: r.host.is_director):
        name = remote.host.name
        if failed:
            operation.progress.fail(name, "left on its old release, because the host before failed")
            continue
        operation.on_all(lambda r: _exchange_one(r, director, operation.progress), [remote])
        failed = name in operation.failures


def _exchange_one(remote, director, progress):
    name = remote.host.name
    drains = remote.host.replica and director and director.status().get(name, {}).get("operatorState") == "OPERATOR_STATE_AUTO"
    try:
        if drains:
            progress.say(name, "draining")
            director.drain(name)
        progress.say(name, "changing over")
        _act(remote, progress)
        if remote.host.replica and director and not _wait(director, [name], _is_up):
            raise RuntimeError("it is not healthy on the new release")
    finally:
        if drains:
            director.undrain(name)


def _wait(director, names, condition):
    """Whether the rows of these replicas come to satisfy it. They hold what the director finds, who sends the clients: the
    programs' own health by the way between the hosts, of which their /readyz knows nothing."""
    deadline = time.monotonic() + _HEALTH_PATIENCE_S
    while True:
        status = director.status()
        if all(name in status and condition(status[name]) for name in names):
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)


def _is_up(row):
    """Whether its programs are; while it is drained it does not count as healthy."""
    return row["proberHealthy"] and row["serverHealthy"] and row["controlRttUs"] > 0


def _health(row):
    if row["operatorState"] == "OPERATOR_STATE_DRAIN":
        return "drained"
    return "healthy" if row["healthy"] else "unhealthy"


def _is_right(row):
    return _is_up(row) and _health(row) in ("healthy", "drained")


def _test(operation, facts):
    """The table of all replicas, also of those that failed before."""
    fleet = operation.fleet
    director = operation.director
    if director:
        up = [r.host.name for r in operation.hosts if r.host.replica]
        operation.progress.say(director.host.name, "waiting for health")
        if _wait(director, up, _is_right):
            operation.progress.done(director.host.name, f"{len(up)} replicas are healthy")
        else:
            operation.progress.fail(director.host.name, f"not all replicas are healthy after {_HEALTH_PATIENCE_S} s")
    status = director.status() if director else {}
    with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        digs = list(pool.map(lambda r: checks.dig(fleet, r), fleet.replicas))
        gets = list(pool.map(lambda r: checks.get(fleet, r), fleet.replicas))
    rows, right = [_HEADER], 0
    for replica, dig, get in zip(fleet.replicas, digs, gets):
        row = status.get(replica.name)
        right += bool(row and _is_right(row) and dig.ok and get.ok)
        release = facts[replica.name].current if replica.name in facts else ""
        rows.append((replica.name, replica.addresses[0], release or "-", _health(row) if row else "unknown", dig.text, get.text))
    print(table(rows))
    print(f"{right} of {len(fleet.replicas)} replicas serve {fleet.domain}")
    return max(operation.report("Runs"), 0 if right == len(fleet.replicas) else 1)
