"""What `return`, `init` and Ctrl-C leave when they are cut; tests/interruptions kills the rest."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sealift_signing.command_start import ABORTED
from sealift_signing.errors import FailedError, NotFoundError
from sealift_sync import durable, stream
from sealift_sync.bundle.returned import Returned, find_returns, read_return
from sealift_sync.cli import showing
from sealift_sync.cli.calling import Call
from sealift_sync.cli.run import run
from sealift_sync.site.importing import importer
from sealift_sync.site.reports.homebound import write_home
from sealift_sync.site.setup import initialising
from sealift_sync.site.setup.initialising import begin_enrolment
from tests.hub_on_paper import GROUPS, SITE, HubOnPaper
from tests.site_on_paper import SiteOnPaper, as_told


class PowerCutError(BaseException):
    """Nothing in the product may catch this: it stands for a process that is gone."""


class CutAt:
    """Lets the first `after` calls of a function pass, and ends the process at the next."""

    def __init__(self, patched: pytest.MonkeyPatch, where: object, name: str, after: int) -> None:
        self._genuine: Callable[..., object] = getattr(where, name)
        self._left = after
        # A function, unlike a bound method, is given `self` where it stands in for one.
        patched.setattr(where, name, lambda *given, **named: self._call(*given, **named))  # noqa: PLW0108

    def _call(self, *given: object, **named: object) -> object:
        if not self._left:
            raise PowerCutError
        self._left -= 1
        return self._genuine(*given, **named)


@pytest.fixture
def travelled(hub: HubOnPaper, site: SiteOnPaper, medium: Path) -> SiteOnPaper:
    hub.assign(hub.promote(1))
    site.take(hub.export(medium))
    hub.assign(hub.promote(2))
    site.take(hub.export(medium))
    return site


def go_home(site: SiteOnPaper, medium: Path, *, everything: bool = False) -> None:
    with site.opened() as opened:
        write_home(opened, medium, everything=everything)


def came_home(medium: Path) -> Returned:
    ((folder, *_),) = find_returns(medium)
    return read_return(folder)


def hidden(medium: Path) -> list[str]:
    return [path.name for path in medium.rglob("*") if path.name.endswith(durable.PARTIAL)]


@pytest.mark.parametrize("after", range(4))
def test_a_return_that_was_cut_before_it_was_whole_is_none(
    travelled: SiteOnPaper, medium: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", lambda *_, **__: None)  # nobody is there to tidy up
        CutAt(patched, durable, "write", after)
        with pytest.raises(PowerCutError):
            go_home(travelled, medium)
    with pytest.raises(NotFoundError):
        find_returns(medium)
    assert hidden(medium)
    go_home(travelled, medium)
    assert came_home(medium).size == 5
    assert hidden(medium) == []


def test_a_return_that_is_there_is_whole_at_every_moment_of_the_next(
    travelled: SiteOnPaper, medium: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same log written again, with all of it and without: the old return or the new one."""
    go_home(travelled, medium)
    cut = 0
    for everything in (True, False):
        for after in range(40):
            with monkeypatch.context() as patched:
                CutAt(patched, durable, "flush_folder", after)
                try:
                    go_home(travelled, medium, everything=everything)
                except PowerCutError:
                    cut += 1
                else:
                    break
            found = came_home(medium)
            assert found.size == 5
            assert "plant-7-000002" in found.receipts
    assert cut > 10
    assert hidden(medium) == []


def test_a_damaged_return_is_written_anew_and_strange_files_in_it_are_gone(
    travelled: SiteOnPaper, medium: Path
) -> None:
    go_home(travelled, medium)
    folder = find_returns(medium)[0][0].folder
    (folder / "log/extract.json").write_bytes(b"{")
    (folder / "receipts/plant-7-000001.json").unlink()
    (folder / "receipts/plant-7-000009.json").write_bytes(b"{}")
    (folder / "receipts/deep/er").mkdir(parents=True)
    (folder / "autorun.exe").write_bytes(b"MZ")
    go_home(travelled, medium)
    assert sorted(came_home(medium).receipts) == ["plant-7-000001", "plant-7-000002"]
    assert sorted(path.name for path in folder.iterdir()) == ["log", "receipts"]
    assert len(list((folder / "receipts").iterdir())) == 2


