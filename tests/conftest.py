"""What holds for every test: nothing reports home, and loopback only on request."""

import os

import pytest

LOOPBACK = ["127.0.0.1", "::1", "localhost"]

# Before any test imports a library that would ask; subprocesses inherit it.
os.environ.update(DO_NOT_TRACK="true", DVC_NO_ANALYTICS="true", MLFLOW_DISABLE_TELEMETRY="true")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the mark `socket` its meaning."""
    for item in items:
        if item.get_closest_marker("socket"):
            item.add_marker(pytest.mark.allow_hosts(LOOPBACK))
