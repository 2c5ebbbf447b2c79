"""The repository keeps its own promises: pins, reasons, and what the tests stand on."""

import ast
import importlib
import pkgutil
import re
import shutil
import socket
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pytest_socket import SocketBlockedError, SocketConnectBlockedError

from tests import pages

ROOT = Path(__file__).parent.parent
PINNED = sorted((ROOT / "requirements").glob("*.txt"))
SITE = {
    "cffi",
    "click",
    "cryptography",
    "markdown-it-py",
    "mdurl",
    "pycparser",
    "pygments",
    "rich",
    "securesystemslib",
    "tuf",
    "urllib3",
}
TEXT = {".list", ".md", ".py", ".svg", ".toml", ".txt", ".yml"}
"""How the names end of files that somebody reads; no models, keys and corpora."""


def pins(file: Path) -> dict[str, set[str]]:
    """The versions that a requirements file pins, by package."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"(?m)^([a-z0-9._-]+)==(\S+)", file.read_text()):
        found.setdefault(name, set()).add(version)
    return found


def settings(name: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / name).read_text())


def test_a_site_installs_eleven_third_party_packages_and_no_more() -> None:
    assert set(pins(ROOT / "requirements/site.txt")) == SITE


@pytest.mark.parametrize("file", PINNED, ids=lambda file: file.name)
def test_every_pin_has_hashes_and_no_index_is_named(file: Path) -> None:
    text = file.read_text()
    requirements = re.split(r"(?m)^(?=[a-z])", text)[1:]
    assert requirements
    assert all("--hash=sha256:" in requirement for requirement in requirements)
    assert "://" not in text


def test_the_environments_agree_on_versions() -> None:
    site, demo, dev = (pins(ROOT / f"requirements/{name}.txt") for name in ("site", "demo", "dev"))
    assert site.items() <= demo.items() <= dev.items()


def test_the_three_distributions_have_one_version() -> None:
    files = ["pyproject.toml", "signing/pyproject.toml", "offline-sync/pyproject.toml"]
    projects = [settings(file)["project"] for file in files]
    versions = {project["version"] for project in projects}
    assert len(versions) == 1
    ours = [d for project in projects for d in project["dependencies"] if d.startswith("sealift-")]
    assert len(ours) == 3
    assert {dependency.partition("==")[2] for dependency in ours} == versions


def test_every_lint_exception_has_its_reason_beside_it() -> None:
    lint = (ROOT / "pyproject.toml").read_text().partition("[tool.ruff.lint]")[2]
    exceptions = re.findall(r'(?m)^  "[A-Z]+[0-9]*",(.*)$', lint)
    assert exceptions
    assert all(re.fullmatch(r"  # \S.*", rest) for rest in exceptions)


def written() -> Iterator[tuple[str, str]]:
    """Every text file of the repository but this one, by its path."""
    command = ["git", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    for name in listed.stdout.split("\0"):
        file = ROOT / name
        read = file.suffix in TEXT or name == "Makefile"
        if read and file.is_file() and file != Path(__file__):
            yield name, file.read_text("utf-8")


LONGEST_MODULE, LONGEST_FUNCTION = 500, 60
"""Lines: what is longer holds two things, and whoever reads it has to hold both."""
PACKAGES = ("migrations", "offline-sync", "registry", "signing")


def test_f2_703_no_module_and_no_function_is_too_long_to_read() -> None:
    too_long = []
    for file in (file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))):
        text = file.read_text("utf-8")
        if (lines := len(text.splitlines())) > LONGEST_MODULE:
            too_long.append(f"{file.relative_to(ROOT)} has {lines} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > LONGEST_FUNCTION:
                    too_long.append(f"{file.name}: {node.name} has {lines} lines")
    assert too_long == []


def test_f2_500_no_file_speaks_of_a_design_that_is_not_here() -> None:
    """What it said stands on a page of docs/, and that is named."""
    assert [name for name, text in written() if re.search(r"\bDESIGN\b", text)] == []


def test_f2_501_every_page_that_a_file_names_is_there() -> None:
    page = re.compile(r"\bdocs/(?:adr|explanation|how-to|images|reference|tutorial)/[\w./-]+\w")
    found = {(name, one) for name, text in written() for one in page.findall(text)}
    assert len(found) > 60
    assert sorted((name, one) for name, one in found if not (ROOT / one).exists()) == []


@pytest.mark.parametrize("page", sorted((ROOT / "docs/how-to").glob("*.md")), ids=lambda p: p.stem)
def test_f2_509_a_page_speaks_of_files_and_names_that_are_there(page: Path) -> None:
    """What is moved or renamed is found here at once, and not only where the page is played."""
    path = re.compile(r"`((?:migrations|offline-sync|registry|signing|tests)/[\w./-]*\w)`")
    written = {one.place for one in pages.blocks(page) if one.language != "diff"}
    named = set(path.findall(page.read_text("utf-8"))) - written
    assert sorted(one for one in named if not (ROOT / one).exists()) == []
    for one in pages.blocks(page, "diff"):
        if one.place:
            pages.changed((ROOT / one.place).read_text("utf-8"), one)
    for one in pages.blocks(page, "python"):
        for node in ast.walk(ast.parse(one.text)):
            if isinstance(node, ast.ImportFrom) and _is_ours(node.module or ""):
                assert [one.name for one in node.names if not _is_there(node, one.name)] == []


def _is_there(imported: ast.ImportFrom, name: str) -> bool:
    """Whether what a line imports is there: a thing in a module, or a module."""
    module = importlib.import_module(imported.module or "")
    return hasattr(module, name) or any(
        found.name == name for found in pkgutil.iter_modules(getattr(module, "__path__", []))
    )


def _is_ours(module: str) -> bool:
    return module.partition(".")[0].startswith(("sealift_", "tests"))


def test_f2_510_what_one_database_has_alone_stands_behind_one_seam() -> None:
    """Beside those that speak of MLflow's store, and those behind the seam of engines of jobs."""
    root = ROOT / "registry/sealift_registry"
    found = set()
    for file in root.rglob("*.py"):
        name = ".".join(file.relative_to(root).with_suffix("").parts)
        theirs = name.startswith(("demo.", "intake.", "cli.", "jobs.dbos_", "storage."))
        code = file.read_text("utf-8").lower()
        if any(word in code for word in ("sqlite", "postgres")) and not theirs:
            found.add(name)
    assert found == set(), "rather behind storage.database"


