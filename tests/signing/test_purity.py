"""Trust is pure: but for what opens files, no module of the core reaches a network or database."""

import pkgutil
import subprocess
import sys
from functools import cache

import pytest

import sealift_signing

IMPURE = {
    "tuf.ngclient",
    "urllib3",
    "sqlite3",
    "socket",
    "_socket",
    "ssl",
    "http.client",
    "asyncio",
}
OPENS = ("sealift_signing.keys", "sealift_signing.memory", "sealift_signing.desk")
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(sealift_signing.__path__, "sealift_signing.")
    if not module.name.startswith(OPENS)
)


@cache
def loaded_by(statement: str) -> frozenset[str]:
    """What a fresh interpreter has loaded after `statement`."""
    # securesystemslib takes in boto3 where it finds it, for signers in a cloud; a site has none.
    alone = "import sys; sys.modules['boto3'] = None"
    code = f"{alone}\n{statement}\nprint('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    return frozenset(done.stdout.split())


def test_the_core_is_found() -> None:
    assert {"sealift_signing.tuf_walk", "sealift_signing.transparency.merkle"} <= set(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_of_the_core_loads_nothing_impure(module: str) -> None:
    assert not loaded_by(f"import {module}") & IMPURE


def test_the_check_would_notice() -> None:
    assert "socket" in loaded_by("import sealift_signing.tuf_walk, socket")


@pytest.mark.parametrize(
    "module", [one for one in MODULES if one != "sealift_signing.memory_updates"]
)
def test_a_module_of_the_core_knows_nothing_of_what_opens_files(module: str) -> None:
    opened = {one for one in loaded_by(f"import {module}") if one.startswith(OPENS)}
    assert not opened
