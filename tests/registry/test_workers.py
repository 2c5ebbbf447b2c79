"""The runner: whatever a worker does, the answer is an answer or an error."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from sealift_registry.workers import runner, tight_limits
from sealift_registry.workers.channel import Document, Progress
from sealift_registry.workers.runner import Worker, WorkerLimits
from sealift_signing.errors import FailedError, NotFoundError, RefusedError
from tests.forked_workers import fresh_workers

MIB = 1024**2


@pytest.fixture(params=["fresh", "forked"])
def worker(request: pytest.FixtureRequest) -> Iterator[Worker]:
    """A worker whose module is tests/registry/a_worker.py, found by its own path."""
    root = Path(__file__).parents[2]
    found = Worker(
        module="tests.registry.a_worker",
        name="the worker",
        limits=WorkerLimits(seconds=20, memory_bytes=512 * MIB, file_bytes=MIB, answer_bytes=MIB),
        given={"PYTHONPATH": str(root)},
    )
    with fresh_workers() if request.param == "fresh" else nullcontext():
        yield found


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path)


def ask(
    worker: Worker,
    verb: str,
    request: Document,
    progress: Progress = lambda _subject, _done, _total: None,
) -> Document:
    """A home may be given relative to the current folder, and so may what lies in it."""
    return runner.ask(worker, verb, request, progress, work=Path("work"))


def quick(worker: Worker, **limits: float) -> Worker:
    return Worker(worker.module, worker.name, WorkerLimits(**limits), given=worker.given)  # type: ignore[arg-type]


def failure(worker: Worker, verb: str) -> FailedError:
    with pytest.raises(FailedError) as caught:
        ask(worker, verb, {})
    return caught.value


def test_an_answer_and_progress(worker: Worker) -> None:
    told: list[tuple[str, int, int]] = []
    answer = ask(worker, "echo", {"number": 0.5}, lambda *said: told.append(said))
    assert answer == {"said": {"number": 0.5}}
    assert told == [("half", 1, 2)]


def test_what_libraries_print_is_no_answer(worker: Worker) -> None:
    assert ask(worker, "chatty", {}) == {"done": True}


@pytest.mark.parametrize("verb, kind", [("refuse", RefusedError), ("miss", NotFoundError)])
def test_errors_cross_the_pipe(worker: Worker, verb: str, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        ask(worker, verb, {})
    assert type(caught.value) is kind
    assert str(caught.value) == "It is so. Do this."


def test_a_quoted_file_cannot_rewrite_the_terminal(worker: Worker) -> None:
    with pytest.raises(RefusedError) as caught:
        ask(worker, "escape", {})
    assert "\x1b" not in str(caught.value)


def test_t1_54_what_is_cut_within_marks_is_closed(worker: Worker) -> None:
    with pytest.raises(RefusedError) as caught:
        ask(worker, "quote", {})
    assert caught.value.what == f"It says “{'x ' * 2000}” here."
    assert caught.value.next_step.endswith("…” (cut: it is longer than 8,192 characters)")


def test_a_crash_is_told_with_its_last_words(worker: Worker) -> None:
    error = failure(worker, "crash")
    assert error.code == "worker-crashed"
    assert "ended with status 1" in error.what
    assert "Its last words were: “ValueError: all is lost”" in error.what


def test_a_missing_package_is_named(worker: Worker) -> None:
    error = failure(worker, "incomplete")
    assert error.code == "worker-missing-package"
    assert "no_such_package" in error.what
    assert "pip install" in error.next_step


def test_a_segmentation_fault_is_told(worker: Worker) -> None:
    assert "killed by signal 11" in failure(worker, "segfault").what


@pytest.mark.parametrize("verb", ["rubbish", "half", "wrong", "list", "nothing"])
def test_rubbish_is_no_answer(worker: Worker, verb: str) -> None:
    assert failure(worker, verb).code in {"worker-rubbish", "worker-crashed"}


def test_too_long_an_answer_is_no_answer(worker: Worker) -> None:
    assert failure(worker, "endless").code == "worker-rubbish"


def test_time_is_limited_and_the_whole_group_ends(worker: Worker, tmp_path: Path) -> None:
    mark = tmp_path / "child"
    started = time.monotonic()
    with pytest.raises(FailedError) as caught:
        ask(quick(worker, seconds=2), "hang", {"mark": str(mark)})
    assert caught.value.code == "worker-timeout"
    assert time.monotonic() - started < 10
    assert not _runs(int(mark.read_text()))


def _runs(process: int) -> bool:
    """Whether the process still runs a moment from now."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0]
        except OSError:
            return False
        if state == "Z":
            return False
        time.sleep(0.05)
    return True


