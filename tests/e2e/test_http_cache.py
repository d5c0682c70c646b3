"""http-cache-tests, by which HTTP caches are compared in public, finds what is expected: see tests/conformance."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

SCRIPT = pathlib.Path(__file__).parents[1] / "conformance" / "http_cache.py"
NOT_INSTALLED = 77


def test_http_cache_tests_find_what_is_expected():
    if shutil.which("npm") is None and not os.environ.get("CI"):
        pytest.skip("needs npm")
    ran = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, timeout=580)
    if ran.returncode == NOT_INSTALLED and not os.environ.get("CI"):
        pytest.skip(f"npm's registry is not reachable: {ran.stderr}")
    assert ran.returncode == 0, ran.stdout + ran.stderr
