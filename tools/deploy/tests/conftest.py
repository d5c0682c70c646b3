"""The pure parts of deploying; what needs hosts is in tests/e2e/test_deploy.py."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
