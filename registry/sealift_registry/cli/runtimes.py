"""`sealift runtime`: other releases of ONNX Runtime, in which variants are tried."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sealift_registry.cli.group import sealift
from sealift_registry.cli.session import Session, command
from sealift_signing.drawing import drawn, plain
from sealift_signing.lists import in_columns

if TYPE_CHECKING:
    from sealift_registry.conversion.trying import Runtimes
    from sealift_registry.runtimes.availability import ReleaseState


@sealift.group()
def runtime() -> None:
    """Try variants on other releases of ONNX Runtime."""


@command(runtime, "add", example="sealift runtime add 1.17.3")
@click.argument("release", metavar="RELEASE")
@click.option(
    "--from",
    "wheelhouse",
    metavar="DIR",
    help="Install from this folder of wheels, and from nowhere else.",
)
def runtime_add(session: Session, *, release: str, wheelhouse: str | None) -> None:
    """Make an environment of a release of ONNX Runtime.

    It holds that release and a NumPy that it runs with, both pinned by their sha256 where they are
    known, and lies in your cache ($XDG_CACHE_HOME, else ~/.cache). What was cut off is made anew.
    """
    from sealift_registry.runtimes import installing
    from sealift_registry.runtimes.availability import release_of

    wanted, runtimes = release_of(release), _runtimes(session)
    if wanted == runtimes.own:
        text = f"onnxruntime {wanted} came with Sealift itself: variants are tried on it anyway."
        session.terminal.answer("runtime-add", {"release": str(wanted), "new": False}, text)
        return
    folder = None if wheelhouse is None else Path(wheelhouse)
    with session.terminal.steps(f"onnxruntime {wanted}", counted=False) as progress:
        made, new = installing.add(runtimes.where, wanted, runtimes.known, folder, progress)
    data: dict[str, Any] = {
        "release": str(wanted),
        "new": new,
        "software": dict(made.software),
        "wheels": dict(made.wheels),
        "pinned": made.pinned,
    }
    numpy = made.software.get("numpy", "")
    state = "is ready" if new else "was there already"
    lines = [f"onnxruntime {wanted} {state}, with NumPy {plain(numpy)}."]
    if not made.pinned:
        lines += ["  Nothing is known of it: no sha256 was compared. What was installed:"]
        lines += [f"    {plain(name)}  sha256 {digest}" for name, digest in made.wheels.items()]
    reason = runtimes.known.bad.get(str(wanted))
    if reason is not None:
        data["known_bad"] = reason
        lines += [f"  It is known to be bad: {drawn(reason)}"]
    session.terminal.answer("runtime-add", data, lines)


@command(runtime, "list", example="sealift runtime list")
def runtime_list(session: Session) -> None:
    """List the releases that there are, and what is known of them."""
    from sealift_registry.runtimes import availability

    runtimes = _runtimes(session)
    states = availability.states(runtimes.known, runtimes.where, runtimes.own)
    session.terminal.answer("runtime-list", _data(states), _table(states))


@command(runtime, "check", example="sealift runtime check")
def runtime_check(session: Session) -> None:
    """Start every environment, and say what can be tried.

    That is each end of the range that each hardware target promises.
    """
    from sealift_registry.conversion import hardware
    from sealift_registry.runtimes import availability

    runtimes = _runtimes(session)
    with session.terminal.steps("runtimes", counted=False) as progress:
        states, broken = availability.started(
            runtimes.known, runtimes.where, runtimes.own, progress
        )
    targets = hardware.load_all(session.root / "hardware-targets")
    promises = [
        availability.promised(one.id, partial(runtimes.promise, one), runtimes.triable)
        for one in targets.values()
    ]
    data = _data(states)
    data["promises"] = [one.data for one in promises]
    lines = [*_table(states), "", *(line for one in promises for line in one.lines)]
    session.terminal.answer("runtime-check", data, lines)
    for bad in (*broken, *(one.bad for one in promises)):
        if bad is not None:
            raise bad


def _runtimes(session: Session) -> Runtimes:
    """What is known, and what the home adds to it; no hub need be there."""
    from sealift_registry.conversion.trying import Runtimes

    return Runtimes(session.root, session.environment)


def _data(states: list[ReleaseState]) -> dict[str, Any]:
    return {
        "releases": [
            {"release": str(one.release), "state": one.state, "numpy": one.numpy}
            | ({} if one.known_bad is None else {"known_bad": one.known_bad})
            for one in states
        ]
    }


def _table(states: list[ReleaseState]) -> list[str]:
    rows = [
        (str(one.release), one.state, one.numpy, drawn(one.known_bad) if one.known_bad else "")
        for one in states
    ]
    return in_columns(("release", "state", "NumPy", "known to be bad"), rows)