def test_an_interruption_ends_the_worker_too(worker: Worker, tmp_path: Path) -> None:
    mark = tmp_path / "child"

    def interrupt(*_said: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask(worker, "hang", {"mark": str(mark)}, interrupt)
    assert not _runs(int(mark.read_text()))


def test_an_answer_is_enough_even_if_a_child_keeps_the_pipe(worker: Worker) -> None:
    started = time.monotonic()
    assert ask(worker, "linger", {}) == {"done": True}
    assert time.monotonic() - started < 15


def test_memory_is_limited(worker: Worker) -> None:
    assert failure(worker, "hungry").code == "worker-memory"


def test_processor_time_is_limited(worker: Worker) -> None:
    error = failure(quick(worker, cpu_seconds=1, seconds=20), "spin")
    assert "processor time" in error.what or "killed by signal 9" in error.what


def test_what_is_short_has_little_time_and_memory_and_what_follows_has_more(worker: Worker) -> None:
    assert failure(worker, "brief_hungry").code == "worker-memory"
    error = failure(quick(worker, cpu_seconds=60, seconds=30), "brief_slow")
    assert "processor time" in error.what
    assert ask(worker, "brief_done", {}) == {"done": 100 * 1024**2}


def test_memory_is_limited_also_where_nobody_says_how_much_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as on macOS, which has no /proc."""
    monkeypatch.setattr(tight_limits, "_STATM", tmp_path / "none")
    assert tight_limits._allocated() == 0


def test_files_are_limited(worker: Worker) -> None:
    assert "File too large" in failure(worker, "write").what


def test_no_secret_is_inherited(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEALIFT_PASSPHRASE_ALICE", "secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "secret")
    seen = ask(worker, "environment", {})["names"]
    assert not [name for name in seen if "SEALIFT" in name or "AWS" in name or "TOKEN" in name]
    assert {"MLFLOW_DISABLE_TELEMETRY", "DVC_NO_ANALYTICS", "DO_NOT_TRACK"} <= set(seen)
    assert {"HF_HUB_OFFLINE", "TMPDIR", "HOME"} <= set(seen)


@pytest.mark.parametrize("verb", ["leak", "leak_and_crash"])
def test_no_secret_comes_back(worker: Worker, verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither one that it was given, nor one in an address that a library quotes."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret-of-tests")
    with pytest.raises((RefusedError, FailedError)) as caught:
        ask(replace(worker, carry=("AWS_SECRET_ACCESS_KEY",)), verb, {})
    error = caught.value
    assert "no answer from https://host/x with ***" in error.what
    for secret in ("hunter2", "abcdef", "a-secret-of-tests"):
        assert secret not in f"{error.what} {error.subject} {error.next_step}"


def test_the_work_folder_is_gone_afterwards(worker: Worker) -> None:
    folder = Path(ask(worker, "where", {})["folder"])
    assert folder.parent == Path("work").absolute()
    assert not folder.exists()


ASKER = """
import sys
from pathlib import Path
from sealift_registry.workers.runner import Worker, ask
worker = Worker("tests.registry.a_worker", "the worker", given={"PYTHONPATH": sys.argv[1]})
ask(worker, "hang", {"mark": sys.argv[2]}, lambda *_: print("begun", flush=True), work=Path("work"))
"""


def test_a_worker_ends_with_the_process_that_asked(tmp_path: Path) -> None:
    """Killed, it cannot end its worker itself, which would go on in a folder that is swept."""
    mark = tmp_path / "child"
    root = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", ASKER, root, str(mark)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        process.kill()
    assert not _runs(int(mark.read_text()))


def test_an_interpreter_that_is_not_there(worker: Worker) -> None:
    absent = Worker(worker.module, worker.name, interpreter="/nonexistent/python")
    with pytest.raises(FailedError) as caught:
        ask(absent, "echo", {})
    assert caught.value.code == "worker-not-started"


def test_a_long_request_does_not_block(worker: Worker) -> None:
    text = "x" * 900_000
    assert ask(worker, "echo", {"text": text})["said"]["text"] == text


def test_nothing_is_left_open(worker: Worker) -> None:
    ask(worker, "echo", {})  # what forks workers stays
    ours = Path("/dev/fd")  # on Linux a link to /proc/self/fd
    before = len(list(ours.iterdir()))
    ask(worker, "echo", {})
    assert len(list(ours.iterdir())) == before


def test_what_a_worker_has_no_use_of_is_not_found(worker: Worker) -> None:
    assert ask(worker, "find", {"package": "wave"}) == {"found": True}
    without = replace(worker, absent=("wave",))
    assert ask(without, "find", {"package": "wave"}) == {"found": False}
