"""What holds for every test: nothing reports home, loopback on request, declared programs only."""

import atexit
import gc
import os
import shutil
import signal
import tempfile
from collections.abc import Generator, Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import pytest

from sealift_signing.command_start import seldom_look_for_garbage
from tests import sampling, stores
from tests.cheap_clients import cheap_clients
from tests.cheap_keys import cheap_keys
from tests.cheap_signatures import cheap_signatures
from tests.engines import DEAREST, Apart, Shared
from tests.forked_workers import forked_workers
from tests.programs import EVERYWHERE, SYSTEM, Paths
from tests.stores import EMBEDDED, SERVERS, SHARED
from tests.where_time_goes import Where

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
    "test_g3_210_builders.py",
    "test_g3_190_gc_beside_others.py",
    "test_g3_197_gc_on_servers.py",
    "test_options.py",
    "test_standard_streams.py",
    "test_demo.py",
    "test_tutorial.py",
    "test_how_tos.py",
    "test_surface.py",
    "test_intake_mlflow.py",
    "test_random_journeys.py",
    "test_interruptions.py",
    "test_conversion_building.py",
    "test_g2_80_a_careless_month.py",
    "test_g2_200_described.py",
    "test_scan_models.py",
    "test_hub_setup.py",
    *(f"test_{one.partition('/')[2]}.py" for one in DEAREST),
)
"""Files that take longest: begun first, so that no worker has one left when the others are done."""


PATHS = pytest.StashKey[Paths]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--where-time-goes", action="store_true", help="tell the processor time of every test"
    )
    parser.addoption(
        "--engines",
        choices=(EMBEDDED, SHARED, SERVERS),
        default=EMBEDDED,
        help="where hubs are kept: in their homes, or on servers (tests/engines.py)",
    )
    parser.addoption(
        "--drawn",
        type=int,
        default=1,
        metavar="N",
        help=f"with --engines={SHARED}, of the modules that run over both only one in N, drawn anew"
        " in each run; --testrunuid draws those of an earlier one again",
    )


def pytest_configure(config: pytest.Config) -> None:
    folder = Path(tempfile.mkdtemp(prefix="sealift-tests-path-"))
    config.add_cleanup(partial(shutil.rmtree, folder, ignore_errors=True))
    config.stash[PATHS] = Paths(folder)
    sampling.name_run(config)
    if config.getoption("--where-time-goes"):
        config.pluginmanager.register(Where())
    engines = config.getoption("--engines")
    config.pluginmanager.register(
        Shared(config.getoption("--drawn"))
        if engines == SHARED
        else Apart(servers=engines == SERVERS)
    )


def pytest_report_header() -> str:
    return f"run: {sampling.run()} (--testrunuid={sampling.run()} draws the same cases again)"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Give a test, and whatever it starts, a PATH of the programs that are declared for it."""
    before = os.environ["PATH"]
    os.environ["PATH"] = _path_of(item)[0]
    try:
        return (yield)
    finally:
        os.environ["PATH"] = before


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Nothing is skipped because it was not installed."""
    missing = _path_of(item)[1]
    if missing:
        pytest.fail(missing, pytrace=False)


def _path_of(item: pytest.Item) -> tuple[str, str]:
    marked = item.get_closest_marker("system") or item.get_closest_marker("long")
    return item.config.stash[PATHS].path_for(SYSTEM if marked else EVERYWHERE)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what takes longest; give the mark `socket` its meaning."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(LONGEST)))
    for item in items:
        if item.get_closest_marker("socket") or config.getoption("--engines") == SHARED:
            item.add_marker(pytest.mark.allow_hosts(LOOPBACK))


def pytest_collection_finish() -> None:
    """Look for garbage as seldom as commands do, and not among what was collected: it stays."""
    gc.collect()
    gc.freeze()
    seldom_look_for_garbage()


@pytest.fixture(scope="session", autouse=True)
def _cheap_keys_and_signatures() -> Iterator[None]:
    with cheap_keys(), cheap_signatures():
        yield


@pytest.fixture(scope="session", autouse=True)
def _cheap_clients(pytestconfig: pytest.Config) -> Iterator[None]:
    embedded = pytestconfig.getoption("--engines") == EMBEDDED
    with nullcontext() if embedded else cheap_clients():
        yield


@pytest.fixture(scope="session", autouse=True)
def _forked_workers() -> Iterator[None]:
    with forked_workers():
        yield


@pytest.fixture(scope="session", autouse=True)
def _stores(pytestconfig: pytest.Config) -> Iterator[None]:
    """Hubs are kept where `--engines` says."""
    shared = pytestconfig.getoption("--engines") == SHARED
    with stores.on_servers() if shared else nullcontext():
        yield


@pytest.fixture(autouse=True)
def _cleared(_stores: None) -> Iterator[None]:
    """A test's databases end with it."""
    with stores.cleared():
        yield
