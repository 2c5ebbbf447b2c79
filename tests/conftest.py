"""What holds for every test: nothing reports home, and loopback only on request."""

import atexit
import os
import shutil
import signal
import tempfile

import pytest

LOOPBACK = ["127.0.0.1", "::1", "localhost"]

# Before any test imports a library that would ask; subprocesses inherit it.
os.environ.update(DO_NOT_TRACK="true", DVC_NO_ANALYTICS="true", MLFLOW_DISABLE_TELEMETRY="true")

# A site in a test has nothing that a full disk would endanger; who tests that sets it.
os.environ["SEALIFT_LIMITS__RESERVE_MIB"] = "0"

# What a signer remembers is kept in the home of whoever runs the command: not of whoever tests.
os.environ["XDG_CONFIG_HOME"] = tempfile.mkdtemp(prefix="sealift-tests-")
atexit.register(shutil.rmtree, os.environ["XDG_CONFIG_HOME"], ignore_errors=True)

# What a shell starts in the background is deaf to Ctrl-C, and so is all that it starts itself.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

LONGEST = (
    "test_demo.py",
    "test_tutorial.py",
    "test_intake_mlflow.py",
    "test_random_journeys.py",
    "test_interruptions.py",
    "test_conversion_building.py",
    "test_scan_models.py",
    "test_hub_setup.py",
)
"""Files that take longest: begun first, so that no worker has one left when the others are done."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest; give the mark `socket` its meaning."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(LONGEST)))
    for item in items:
        if item.get_closest_marker("socket"):
            item.add_marker(pytest.mark.allow_hosts(LOOPBACK))
