"""What holds for every test: nothing reports home, loopback on request, one worker a file."""

import os

import pytest

LOOPBACK = ["127.0.0.1", "::1", "localhost"]

# Before any test imports a library that would ask; subprocesses inherit it.
os.environ.update(DO_NOT_TRACK="true", DVC_NO_ANALYTICS="true", MLFLOW_DISABLE_TELEMETRY="true")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give `socket` its meaning, and keep a file's tests on one worker.

    A file's dear fixtures are then made once. Files that share something dearer still, such as a
    running server, name one `xdist_group` for all of them.
    """
    for item in items:
        if item.get_closest_marker("socket"):
            item.add_marker(pytest.mark.allow_hosts(LOOPBACK))
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
