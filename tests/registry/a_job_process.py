"""The process of a job of a kind that tests need; run by them as `job_process` is by a worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

from sealift_registry.app import App
from sealift_registry.job_process import serve
from sealift_registry.jobs.steps import Made, Steps
from sealift_signing.canonical import Json
from sealift_signing.errors import FailedError, RefusedError

Arguments = Mapping[str, Any]
PATIENCE = 60.0


@dataclass(frozen=True)
class AKind:
    """As far as a process asks for it."""

    work: Callable[[App, Arguments, Steps], Made]

    def run(self, app: App, arguments: Arguments, actor: str, steps: Steps) -> Made:
        assert actor == "dora"
        return self.work(app, arguments, steps)


def note(arguments: Arguments, what: str) -> None:
    """Write down that something was done, by one write."""
    with Path(arguments["notes"]).open("a") as file:
        file.write(f"{what}\n")


def wait_for(path: str) -> None:
    until = time.monotonic() + PATIENCE
    while not Path(path).exists():
        assert time.monotonic() < until
        time.sleep(0.02)


def commit(app: App, what: str) -> Made:
    app.hub.commit_entry(app.hub.entry("intake.refused", "dora", {"what": what}))
    return {"committed": what}


def three(app: App, arguments: Arguments, steps: Steps) -> Made:
    """Three steps, in one of which it kills itself, as often as it is asked to."""

    def one(name: str) -> Made:
        note(arguments, name)
        die(arguments, name)
        return {"name": name}

    said: list[Json] = [steps.step(name, partial(one, name))["name"] for name in ("a", "b")]
    steps.step("commit", lambda: commit(app, "three"))
    (steps.folder / "there").touch()
    return {"said": said}


def die(arguments: Arguments, name: str) -> None:
    """Kill this process at `name`, the first time that it comes here."""
    mark = Path(arguments["notes"]).with_suffix(f".died-{name}")
    if arguments.get("dies") == name and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def poison(_app: App, arguments: Arguments, _steps: Steps) -> Made:
    note(arguments, "poison")
    sys.stderr.write("it is too much\n")
    sys.stderr.flush()
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def hang(_app: App, arguments: Arguments, steps: Steps) -> Made:
    """A process that has others, one of them in a session of its own, none of which would end."""
    code = "import time, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    pids = [
        subprocess.Popen([sys.executable, "-c", code], start_new_session=apart).pid
        for apart in (False, True)
    ]
    steps.progress("a model", 1, 2)
    Path(arguments["pids"]).write_text(" ".join(map(str, [os.getpid(), *pids])))
    time.sleep(600)
    return {}


def late(app: App, arguments: Arguments, _steps: Steps) -> Made:
    """A process that is slow to commit, and deaf to the end of its worker."""
    Path(arguments["pids"]).write_text(str(os.getpid()))
    wait_for(arguments["go"])
    commit(app, "late")
    return {}


def fail(_app: App, arguments: Arguments, _steps: Steps) -> Made:
    note(arguments, "fail")
    if Path(arguments["notes"]).read_text().count("fail") < arguments["times"]:
        raise FailedError("source-unreachable", "It cannot be reached.", next_step="Wait.")
    return {"times": arguments["times"]}


def refuse(_app: App, _arguments: Arguments, _steps: Steps) -> Made:
    raise RefusedError("so", "It is so.", subject="it", next_step="Do this.")


def crash(_app: App, _arguments: Arguments, _steps: Steps) -> Made:
    msg = "all is lost"
    raise ValueError(msg)


def chatter(_app: App, _arguments: Arguments, steps: Steps) -> Made:
    print('{"done": {"said": "by a library"}}')  # noqa: T201 - as a library would
    os.system("echo from a child")  # noqa: S605 - likewise
    for done in range(2000):
        steps.progress("a model", done, 2000)
    return cast("Made", {"names": sorted(os.environ)})


def rubbish(_app: App, _arguments: Arguments, _steps: Steps) -> Made:
    return cast("Made", {"half": 0.5})


def changing(_app: App, arguments: Arguments, steps: Steps) -> Made:
    """A step that is made of something else the second time, which is killed in between."""
    of = str(Path(arguments["notes"]).exists())
    note(arguments, of)
    said = steps.step("a", lambda: {"of": of}, of=of)

    def second() -> Made:
        die(arguments, "b")
        return {}

    steps.step("b", second)
    return said


def wait(_app: App, arguments: Arguments, _steps: Steps) -> Made:
    note(arguments, "begun")
    wait_for(arguments["go"])
    return {}


KINDS = {
    "three": AKind(three),
    "poison": AKind(poison),
    "hang": AKind(hang),
    "late": AKind(late),
    "fail": AKind(fail),
    "refuse": AKind(refuse),
    "crash": AKind(crash),
    "chatter": AKind(chatter),
    "rubbish": AKind(rubbish),
    "changing": AKind(changing),
    "wait": AKind(wait),
}

if __name__ == "__main__":
    serve(cast("Any", KINDS))
