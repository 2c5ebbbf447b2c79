"""docker-compose.yml and the Dockerfile, as far as they can be checked without an engine.

`make compose-test` runs them.
"""

from __future__ import annotations

import json
import re
import shlex
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from compose import make_pins, make_secrets
from sealift_registry.cli.group import sealift
from sealift_registry.storage.home import ENVIRONMENT, Home, Settings, with_environment
from sealift_registry.storage.postgres_address import connecting, of_argument
from sealift_signing.errors import UsageError
from tests.compose import stand_ins
from tests.servers.postgres import program
from tests.test_repository import pins, settings

ROOT = Path(__file__).parents[1]
FILE = ROOT / "docker-compose.yml"
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
SETUP = (ROOT / "compose/setup").read_text("utf-8")
READ: dict[str, Any] = yaml.safe_load(FILE.read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = READ["services"]

TOP = {"name": str, "services": dict, "networks": dict, "volumes": dict, "secrets": dict}
SERVICE: dict[str, type | tuple[type, ...]] = {
    "build": str,
    "cap_drop": list,
    "command": (str, list),
    "depends_on": dict,
    "entrypoint": list,
    "environment": dict,
    "healthcheck": dict,
    "image": str,
    "init": bool,
    "networks": list,
    "profiles": list,
    "read_only": bool,
    "restart": str,
    "secrets": list,
    "security_opt": list,
    "shm_size": str,
    "stop_grace_period": str,
    "tmpfs": list,
    "user": str,
    "volumes": list,
}
"""What of the Compose specification we use, and of which kind it is there."""
HEALTHCHECK = {"test": list, "interval": str, "timeout": str, "retries": int, "start_period": str}
DURATION = re.compile(r"([0-9]+(ms|s|m|h))+")
OWN_PROGRAMS = {
    "database": lambda name: Path(program(name)).is_file(),
    # The image's Dockerfile installs curl; so does the one of the stand-in.
    "objects": lambda name: name in stand_ins.DEBIAN,
    "hub": lambda name: name in settings("pyproject.toml")["project"]["scripts"],
}
"""Whether an image has the program that its health is asked with."""


def kinds(given: Mapping[str, Any], known: Mapping[str, type | tuple[type, ...]]) -> list[str]:
    """The keys of `given` that are not known, or are of another kind."""
    return [
        key for key, value in given.items() if key not in known or not isinstance(value, known[key])
    ]


def test_g1_50_the_file_holds_what_the_specification_knows() -> None:
    """A key that Compose does not know stops it, and so does a misspelt network."""
    assert kinds({key: value for key, value in READ.items() if key[:2] != "x-"}, TOP) == []
    for name, service in SERVICES.items():
        assert kinds(service, SERVICE) == [], name
        assert set(service.get("networks", ())) <= set(READ["networks"])
        assert set(service.get("depends_on", ())) <= set(SERVICES)
        for needed in service.get("depends_on", {}).values():
            assert needed == {"condition": "service_healthy"}
        secrets = [one["source"] if isinstance(one, dict) else one for one in service["secrets"]]
        assert set(secrets) <= set(READ["secrets"])
        for one in service["volumes"]:
            if isinstance(one, str):
                assert one.partition(":")[0] in READ["volumes"]
        check = service.get("healthcheck", {})
        assert kinds(check, HEALTHCHECK) == [], name
        for key in ("interval", "timeout", "start_period"):
            assert key not in check or DURATION.fullmatch(check[key])
        assert check.get("test", ["CMD"])[0] in {"CMD", "CMD-SHELL"}
    assert kinds({"ports": [], "image": 1, "user": "me"}, SERVICE) == ["ports", "image"]


def commands() -> Iterator[tuple[str, list[str]]]:
    """Every command of ours in these files: where it stands, and its words."""
    joined = SETUP.replace("\\\n", " ")
    for line in re.findall(r"(?m)^ *(sealift .*)$", joined):
        yield "compose/setup", shlex.split(line.replace('"$@"', "--solo"))[1:]
    for part in SERVICES["hub"]["healthcheck"]["test"][1].split("&&"):
        yield "the hub's health", shlex.split(part)[1:]
    found = re.search(r"(?m)^CMD (.*)$", DOCKERFILE)
    assert found
    yield "Dockerfile", json.loads(found[1])[1:]


def parsed(words: Sequence[str]) -> str:
    """The command that our own command line makes of these words; it is not run."""
    command: click.Command = sealift
    context, name, rest = None, "sealift", list(words)
    while isinstance(command, click.Group):
        context = command.make_context(name, rest, parent=context)
        found, inner, rest = command.resolve_command(
            context, [*context._protected_args, *context.args]
        )
        assert found
        assert inner
        name, command = found, inner
    command.make_context(name, rest, parent=context)
    assert context
    return f"{context.command_path} {name}"


def test_g1_51_every_command_is_one_of_ours() -> None:
    found = [parsed(words) for _, words in commands()]
    assert len(found) >= 8
    assert {"sealift db check", "sealift blobs check", "sealift init", "sealift next"} <= set(found)
    with pytest.raises(click.UsageError):
        parsed(["db", "chek"])
    with pytest.raises(click.UsageError):
        parsed(["init", "--databse", "x"])


def ignored(path: str) -> bool:
    """Whether .dockerignore keeps a path out of the build: the last pattern that fits decides."""
    out = False
    for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines():
        pattern = line.removeprefix("!")
        parts = path.split("/")
        above = ["/".join(parts[: n + 1]) for n in range(len(parts))]
        if line and line[0] != "#" and any(_fits(one, pattern) for one in above):
            out = not line.startswith("!")
    return out


def _fits(path: str, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return fnmatch(path.rpartition("/")[2], pattern[3:])
    return fnmatch(path, pattern) and path.count("/") == pattern.count("/")


def test_g1_52_every_path_is_there_or_is_made() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    copied = re.findall(r"(?m)^COPY (?!--from)(.*) \S+$", DOCKERFILE)
    sources = [source for line in copied for source in line.split()]
    assert len(sources) >= 8
    for source in sources:
        files = [name for name in tracked if name == source or name.startswith(f"{source}/")]
        assert files, source
        assert not [name for name in files if ignored(name)], source
    assert [
        name
        for name in tracked
        if name.startswith("compose/") and name.endswith(("entrypoint", "setup"))
    ]
    for name in ("compose/entrypoint", "compose/setup"):
        assert (ROOT / name).stat().st_mode & stat.S_IXUSR, f"git has {name} without its mode"
    # What is secret or grows stays out of the image, wherever it lies.
    for name in (
        "secrets/database_owner",
        "exchange/model.onnx",
        ".git/config",
        "sealift-hub/keys/x",
        "demo/x",
    ):
        assert ignored(name)
    made = {f"./secrets/{name}" for name in make_secrets.made()}
    assert {one["file"] for one in READ["secrets"].values()} == made
    binds = [
        one for service in SERVICES.values() for one in service["volumes"] if isinstance(one, dict)
    ]
    kept_out = (ROOT / ".gitignore").read_text("utf-8").splitlines()
    for bind in binds:
        assert f"/{bind['source'].removeprefix('./')}/" in kept_out
        assert f"mkdir {bind['source'].removeprefix('./')}" in (
            ROOT / "docs/how-to/run-with-compose.md"
        ).read_text("utf-8")
    assert "/secrets/" in kept_out


def test_g1_53_what_health_is_asked_with_is_in_the_image() -> None:
    asked = {
        name: one["healthcheck"]["test"] for name, one in SERVICES.items() if "healthcheck" in one
    }
    assert set(asked) == set(OWN_PROGRAMS)
    for name, (kind, *words) in asked.items():
        lines = [words] if kind == "CMD" else [one.split() for one in words[0].split("&&")]
        for line in lines:
            assert OWN_PROGRAMS[name](line[0]), line
    help_of = subprocess.run(
        [program("pg_isready"), "--help"], check=True, capture_output=True, text=True
    )
    for word in asked["database"][2:]:
        assert word.partition("=")[0] in help_of.stdout


def test_g1_54_the_image_is_pinned_and_nobodys_root() -> None:
    instructions = [
        line.split()[0]
        for line in DOCKERFILE.replace("\\\n", " ").splitlines()
        if re.match("[A-Z]", line)
    ]
    assert "ADD" not in instructions
    users = re.findall(r"(?m)^USER (.*)$", DOCKERFILE)
    assert users == ["10001:10001"]
    assert instructions.index("USER") > max(
        n for n, one in enumerate(instructions) if one in {"RUN", "COPY"}
    )
    installs = re.findall(r"pip install[^&\n]*", DOCKERFILE.replace("\\\n", " "))
    assert len(installs) == 3
    for line in installs:
        named = re.findall(r"-r (\S+)", line)
        assert ("--require-hashes" in line and named) or ("--no-deps" in line and not named)
        assert all((ROOT / one).is_file() for one in named)
    hub, dev = (pins(ROOT / f"requirements/{name}.txt") for name in ("hub", "dev"))
    assert pins(ROOT / "requirements/demo.txt").items() <= hub.items() <= dev.items()
    assert {"psycopg", "psycopg-binary", "boto3", "minio"} <= set(hub)
    version = settings("pyproject.toml")["project"]["version"]
    assert SERVICES["hub"]["image"] == f"sealift-hub:{version}"


def test_g1_55_what_the_environment_sets_are_settings(tmp_path: Path) -> None:
    """A misspelt one would be in force nowhere, and nobody would be told."""
    for name in ("hub", "setup"):
        given = {key: str(value) for key, value in SERVICES[name]["environment"].items()}
        ours = {
            key: value for key, value in given.items() if re.match(rf"{ENVIRONMENT}[A-Z]+__", key)
        }
        found = with_environment(Home(tmp_path, Settings()), ours).settings
        said = {
            f"{ENVIRONMENT}{section}__{key}".upper(): value
            for section, values in vars(found).items()
            if not isinstance(values, Mapping)  # what has names of its own is in the file alone
            for key, value in vars(values).items()
        }
        assert ours.items() <= said.items()
        assert len(ours) >= 4
        with pytest.raises(UsageError):
            with_environment(
                Home(tmp_path, Settings()), ours | {f"{ENVIRONMENT}DATABASE__ULR": "x"}
            )


def test_g1_149_the_database_is_asked_for_no_tls_within_this_host_alone() -> None:
    """Its image has no certificate; and what is chosen in so many words fails no health check."""
    services = ("hub", "setup")
    given = {key: str(v) for name in services for key, v in SERVICES[name]["environment"].items()}
    addresses = {key: url for key, url in given.items() if url.startswith("postgresql://")}
    assert len(addresses) == 3
    for key, url in addresses.items():
        found = connecting(of_argument(url, key))
        assert (found["host"], found["sslmode"]) == ("database", "disable")
    assert READ["networks"]["to-database"] == {"internal": True}


def test_g1_56_each_container_can_do_what_it_must_and_no_more() -> None:
    for name, service in SERVICES.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["init"]
        assert not {"ports", "privileged", "cap_add", "network_mode", "pid"} & set(service)
        assert not service.get("user", "x").startswith(("0", "root"))
        for mount in service["volumes"]:
            assert "docker.sock" not in str(mount)
    assert {name for name, one in SERVICES.items() if "outside" in one["networks"]} == {"hub"}
    assert not set(SERVICES["database"]["networks"]) & set(SERVICES["objects"]["networks"])
    for name, network in READ["networks"].items():
        assert (network or {}).get("internal", False) == (name != "outside")
    hub = {str(one) for one in SERVICES["hub"]["secrets"]}
    assert not [one for one in hub if "setup" in one or "owner" in one or "server" in one]
    assert "MIGRATOR" not in str(SERVICES["hub"]["environment"])
    for service in SERVICES.values():
        for key, value in service["environment"].items() if "environment" in service else ():
            assert "PASSWORD" not in key or key.endswith("_FILE")
            assert not re.search(r"://[^/]*:[^/]*@", str(value)), "a password in an address"


def test_g1_57_secrets_are_made_once_and_for_each_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "secrets"
    assert make_secrets.main(folder) == 0
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    first = {file.name: file.read_text("utf-8") for file in folder.iterdir()}
    assert make_secrets.main(folder) == 0
    assert {file.name: file.read_text("utf-8") for file in folder.iterdir()} == first
    passwords = [line.split(":")[-2:] for line in first["pgpass_setup"].splitlines()]
    assert [role for role, _ in passwords] == ["postgres", "sealift_migrator", "sealift_app"]
    assert len({word for _, word in passwords}) == 3
    assert first["pgpass_setup"].splitlines()[2:] == first["pgpass_hub"].splitlines()
    assert passwords[0][1] == first["database_owner"]
    admin, hub = json.loads(first["s3_server.json"])["identities"]
    assert admin["credentials"][0]["secretKey"] in first["s3_setup"]
    assert hub["credentials"][0]["secretKey"] in first["s3_hub"]
    bucket = SERVICES["hub"]["environment"]["SEALIFT_BLOBS__URL"].split("/")[2]
    assert {one.partition(":")[2] for one in hub["actions"]} == {bucket}
    for role in ("hub", "setup"):
        users = re.findall(r"//(\w+)@(\w+)/", str(SERVICES[role]["environment"]))
        assert users
        for user, host in users:
            assert f"{host}:5432:*:{user}:" in first[f"pgpass_{role}"]
    (folder / "s3_hub").unlink()
    assert make_secrets.main(folder) == 1
    assert "lacks s3_hub" in capsys.readouterr().err
    assert not (folder / "s3_hub").exists()


ANSWER = """#!{python}
import hashlib, sys
if sys.argv[-1].endswith({refused!r}):
    sys.exit("no such tag")
print("sha256:" + hashlib.sha256((sys.argv[-1] + {salt!r}).encode()).hexdigest())
"""


def answering(folder: Path, name: str, salt: str = "", refused: str = "-") -> None:
    """A program that says which digest is behind a tag."""
    file = folder / name
    file.write_text(ANSWER.format(python=sys.executable, salt=salt, refused=refused), "utf-8")
    file.chmod(0o755)


def test_g1_58_pins_are_written_for_all_or_for_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [tmp_path / "docker-compose.yml", tmp_path / "Dockerfile"]
    before = [FILE.read_text("utf-8"), DOCKERFILE]
    for file, text in zip(files, before, strict=True):
        file.write_text(text, "utf-8")
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    with pytest.raises(SystemExit, match="docker is not there; skopeo is not there"):
        make_pins.main(files)
    answering(programs, "skopeo", refused="slim-trixie")
    with pytest.raises(SystemExit, match="skopeo: no such tag"):
        make_pins.main(files)
    assert [file.read_text("utf-8") for file in files] == before
    answering(programs, "skopeo")
    make_pins.main(files)
    once = [file.read_text("utf-8") for file in files]
    named = re.findall(r"(?m)^(?: *image: |FROM )(\S+)", "\n".join(once))
    assert [one for one in named if "@sha256:" not in one] == [SERVICES["hub"]["image"]]
    assert once[1].count("@sha256:") == 2
    assert yaml.safe_load(once[0])["services"]["database"]["image"].startswith("postgres:18")
    answering(programs, "docker", salt="newer")
    make_pins.main(files)
    twice = [file.read_text("utf-8") for file in files]
    assert all(one != other for one, other in zip(once, twice, strict=True))
    assert [re.sub("@sha256:[0-9a-f]{64}", "", text) for text in twice] == before


def test_g1_59_what_the_engines_are_told_they_understand() -> None:
    """Programs of the same releases, though from elsewhere, say what they know."""
    weed = Path(sys.executable).with_name("weed")
    known = subprocess.run([str(weed), "server", "-h"], check=False, capture_output=True, text=True)
    options = re.findall(r"(?m)^\s+-([\w.]+)", known.stdout + known.stderr)
    told = [word for word in SERVICES["objects"]["command"].split() if word[0] == "-"]
    assert len(told) >= 6
    for word in told:
        assert word[1:].partition("=")[0] in options, word
    version = subprocess.run(
        [str(weed), "version"], check=True, capture_output=True, text=True
    ).stdout
    assert SERVICES["objects"]["image"].partition(":")[2] in version
    initdb = subprocess.run(
        [program("initdb"), "--help"], check=True, capture_output=True, text=True
    ).stdout
    for word in SERVICES["database"]["environment"]["POSTGRES_INITDB_ARGS"].split():
        assert word.partition("=")[0] in initdb, word
    version = subprocess.run(
        [program("postgres"), "--version"], check=True, capture_output=True, text=True
    ).stdout
    assert f" {SERVICES['database']['image'].partition(':')[2].partition('-')[0]}." in version
    assert {one.partition("@")[0] for one in re.findall(r"(?m)^FROM (\S+)", DOCKERFILE)} <= set(
        stand_ins.NAMES
    )
    assert {SERVICES[name]["image"].partition("@")[0] for name in ("database", "objects")} <= set(
        stand_ins.NAMES
    )