def test_folders_too_deep_to_remove_are_a_sentence(
    travelled: SiteOnPaper, medium: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python removes folders by recursion, and whoever prepares a medium may nest thousands."""
    (medium / "sealift/returns/plant-7/.9.partial/deep").mkdir(parents=True)

    def too_deep(_folder: Path) -> None:
        raise RecursionError

    monkeypatch.setattr("shutil.rmtree", too_deep)
    with pytest.raises(FailedError, match=r"the folders in \.9\.partial are too deep"):
        go_home(travelled, medium)


@pytest.mark.parametrize("point", range(9))
def test_an_init_that_was_cut_is_made_good_by_the_same_again(
    hub: HubOnPaper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: int
) -> None:
    """Between every two files that it makes: a key that is there is whole, and opens."""
    home = tmp_path / "new"
    clock = SiteOnPaper(home, hub.now).clock
    with monkeypatch.context() as patched:
        CutAt(patched, Path, "replace", point)
        try:
            begin_enrolment(home, {}, SITE, GROUPS, clock)
        except PowerCutError:
            assert point < 5
        else:
            assert point >= 3
    if (home / "keys/site.pem").exists():
        assert (home / "keys/site.pem.pub").exists()
    site = SiteOnPaper(home, hub.now)
    site.enrol(hub)
    assert [entry.type for entry in site.entries()] == ["site.enrolled"]
    assert hidden(home) == []


def test_an_enrolment_that_was_cut_before_its_commit_is_made_good_by_the_same_answer(
    hub: HubOnPaper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = SiteOnPaper(tmp_path / "new", hub.now)
    answer = hub.answer(begin_enrolment(site.root, {}, SITE, GROUPS, site.clock))
    with monkeypatch.context() as patched:
        CutAt(patched, initialising, "new_entry", 0)
        with pytest.raises(PowerCutError):
            initialising.finish_enrolment(site.root, {}, answer, site.clock, as_told)
    for _ in range(2):
        initialising.finish_enrolment(site.root, {}, answer, site.clock, as_told)
    assert [entry.type for entry in site.entries()] == ["site.enrolled"]


def test_what_a_killed_command_left_is_gone_with_the_next_one(travelled: SiteOnPaper) -> None:
    left = [
        "quarantine/metadata/1.root.json",
        "store/incoming/0123.partial",
        "models/cpu/vision/digits/1-aa.partial/model.onnx",
        "models/cpu/vision/digits/link.partial",
    ]
    for name in left:
        (travelled.root / name).parent.mkdir(parents=True, exist_ok=True)
        (travelled.root / name).write_bytes(b"half")
    (travelled.root / "models/cpu/vision/digits/1-aa.partial").chmod(0o555)
    with Call(travelled.root, {}, travelled.clock).site("status"):
        pass
    assert hidden(travelled.root) == []
    assert not (travelled.root / "quarantine").exists()


def stop(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def interrupted(
    capsys: pytest.CaptureFixture[str], site: SiteOnPaper, *arguments: str | Path
) -> str:
    capsys.readouterr()
    assert run(["--home", str(site.root), *map(str, arguments)]) == ABORTED
    return capsys.readouterr().err.strip()


@pytest.fixture
def now(hub: HubOnPaper, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands take the time from the machine; these bundles are of the tests' own day."""
    monkeypatch.setattr(
        "sealift_sync.site.setup.open_site.OpenSite.trusted_time", lambda _: hub.now
    )


def test_ctrl_c_says_what_was_kept(
    hub: HubOnPaper,
    site: SiteOnPaper,
    medium: Path,
    now: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    hub.assign(hub.promote(1))
    folder = hub.export(medium)
    again = "Run the command again."
    with monkeypatch.context() as patched:
        patched.setattr(importer, "accept", stop)
        said = interrupted(capsys, site, "import", folder)
        assert said == f"Stopped. Nothing was changed. {again}"
    with monkeypatch.context() as patched:
        patched.setattr(importer, "commit", stop)
        said = interrupted(capsys, site, "import", folder)
    assert "Stopped. Kept for the next import: 3 files, " in said
    assert said.endswith(f" bytes. {again}")
    with monkeypatch.context() as patched:
        patched.setattr(importer, "activate", stop)
        said = interrupted(capsys, site, "import", folder)
    assert (
        said.splitlines()[-1]
        == f"Stopped. plant-7-000001 is imported; not all of it may run yet. {again}"
    )
    assert run(["--home", str(site.root), "import", str(folder)]) == 0
    assert site.running()


def test_ctrl_c_after_the_work_and_before_its_answer_does_not_deny_it(
    hub: HubOnPaper,
    site: SiteOnPaper,
    medium: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = hub.promote(1)
    hub.assign(hub.promote(2), first)
    site.take(hub.export(medium))
    monkeypatch.setattr(showing, "activation", stop)
    said = interrupted(capsys, site, "rollback", "vision/digits", "--reason", "x")
    assert said == "Stopped. It was done: see sealift-site audit list. Run the command again."


def test_ctrl_c_before_the_command_is_even_loaded_shows_no_stack_trace() -> None:
    """In a process of its own: what is imported once stays imported."""
    early = (
        "import builtins, signal; genuine = builtins.__import__\n"
        "def load(name, *rest, **named):\n"
        "    if name == 'sealift_sync.cli.run': signal.raise_signal(signal.SIGINT)\n"
        "    return genuine(name, *rest, **named)\n"
        "from sealift_sync.cli import main; builtins.__import__ = load; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", early], capture_output=True, text=True, check=False
    )
    assert done.returncode == ABORTED
    assert done.stderr == "Stopped. Nothing was changed. Run the command again.\n"


def test_ctrl_c_in_a_copy_leaves_no_temporary_name(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.assign(hub.promote(1))
    folder = hub.export(medium)
    with monkeypatch.context() as patched:
        patched.setattr(stream, "copy_hashed", stop)
        with pytest.raises(KeyboardInterrupt):
            site.take(folder)
    assert hidden(site.root) == []
    assert not (site.root / "quarantine").exists()


def test_ctrl_c_in_a_health_check_ends_it_and_switches_back(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.assign(hub.promote(1))
    site.take(hub.export(medium))
    hub.assign(hub.promote(2))
    folder = hub.export(medium)
    with monkeypatch.context() as patched:
        patched.setattr("sealift_sync.site.running.activation._run", stop)
        with pytest.raises(KeyboardInterrupt):
            site.take(folder)
    assert site.running() == b"the weights of catalog/vision/digits/1/cpu-x86_64"
    assert site.take(folder).activations[0].outcome == "activated"


def test_a_medium_that_is_full_keeps_the_return_that_is_there(
    travelled: SiteOnPaper, medium: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_home(travelled, medium)

    def full(path: Path, *_: object, **__: object) -> None:
        raise durable.unwritable(path, OSError(28, "No space left on device"))

    with monkeypatch.context() as patched:
        patched.setattr(durable, "write", full)
        (find_returns(medium)[0][0].folder / "log/site.checkpoint").unlink()
        with pytest.raises(FailedError, match="No space left"):
            go_home(travelled, medium)
    assert came_home(medium).size == 5