MAP = ROOT / "docs/explanation/architecture.md"
NAME = re.compile(r"`((?:signing|sync|registry|migrations)(?:\.\w+)+)`")
"""A name of the map: a package or a module, or what is in it."""
ROW = re.compile(r"(?m)^\| `([\w.]+)`(?: itself)? \| (\(later\))?")
"""A row of one of its tables of rooms."""


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    """The program that writes two parts of the map."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "docs/reference"))
        return importlib.import_module("make_map")


def test_f2_511_every_contract_and_every_module_is_on_the_map(maker: ModuleType) -> None:
    """Its sentences are compared in tests/test_map.py."""
    page = MAP.read_text("utf-8")
    named, now = map(_names_in_tables, (page, maker.written(page)))
    assert named == now, "Run .venv/bin/python docs/reference/make_map.py"
    assert maker.contracts() in page, "Run .venv/bin/python docs/reference/make_map.py"


def _names_in_tables(page: str) -> list[str]:
    return re.findall(r"(?m)^\| `([\w.]+)` \|", page.partition("## Every module")[2])


def test_f2_512_every_room_is_on_the_map_and_in_a_contract(maker: ModuleType) -> None:
    rooms = MAP.read_text("utf-8").partition("## The rooms")[2].partition("## Who may")[0]
    rows = {name: bool(later) for name, later in ROW.findall(rooms)}
    parts = {"signing.desk.cli", "migrations", "registry.demo", "sync.site"}
    there = {name for name, _ in maker.packages()} - {"migrations", "migrations.versions"}
    assert there - rows.keys() - {"sync", "registry"} == set()
    assert {name for name, later in rows.items() if not later} - there - parts == set()
    contracts = maker.contracts()
    rooms_of_the_hub = {name for name in there if name.startswith("registry.")}
    assert {name for name in rooms_of_the_hub if f"`{name}`" not in contracts} == set()


def test_f2_513_every_name_on_the_map_is_in_the_code(maker: ModuleType) -> None:
    page = MAP.read_text("utf-8")
    later = {name for name, said in ROW.findall(page) if said}
    named = {one for one in NAME.findall(page) if one not in later}
    assert len(named) > 150
    assert sorted(one for one in named if not _is_in_the_code(maker.PACKAGES, one)) == []


SEE = re.compile(r"\b[Ss]ee `([a-z_]+(?:\.\w+)+)`|`(sealift_[a-z]+(?:\.\w+)+)`")
"""What a sentence of the code sends its reader to: a room's module, or what is in it."""


