"""Other users of the same machine: what they open, what they hold, and what is closed on upgrade.

Whoever can open a file can hold a lock on it for ever: a shared one suffices to stop a rollback.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
import pytest

from sealift_registry.cli.group import sealift
from sealift_registry.cli.run import run as run_hub
from sealift_signing import file_access
from sealift_signing.keys import new_key
from sealift_signing.memory import Memory
from sealift_sync.cli.commands import site as sealift_site
from sealift_sync.cli.run import run as run_site
from tests.desk.days import Days, said
from tests.journey.test_thin_journey import CPU, Journey
from tests.older.test_older import days, unpacked
from tests.registry.hub_fixture import copied, founded

__all__ = ["days", "founded", "unpacked"]

NOBODY = 65534
UMASKS = [0o000, 0o077]
TESTING_READ = 'for path; do if [ -r "$path" ] || [ -w "$path" ]; then echo "$path"; fi; done'
SITE_STATUS = ["status"]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user, which root may")


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that every user gets to; pytest's own are root's alone."""
    folder = Path(tempfile.mkdtemp(prefix="sealift-others-"))
    folder.chmod(0o755)
    yield folder
    for here, _, _ in os.walk(folder):
        Path(here).chmod(0o700)
    shutil.rmtree(folder)


@pytest.fixture
def journey(
    reachable: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Journey:
    for name in [name for name in os.environ if name.startswith("SEALIFT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SEALIFT_LIMITS__LOCK_SECONDS", "0")
    return Journey(reachable, capsys)


def version(journey: Journey, number: int) -> None:
    """One person's version, from its file to the site."""
    journey.hub(
        f"ingest onnx {{at}}/model-{number}.onnx --as vision/tiny --goldens {{at}}/goldens.npz"
    )
    assert open_to_others(journey.folder / "hub") == [], "made so, and not closed later"
    journey.hub(f"convert vision/tiny/{number} --for {CPU}")
    journey.hub(f"promote vision/tiny/{number} --to production --reason mine")
    journey.hub(f"approve P-{number} --meaning validated --reason mine --yes")
    journey.hub(f"assign plant-7 vision/tiny/{number} --for line-1={CPU}")
    journey.hub("export plant-7 --to {at}/medium")
    journey.site("import {at}/medium")


def begin(journey: Journey) -> None:
    journey.hub("init --solo --person me")
    journey.hub("team add vision")
    journey.enrolled()
    site = journey.folder / "site"
    assert open_to_others(site, site / "models") == [], "made so, and not closed later"


def everything(folder: Path) -> list[Path]:
    return [folder, *sorted(folder.rglob("*"))]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def open_to_others(home: Path, models: Path | None = None) -> list[str]:
    """What lies open in a home, but for blobs behind closed folders and what is to be read."""
    found = []
    for path in everything(home):
        allowed = {0o700} if path.is_dir() else {0o600}
        if path.parent.name == "sha256":
            allowed = {0o700} if path.is_dir() else {0o444, 0o644}
        if models and path == home:
            allowed = {0o711}
        if models and path.is_relative_to(models):
            allowed = {0o755, 0o555} if path.is_dir() else {0o444, 0o644}
        if not path.is_symlink() and mode(path) not in allowed:
            found.append(f"{mode(path):o} {path.relative_to(home)}")
    return found


def nobody_opens(*homes: Path) -> set[Path]:
    """Of all that lies in `homes`, by its name: what another user may read or change."""
    paths = [str(path) for home in homes for path in everything(home)]
    command = ["sh", "-c", TESTING_READ, "sh", *paths]
    done = subprocess.run(
        command, user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True, check=True
    )
    return {Path(line) for line in done.stdout.decode().splitlines()}


@contextmanager
def nobody_holds(*places: Path) -> Iterator[None]:
    """Another user takes a read lock on all files and folders in `places` that they can open."""
    with ExitStack() as stack:
        for path in nobody_opens(*places):
            held = subprocess.Popen(
                ["flock", "--shared", "--nonblock", str(path), "sh", "-c", "echo held; read _"],
                user=NOBODY,
                group=NOBODY,
                extra_groups=[],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            stack.enter_context(held)
            assert held.stdout
            assert held.stdout.readline() == b"held\n", path
        yield


HUB = """
    ingest onnx {at}/model-2.onnx --as vision/tiny --goldens {at}/goldens.npz
    convert vision/tiny/2 --for cpu-x86_64
    discard vision/tiny/2/cpu-x86_64 --reason mine --yes
    convert vision/tiny/2 --for cpu-x86_64
    promote vision/tiny/2 --to production --reason mine
    approve P-2 --meaning validated --reason mine --yes
    assign plant-7 vision/tiny/2 --for line-1=cpu-x86_64
    export plant-7 --to {at}/medium --plan
    export plant-7 --to {at}/medium
    blobs check
    blobs fsck
    blobs mend --from-blobs {at}/hub/blobs
    renew team.vision
    key rotate catalog
    runtime list
    runtime check
    key new {at}/new.pem
    key show {at}/new.pem
    key card gina --key {at}/new.pem --out {at}/gina.card
    team requester vision {at}/gina.card
    team approver vision {at}/gina.card --stage production
    team stewards vision me
    team check-rows vision --travel
    team list
    list
    gc
    job list
    show plant-7
    sites
    policy show
    policy check production --days 90
    policy set pilot --like production --before-people
    policy remove pilot
    policy lifetime team 120
    settings
    comment P-2 mine
    next
    audit list
    audit verify
    audit fsck
    fingerprint --out {at}/first.draft
    worker --once
    site answer plant-7 --out {at}/again.answer
    account invite mine --role viewer:team=vision
    account invite ci --service --role operator
    account grant mine auditor
    account revoke mine auditor
    account token ci --scope job.read
    account list
    account show ci
    account recover mine
    account disable mine
"""
"""What is done at a hub while another user holds all that they can; the second version is made."""
SITE = """
    verify {at}/medium
    import {at}/medium
    status
    rollback vision/tiny --reason wrong
    activate vision/tiny --reason mended
    fsck
    audit list
    audit verify
    audit fsck
    return --to {at}/medium
"""
"""And at its site."""
LATER = """
    receive {at}/medium
    unassign plant-7 vision/tiny --reason gone
    assign plant-7 vision/tiny/1 --for line-1=cpu-x86_64 --back --reason older
    export plant-7 --to {at}/medium --full
"""
ELSEWHERE = {
    *("init", "team add", "site enroll"),  # before anybody has a home to hold anything in
    *("ingest mlflow", "ingest dvc", "ingest named"),  # as ingest onnx
    "blobs init",  # it opens no home but to read where, and asks a server
    "migrate",  # it waits for the writers' lock as every command that writes, and no longer
    # They open what `job list` opens, and record as every command does.
    *("job show", "job watch", "job cancel", "job retry"),
    "account revoke-token",  # as account token
    # They open no home: what they ask is a server.
    *("login", "logout", "whoami", "account take", "account password"),
    "serve",  # it opens what `list` opens, and goes on until it is told to end
    "runtime add",  # it opens no home, and fetches what it installs
    *("db init", "db upgrade", "db check"),  # a server's, and not this disk's
    # On a machine without a hub; and what a fleet administrator signs, as `key rotate`.
    *("builder keys", "builder run", "builder add", "builder remove"),
    # They have the list signed that `team approver` has signed.
    *("person retire", "person compromised", "person reinstate"),
    *("person key add", "person key replace", "person key remove"),
    *("object", "submit"),  # whoever is alone drafts nothing: below, by people at desks
}
"""Commands that are not tried there."""
ELSEWHERE_AT_SITE = {
    "init",  # before there is a home
    "check",  # it opens what status opens, and nothing here can be asked
}


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()]


def test_t1_04_every_command_is_tried() -> None:
    """A new command that waits for a lock which others can hold would be found."""
    for program, tried, but in (
        (sealift, lines(HUB + LATER), ELSEWHERE),
        (sealift_site, lines(SITE), ELSEWHERE_AT_SITE),
    ):
        left = {name for name in leaves(program) if not any(t.startswith(name) for t in tried)}
        assert left == but


def leaves(program: click.Group, before: str = "") -> set[str]:
    """The names of a program's commands."""
    found = set()
    for name, one in program.commands.items():
        inner = leaves(one, f"{before}{name} ") if isinstance(one, click.Group) else set()
        found |= inner or {f"{before}{name}"}
    return found


@as_root
@pytest.mark.timeout(120)
@pytest.mark.parametrize("mask", UMASKS, ids=oct)
def test_t1_04_nobody_opens_anything_but_models(journey: Journey, mask: int) -> None:
    """The whole journey, by whatever umask: what another user opens, and holds."""
    hub, site, medium = (journey.folder / name for name in ("hub", "site", "medium"))
    with umask(mask):
        begin(journey)
        version(journey, 1)
        with nobody_holds(hub, site, medium):
            for line in lines(HUB):
                journey.hub(line)
            for line in lines(SITE):
                journey.site(line)
            for line in lines(LATER):
                journey.hub(line)
            journey.site("import {at}/medium")
    models = site / "models"
    assert open_to_others(hub) == []
    assert open_to_others(site, models) == []
    assert nobody_opens(hub, site) == set(everything(models))
    carried = everything(medium / "sealift")
    assert {mode(path) for path in carried if path.is_dir()} == {0o755}
    assert {mode(path) for path in carried if path.is_file()} == {0o644}
    shown = ("asked", "answer", "again.answer", "gina.card", "new.pem.pub")
    assert {mode(journey.folder / name) for name in shown} == {0o644}
    assert mode(journey.folder / "new.pem") == 0o600
    current = models / "line-1/vision/tiny/current"
    assert (nobody_reads(current / "model-1.onnx")) == (
        journey.folder / "model-1.onnx"
    ).read_bytes()


DESK = """
    key new x.pem
    key show x.pem
    card gina --key x.pem
    card-show gina.card
    heads
    signed
    share anna.memory
    write team.vision team.version
"""
"""What anna does at hers while another user holds all that they can; and what she signs."""


@as_root
@pytest.mark.parametrize("mask", UMASKS, ids=oct)
def test_t1_04_nobody_stops_who_drafts_and_signs(
    founded: Path, reachable: Path, monkeypatch: pytest.MonkeyPatch, mask: int
) -> None:
    monkeypatch.setenv("SEALIFT_LIMITS__LOCK_SECONDS", "0")
    with umask(mask):
        copied(founded, reachable).close()
        days = Days(reachable)
        anna, ben = days.trusting("anna", "ben")
        with nobody_holds(days.folder / "hub", anna.folder, ben.folder):
            made = days.draft("renew team.vision")
            days.submit(*(one.sign(made) for one in (anna, ben)))
            anna.learns(ben.shares())
            for line in lines(DESK):
                anna(*line.split(), *_passphrase(days, line))
            anna("again", anna.signed[0]["sha256"][:12], "again.signed")
            days.draft("object P-1 --reason wrong", code=3)
        days.close()
    desks = [days.folder / "desks", *(one.folder for one in (anna, ben))]
    shown = {path for path in nobody_opens(*desks) if path.is_file()}
    assert {path.suffix for path in shown} <= {".pub", ".card"}
    for one in (anna, ben):
        assert nobody_opens(one.folder / "trust") == set()


def _passphrase(days: Days, line: str) -> list[str]:
    needs = line.startswith(("key new", "card gina"))
    return ["--passphrase-file", str(days.folder / "pass")] if needs else []


def nobody_reads(path: Path) -> bytes:
    """As another user's model server reads a file."""
    command = ["cat", str(path)]
    return subprocess.run(
        command, user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True, check=True
    ).stdout


@as_root
def test_t1_04_a_hook_of_the_sites_own_has_its_users_umask(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it writes for others is none of our business."""
    begin(journey)
    hook = f'hook = ["/bin/sh", "-c", "umask > {journey.folder}/umask"]\n'
    with (journey.folder / "site/settings.toml").open("a") as settings:
        settings.write(f"[groups.line-1]\n{hook}")
    with umask(0o027):
        version(journey, 1)
    assert (journey.folder / "umask").read_text().strip() == "0027"


def opened(home: Path, mask: int = 0) -> None:
    """As an earlier release left a home that was made under this umask."""
    for path in everything(home):
        if not path.is_symlink() and path.parent.name != "sha256" and "models" not in path.parts:
            path.chmod((0o777 if path.is_dir() else 0o666) & ~mask)


@as_root
@pytest.mark.parametrize("mask", [0o000, 0o022], ids=oct)
def test_t1_04_an_older_home_is_closed_by_its_next_command_and_that_is_told(
    days: Days, mask: int
) -> None:
    hub, site = days.folder / "hub", days.folder / "plant-7"
    days.site("import medium", "plant-7")
    for home in (hub, site):
        opened(home, mask)
    for path in everything(site / "models"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o777 & ~mask)
    _, told, _ = said(run_hub, ["list", "--home", str(hub)], days.folder, {})
    assert told.count("could open what lies in") == 1
    assert "sealift.db" in told
    _, told, _ = said(run_site, ["--home", str(site), "status"], days.folder, {})
    assert told.count("could open what lies in") == 1
    assert "lock" in told
    assert open_to_others(hub) == []
    assert open_to_others(site, site / "models") == []
    for program, line in ((run_hub, ["list", "--home", str(hub)]), (run_site, SITE_STATUS)):
        out, told, code = said(program, line, days.folder, {"SEALIFT_SITE_HOME": str(site)})
        assert (told, code) == ("", 0), out


def test_t1_04_what_others_put_into_an_open_home_is_not_closed_for_them(tmp_path: Path) -> None:
    """A link to what is theirs, or to what everybody needs; a second name of such a file."""
    (tmp_path / "outside").mkdir()
    for name in ("file", "linked"):
        (tmp_path / "outside" / name).write_text("needed")
        (tmp_path / "outside" / name).chmod(0o644)
    (tmp_path / "outside").chmod(0o755)
    home = tmp_path / "home"
    (home / "work").mkdir(parents=True)
    (home / "to-file").symlink_to(tmp_path / "outside/file")
    (home / "to-folder").symlink_to(tmp_path / "outside")
    (home / "work/to-folder").symlink_to(tmp_path / "outside")
    os.link(tmp_path / "outside/linked", home / "second")
    (home / "sealift.db").touch()
    opened(home)
    (tmp_path / "outside/linked").chmod(0o644)
    told = file_access.close_home(home)
    assert [mode(path) for path in everything(tmp_path / "outside")] == [0o755, 0o644, 0o644]
    assert [mode(home), mode(home / "work"), mode(home / "sealift.db")] == [0o700, 0o700, 0o600]
    assert len(told) == 2
    assert "the folder itself, sealift.db, work." in told[0]
    assert f"In {home}, second is open" in told[1]
    assert "second name" in told[1]


@pytest.mark.parametrize("exchanged", ["work/file", "work"])
def test_t1_67_what_is_exchanged_for_a_link_meanwhile_is_not_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchanged: str
) -> None:
    """Whoever could write in an open home has whoever runs a command there close what they like."""
    outside, home = tmp_path / "outside", tmp_path / "home"
    for folder in (outside, home / "work"):
        folder.mkdir(parents=True)
        (folder / "file").touch()
    opened(home)
    needed = outside / "file"
    needed.chmod(0o644)
    asked, place = os.stat, home / exchanged
    done: list[str | int] = []

    def exchanging(
        path: str | int, *, dir_fd: int | None = None, follow_symlinks: bool = True
    ) -> os.stat_result:
        found = asked(path, dir_fd=dir_fd, follow_symlinks=follow_symlinks)
        if str(path).endswith("file") and not done:
            done.append(path)
            place.rename(tmp_path / "theirs")
            place.symlink_to(needed if exchanged == "work/file" else outside)
        return found

    monkeypatch.setattr(os, "stat", exchanging)
    file_access.close_home(home)
    monkeypatch.undo()
    assert (home / exchanged).is_symlink(), "it was exchanged"
    assert mode(needed) == 0o644


def test_t1_67_thousands_of_folders_stop_no_command(tmp_path: Path) -> None:
    """Made by whoever could write there; what is below a closed folder nobody gets to."""
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("a", dir_fd=here)
        inner = os.open("a", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    for path in (tmp_path, tmp_path / "a"):
        path.chmod(0o777)
    try:
        (told,) = file_access.close_home(tmp_path)
        assert mode(tmp_path / "a") == 0o700
    finally:
        subprocess.run(["rm", "-rf", tmp_path / "a"], check=True)  # Python's own goes not so deep
    assert "Closed to them" in told


@pytest.mark.parametrize("most, shown", [(0o700, ()), (0o711, ("models",))])
def test_t1_72_a_home_that_lies_elsewhere_is_closed_there(
    tmp_path: Path, most: int, shown: tuple[str, ...]
) -> None:
    """Many have it on a large disk, and a link where it is looked for."""
    there, home = tmp_path / "disk/home", tmp_path / "home"
    (there / "models").mkdir(parents=True)
    (there / "sealift.db").touch()
    opened(there)
    home.symlink_to(there)
    told = file_access.close_home(home, most=most, shown=shown)
    assert mode(there) == most
    assert mode(there / "sealift.db") == 0o600
    assert len(told) == 1
    assert f"what lies in {home}." in told[0]
    assert file_access.close_home(home, most=most, shown=shown) == ()


def refused(_descriptor: int, _mode: int) -> None:
    raise PermissionError(errno.EPERM, "Operation not permitted")


@pytest.mark.parametrize(
    "chmod, why",
    [(lambda _descriptor, _mode: None, "keeps no modes"), (refused, "Operation not permitted")],
    ids=["ignored", "refused"],
)
def test_t1_73_where_modes_are_not_kept_nothing_is_said_to_be_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chmod: Callable[[int, int], None], why: str
) -> None:
    """FAT, many shares, and a home on a read-only disk: one line, and every command works."""
    for name in ("sealift.db", "lock", "settings.toml"):
        (tmp_path / name).touch()
    opened(tmp_path)
    monkeypatch.setattr(os, "fchmod", chmod)
    (told,) = file_access.close_home(tmp_path)
    assert "Closed" not in told
    assert why in told
    assert "open to others and stay" in told


def test_t1_04_a_name_that_others_chose_is_told_in_one_line(days: Days) -> None:
    hub = days.folder / "hub"
    (hub / "\x1b[2J\nEverything is fine").touch()
    opened(hub)
    _, told, _ = said(run_hub, ["list", "--home", str(hub)], days.folder, {})
    assert "Everything is fine" in told
    assert "\nEverything" not in told
    assert "\x1b" not in told


@pytest.mark.parametrize("mask", UMASKS, ids=oct)
def test_t1_04_a_signers_keys_memory_and_drafts_are_theirs_alone(days: Days, mask: int) -> None:
    with umask(mask):
        anna, _ = days.trusting("anna", "ben")
        made = days.draft("renew team.vision")
        signed = anna.sign(made)
        shared, card = anna.shares(), days.person("gina").card()
        new_key(days.folder / "keys/x.pem", b"secret")
    memory = [anna.folder / "trust", *everything(anna.folder / "trust")]
    assert {mode(path) for path in memory if path.is_dir()} == {0o700}
    assert {mode(path) for path in memory if path.is_file()} == {0o600}
    assert {mode(path) for path in (made.file, signed, shared)} == {0o600}
    assert mode(card) == 0o644
    assert [mode(path) for path in everything(days.folder / "keys")] == [0o700, 0o600, 0o644]


def test_t1_04_an_open_memory_is_closed_and_what_else_lies_there_is_not(tmp_path: Path) -> None:
    told: list[str] = []
    for name in ("lock", "f" * 64, "notes"):
        (tmp_path / name).touch()
    opened(tmp_path)
    with Memory(tmp_path, told.append).hold():
        pass
    assert len(told) == 1
    assert mode(tmp_path) == 0o700
    assert {path.name: mode(path) for path in tmp_path.iterdir()} == {
        "lock": 0o600,
        "f" * 64: 0o600,
        "notes": 0o666,
    }


@as_root
@pytest.mark.parametrize("variable", ["SEALIFT_HOME", "SEALIFT_SITE_HOME"])
def test_t1_68_what_another_user_put_where_i_am_is_not_taken_for_my_home(
    days: Days, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """Settings of a site name programs, and what is typed at a hub is the hub's."""
    run, name, older, line = {
        "SEALIFT_HOME": (run_hub, "hub", "hub", "list"),
        "SEALIFT_SITE_HOME": (run_site, "site", "plant-7", "status"),
    }[variable]
    home = tmp_path / f"sealift-{name}"
    shutil.copytree(days.folder / older, home)
    file_access.close_home(home)
    os.chown(home, NOBODY, NOBODY)
    monkeypatch.chdir(tmp_path)
    _, told, code = said(run, [line], tmp_path, {})
    assert code == 1
    assert f"sealift-{name} belongs to another user" in told
    assert f"Name it with --home, or in {variable}" in told
    _, told, code = said(run, [line], tmp_path, {variable: str(home)})
    assert code == 0, told
    os.chown(home, os.geteuid(), -1)
    _, told, code = said(run, [line], tmp_path, {})
    assert code == 0, told
