"""stopCDN: ends what runCDN has started, and nothing else; the caches stay."""

from display import table
from operation import Operation


def stop(fleet, ssh, options):
    operation = Operation(fleet, ssh)

    def on_host(remote):
        name = remote.host.name
        if options.dry_run:
            states = {service: state for service, (state, _) in remote.facts().services.items()}
            operation.progress.done(name, _words(states, "would be ended") if "running" in states.values() else "nothing: it is stopped")
            return states
        operation.progress.say(name, "stopping")
        outcomes = remote.stop()
        if "failed" in outcomes.values():
            raise RuntimeError(f"still running: {_words(outcomes, 'failed')}")
        operation.progress.done(name, "stopped")
        return outcomes

    outcomes = operation.on_all(on_host)
    rows = [("HOST", "PROGRAM", "RESULT")]
    for host in fleet.hosts:
        found = outcomes.get(host.name)
        if found is None:
            rows.append((host.name, "-", "failed"))
            continue
        rows += [(host.name, service, outcome) for service, outcome in found.items()] or [(host.name, "-", "was not running")]
    print(table(rows))
    return operation.report("Would stop" if options.dry_run else "Stopped")


def _words(outcomes, what):
    return ", ".join(f"{name} {outcome}" for name, outcome in outcomes.items()) + (f" ({what})" if what != "failed" else "")
