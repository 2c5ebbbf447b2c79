"""What a command loads: help is there at once, and a site's own work needs nothing of the hub's."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.hub_on_paper import HubOnPaper
from tests.registry.hub_fixture import Acme, founded
from tests.site_on_paper import SiteOnPaper
from tests.test_commands_page import COMMANDS

__all__ = ["founded"]

HUB_ONLY = {"alembic", "boto3", "dbos", "dvc", "mlflow", "numpy", "onnx", "sqlalchemy"}
"""What no command of a site loads, wherever it finds it."""
FOR_PEOPLE = {"rich"}
"""What is loaded where something is drawn on a terminal."""
FOR_TRUST = {"cryptography", "securesystemslib", "sqlite3", "tuf"}
"""What nearly every command needs, and no help does."""
FOR_WORK = {"hashlib", "logging", "secrets"}
"""Light ones, which together are a seventh of the time that a help takes."""
HEAVY = HUB_ONLY | FOR_PEOPLE | FOR_TRUST | FOR_WORK

HELP = """
import io, json, sys
from contextlib import redirect_stdout
from {package}.cli.run import run
loaded = {{}}
for words in json.loads(sys.argv[1]):
    said = io.StringIO()
    with redirect_stdout(said):
        assert run([*words, "--help"]) == 0, words
    assert said.getvalue().startswith("Usage: "), words
    loaded[" ".join(words)] = sorted(sys.modules)
print(json.dumps(loaded))
"""

RUN = """
import sys
from {package}.cli import main
try:
    main()
except SystemExit as end:
    assert (end.code or 0) == {expected}, end.code
print("\\n" + " ".join(name for name, one in sys.modules.items() if one is not None))
"""


def python(script: str, *arguments: str) -> str:
    """What a fresh interpreter prints."""
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def loaded_by(package: str, *arguments: str | Path, expected: int = 0) -> set[str]:
    """The modules in memory after a command, run as its own entry point runs it."""
    said = python(RUN.format(package=package, expected=expected), *map(str, arguments))
    return set(said.splitlines()[-1].split())


@pytest.mark.parametrize(
    "program, package",
    [
        ("sealift", "sealift_registry"),
        ("sealift-sign", "sealift_signing.desk"),
        ("sealift-site", "sealift_sync"),
    ],
)
def test_help_of_no_command_loads_anything_heavy(program: str, package: str) -> None:
    every = [words.split()[1:] for words in COMMANDS if words.split()[0] == program]
    groups = [words[:1] for words in every if len(words) > 1]
    asked = [[], *groups, *every]
    assert len(asked) > 10
    loaded = json.loads(python(HELP.format(package=package), json.dumps(asked)))
    heavy = {words: HEAVY & set(found) for words, found in loaded.items()}
    assert {words: found for words, found in heavy.items() if found} == {}


@pytest.fixture
def hub(tmp_path: Path) -> HubOnPaper:
    return HubOnPaper(tmp_path, now=datetime.now(UTC))


def test_a_site_verifies_without_what_only_the_hub_or_a_terminal_needs(
    hub: HubOnPaper, tmp_path: Path
) -> None:
    plant = SiteOnPaper(tmp_path / "site", hub.now)
    plant.enrol(hub)
    hub.assign(hub.promote(1))
    medium = hub.export(tmp_path / "medium")
    loaded = loaded_by("sealift_sync", "--home", plant.root, "verify", medium)
    assert not loaded & (HUB_ONLY | FOR_PEOPLE | {"asyncio", "importlib.metadata", "urllib3"})
    assert loaded > FOR_TRUST
    for command in (("import", medium), ("status",), ("return", "--print"), ("audit", "list")):
        loaded = loaded_by("sealift_sync", "--home", plant.root, *command)
        assert not loaded & (HUB_ONLY | FOR_PEOPLE), command


@pytest.mark.parametrize(
    "command, expected",
    [(("list",), 0), (("next",), 0), (("audit", "verify"), 0), (("show", "P-1"), 3)],
)
def test_the_hub_answers_without_what_only_its_workers_need(
    founded: Path, command: tuple[str, ...], expected: int
) -> None:
    given = (*command, "--home", str(Acme(founded).root))
    loaded = loaded_by("sealift_registry", *given, expected=expected)
    assert "sqlalchemy" in loaded
    assert not {"alembic", "botocore", "dbos", "dvc", "mlflow", "numpy", "onnx", "rich"} & loaded


def test_f2_427_a_log_file_loads_no_network(tmp_path: Path) -> None:
    """What asks for a socket is refused at a site, and what could ask for one is not loaded."""
    given = ("--home", tmp_path / "none", "status")
    without = loaded_by("sealift_sync", *given, expected=3)
    loaded = loaded_by("sealift_sync", "--log-file", tmp_path / "log", *given, expected=3)
    assert loaded - without - {"logging"} == {"sealift_signing.log_file"}
    assert not loaded & {"logging.handlers", "logging.config", "socket", "_socket"}
    assert (tmp_path / "log").read_text().count("\n") == 3


def test_what_is_looked_for_is_there_to_be_found() -> None:
    """A name that is spelled otherwise than its package would never be seen."""
    assert [name for name in HEAVY if find_spec(name) is None] == []