def test_g1_226_what_the_code_says_to_see_is_there(maker: ModuleType) -> None:
    """A module that was renamed leaves no sentence behind that names it as it was."""
    lost, named = [], 0
    for package in maker.PACKAGES.values():
        for file in sorted(package.rglob("*.py")):
            for one in SEE.finditer(file.read_text("utf-8")):
                named += 1
                if not _is_found(maker.PACKAGES, file, one[1] or one[2]):
                    lost.append(f"{file.relative_to(ROOT)}: {one[0]}")
    assert named > 5
    assert lost == []


def _is_found(packages: Mapping[str, Path], file: Path, name: str) -> bool:
    """Whether `name` is there: in full, of any distribution, or of the room that `file` is in."""
    distributions = {place.name: first for first, place in packages.items()}
    first, _, rest = name.partition(".")
    if first in distributions:
        return _is_in_the_code(packages, f"{distributions[first]}.{rest}")
    own = next(one for one, place in packages.items() if file.is_relative_to(place))
    room = ".".join((own, *file.parent.relative_to(packages[own]).parts))
    return any(_is_in_the_code(packages, f"{one}.{name}") for one in (room, *packages))


def _is_in_the_code(packages: Mapping[str, Path], name: str) -> bool:
    first, *parts = name.split(".")
    place = packages[first]
    while parts and (place / parts[0]).is_dir():
        place /= parts.pop(0)
    if not parts:
        return True
    file = place / f"{parts.pop(0)}.py"
    found: list[ast.stmt] = ast.parse(file.read_text("utf-8")).body if file.is_file() else []
    for part in parts:
        named = [one for one in found if part in _names_of(one)]
        found = getattr(named[0], "body", []) if named else []
        if not named:
            return False
    return file.is_file()


def _names_of(node: ast.stmt) -> set[str]:
    """What a statement names: a class, a function, or values."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return {one.id for one in targets if isinstance(one, ast.Name)}


def test_an_attack_is_found_by_its_number() -> None:
    """Reports and reviews name attacks on signing by number alone."""
    found: dict[str, list[str]] = {}
    for file in sorted((ROOT / "tests").rglob("*.py")):
        for name, number in re.findall(r"(?m)^ *def (test_t0_(\d+)_\w+)", file.read_text()):
            found.setdefault(number, []).append(f"{file.relative_to(ROOT)}::{name}")
    assert len(found) > 100
    assert {number: names for number, names in found.items() if len(names) > 1} == {}


def test_without_the_marker_no_test_opens_a_socket() -> None:
    with pytest.raises(SocketBlockedError):
        socket.create_connection(("127.0.0.1", 9), timeout=1)


@pytest.mark.socket
def test_with_the_marker_a_test_reaches_loopback_and_nothing_else() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname(), timeout=1),
    ):
        pass
    with pytest.raises(SocketConnectBlockedError):
        socket.create_connection(("192.0.2.1", 9), timeout=1)


@pytest.mark.system
def test_a_new_network_namespace_has_only_a_dead_loopback() -> None:
    unshare, ip = shutil.which("unshare"), shutil.which("ip")
    assert unshare
    assert ip
    command = [unshare, "-rn", ip, "-brief", "link"]
    links = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    assert [link.split()[:2] for link in links] == [["lo", "DOWN"]]
