"""One world and one CDN for all end-to-end tests; a test that breaks something mends it before it ends."""

import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import cdn as perigee  # noqa: E402
from world_lock import WorldLock  # noqa: E402


def _unable():
    if os.geteuid() != 0:
        return "needs root, for network namespaces"
    if not pathlib.Path("/dev/net/tun").exists():
        return "needs /dev/net/tun"
    missing = [p for p in ("dnsserver", "httpserver", "prober", "cdnctl", "world") if not (perigee.BIN / p).exists()]
    return f"not built: {', '.join(missing)}" if missing else None


@pytest.fixture(scope="session")
def world(request):
    if reason := _unable():
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    manager = request.config.pluginmanager.getplugin("capturemanager")
    with manager.global_and_fixture_disabled():
        lock = WorldLock()
    up = perigee.World(lock=lock)
    yield up
    up.stop()


@pytest.fixture(scope="session")
def cdn(world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cdn")
    fleet = perigee.Cdn(world, folder)
    try:
        fleet.start_all()
        yield fleet
    finally:
        fleet.stop()


@pytest.fixture
def report(request):
    """Prints a figure even when output is captured: figures are for people, not asserted."""
    manager = request.config.pluginmanager.getplugin("capturemanager")

    def emit(text):
        with manager.global_and_fixture_disabled():
            print(f"\n  {text}", flush=True)

    return emit

