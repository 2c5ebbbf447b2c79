"""An export as a job: bound to its host, with no key, gone on with and never begun anew."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from sealift_registry.app import App
from sealift_registry.delivery.exports import Exports
from sealift_registry.jobs import dbos_watching, records
from sealift_registry.jobs.dbos_watching import Watched
from sealift_registry.jobs.engine import Worker
from sealift_registry.jobs.job import Job
from sealift_registry.jobs.plain import PlainSteps
from sealift_registry.jobs.steps import Made
from sealift_registry.kinds import KINDS, ExportArguments, export_wanted
from sealift_registry.shown.exported import exported_lines
from sealift_registry.storage.host import this_host
from sealift_signing import canonical, drafts
from sealift_signing.errors import FailedError, NotFoundError, UsageError
from tests.registry.hub_fixture import SITE, Acme, Loose, quiet
from tests.registry.test_hub_cli import Capsys, Cli


class Killed(BaseException):
    """As if by kill -9: nothing that the code would do after it is done."""


@pytest.fixture
def asked(ready: Acme) -> ExportArguments:
    return ExportArguments(
        SITE, str(ready.medium), str(ready.folder), full=False, any_software=False, anew=False
    )


def job_of(acme: Acme, asked: ExportArguments) -> Job:
    return records.ask(acme.app.hub, export_wanted(acme.app, asked), "dora")


def attempt(acme: Acme, job: Job, folder: Path) -> Made:
    """What one attempt at the job answers."""
    begun = records.begin(acme.app.hub, job.number, "w", this_host(acme.root))
    app, order = App(records.at_work(acme.app.hub, begun)), job.order
    steps = PlainSteps(folder, quiet, keeps=True)
    made = KINDS[order.kind].run(app, order.arguments, order.asked_by, steps)
    canonical.encode(made)  # as an end keeps it
    return made


def test_g3_70_it_waits_for_the_host_that_has_the_medium(
    ready: Acme, asked: ExportArguments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ready.medium)
    order = job_of(ready, replace(asked, medium=".", draft=".")).order
    assert (order.kind, order.queue, order.host) == ("export", "hub", this_host(ready.root).id)
    assert order.arguments["medium"] == order.arguments["draft"] == str(ready.medium)


def test_g3_70_what_is_wrong_by_now_is_said_when_it_is_asked_for(
    ready: Acme, asked: ExportArguments
) -> None:
    with pytest.raises(NotFoundError):
        export_wanted(ready.app, replace(asked, site="nowhere"))
    with pytest.raises((NotFoundError, FailedError)):
        export_wanted(ready.app, replace(asked, medium="/not/there"))
    (ready.folder / "mine").write_text("not a draft")
    with pytest.raises(UsageError, match="exists already"):
        export_wanted(ready.app, replace(asked, draft=str(ready.folder / "mine")))


@pytest.mark.parametrize("anew", [False, True])
def test_g3_71_an_attempt_after_one_that_was_killed_answers_the_same(
    ready: Acme,
    asked: ExportArguments,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    *,
    anew: bool,
) -> None:
    job, method = job_of(ready, replace(asked, anew=anew)), Exports._write_unsigned

    def stop(*given: Loose) -> None:
        method(*given)
        raise Killed

    with monkeypatch.context() as patched, suppress(Killed):
        patched.setattr(Exports, "_write_unsigned", stop)
        attempt(ready, job, tmp_path)
        pytest.fail("it was not killed")
    said: Loose = attempt(ready, job, tmp_path)
    assert ready.types().count("transfer.begun") == 1
    assert (said["act"], said["warnings"], said["bundle"]["warnings"]) == ("transfer", [], [])
    draft = Path(said["draft"])
    assert drafts.read(draft.read_bytes(), what="").object[0] == said["bundle"]["transfer"]
    words = "\n".join(exported_lines(said))
    assert said["sign"] in words
    assert f"sealift submit FILE --medium {ready.medium}" in words


def test_g3_72_no_job_has_a_key(ready: Acme, capsys: Capsys) -> None:
    cli = Cli(ready, capsys)
    for given in (("--key", "k.pem"), ("--at-hub",), ("--plan",)):
        code, _, said = cli("export", SITE, "--to", ready.medium, "--detach", *given)
        assert code == 2, said
        assert "Next:" in said or "next" in said.lower()
    with ready.app.hub.reading() as connection:
        assert records.waiting(connection) == []


def test_g3_72_a_job_is_asked_for_and_named(ready: Acme, capsys: Capsys) -> None:
    cli = Cli(ready, capsys)
    code, out, _ = cli("export", SITE, "--to", ready.medium, "--detach", "--priority", "2")
    assert code == 0
    assert "J-000001 waits in queue hub, for a worker on " in out
    assert "sealift job watch J-000001" in out
    assert " takes it. Start one there:  sealift worker --queue hub\n" in out
    with ready.app.hub.reading() as connection:
        (job,) = records.waiting(connection)
    assert job.order.priority == 2
    assert cli("export", SITE, "--to", ready.medium, "--priority", "2")[0] == 2


def test_g3_73_who_asks_is_told_that_no_worker_would_do_it(
    ready: Acme, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli = Cli(ready, capsys)
    asked = ("convert", "vision/tiny/1", "--for", "cpu-x86_64", "--detach")
    said = "No worker takes from its queue. Start one:  sealift worker --queue cpu-x86_64"
    assert said in cli(*asked)[1]
    for queues, told in ((("hub",), True), (("cpu-x86_64",), False)):
        one = Worker("w", "0" * 32, "there", queues, "1", "", is_alive=True)
        seen = Watched({"w": one})
        monkeypatch.setattr(dbos_watching, "watched", lambda _hub, seen=seen: seen)
        assert (said in cli(*asked)[1]) == told


def test_g3_72_each_hardware_target_is_a_job(ready: Acme, capsys: Capsys) -> None:
    cli = Cli(ready, capsys)
    targets = ("--for", "cpu-x86_64", "--for", "cpu-aarch64")
    code, out, _ = cli("convert", "vision/tiny/1", *targets, "--detach", "--json")
    assert code == 0, out
    with ready.app.hub.reading() as connection:
        queues = [one.order.queue for one in records.waiting(connection)]
    assert queues == ["cpu-x86_64", "cpu-aarch64"]
