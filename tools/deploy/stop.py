"""stopCDN: ends what runCDN has started, and nothing else; the caches stay."""

from display import table
from operation import Operation


def stop(fleet, ssh, options):
    operation = Operation(fleet, ssh)

    def on_host(remote):
        name = remote.host.name
        if options.dry_run:
            states = {service: state for service, (state, _) in remote.facts().services.items()}
            operation.progress.done(name, "would be stopped" if "running" in states.values() else "nothing: it is stopped")
            return states
        operation.progress.say(name, "stopping")
        outcomes = remote.stop()
        if left := [service for service, outcome in outcomes.items() if outcome == "failed"]:
            raise RuntimeError(f"still running: {', '.join(left)}")
        operation.progress.done(name, "stopped")
        return outcomes

    outcomes = operation.on_all(on_host)
    print(table([("HOST", "PROGRAM", "RESULT"), *(row for host in fleet.hosts for row in _rows(host.name, outcomes))]))
    return operation.report("Would stop" if options.dry_run else "Stopped")


def _rows(name, outcomes):
    if name not in outcomes:
        return [(name, "-", "failed")]
    return [(name, *outcome) for outcome in outcomes[name].items()] or [(name, "-", "was not running")]
