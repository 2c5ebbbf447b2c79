"""`sealift gc`: what is no longer needed, told and removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sealift_registry.cli.again import again, at_home
from sealift_registry.cli.group import sealift
from sealift_registry.cli.session import Session, command, user
from sealift_signing.drawing import word
from sealift_signing.vocabulary import counted

if TYPE_CHECKING:
    from sealift_registry.gc.collecting import Amount, Found


@command(sealift, "gc", example="sealift gc --remove")
@click.option("--remove", is_flag=True, help="Remove it. [default: only say what would go]")
def gc(session: Session, *, remove: bool) -> None:
    """Say what nothing needs any more, or remove it.

    Blobs that no version, evidence, draft, job or work under way names, and those of what was
    discarded (sealift discard); rows of jobs that ended more than retention.job_days ago, of which
    the log keeps its entries; and what work that was killed left: folders, and blobs that it never
    finished.

    Nothing goes while a row is not what the log says of it, or a manifest is lost. It may run
    beside everything else, and may be stopped at any time.
    """
    from sealift_registry.gc.collecting import collect, look

    hub = session.app.hub
    with session.terminal.phases() as begin_phase:
        found = collect(hub, user(), begin_phase) if remove else look(hub, begin_phase)
    days = hub.home.settings.retention.job_days
    session.terminal.answer("gc", _data(found, done=remove), _lines(found, days, done=remove))


def _data(found: Found, *, done: bool) -> dict[str, Any]:
    return {
        "done": done,
        "where": found.where,
        **(found.removed if done else found.unnamed).said(),
        "discarded": (found.removed_discarded if done else found.discarded).said(),
        "jobs": found.jobs,
        "folders": found.folders,
        "unfinished": found.unfinished,
        "kept": [{"why": why, **one.said()} for why, one in found.kept.items()],
        "locked": {**found.locked.said(), "until": found.locked_until or None},
        "needs_versions": found.needs_versions,
    }


def _lines(found: Found, days: int, *, done: bool) -> list[str]:
    gone = _gone(found, days, done=done)
    lines = (
        ["Removed:" if done else "This would go:", *gone]
        if gone
        else ["There is nothing to remove."]
    )
    if found.kept:
        lines += ["", f"This stays in {word(found.where)}:", *_kept(found)]
    if found.locked.blobs:
        lines += ["", _locked(found)]
    if found.needs_versions:
        lines += [
            "",
            "The bucket keeps no versions, and other hosts put blobs there as well:",
            "nothing can be removed before it does.",
            again("  Have it keep them:  sealift blobs init"),
        ]
    elif gone and not done:
        lines += ["", "Nothing was removed. To remove it:  sealift gc --remove" + at_home()]
    return lines


def _gone(found: Found, days: int, *, done: bool) -> list[str]:
    lines = list[str]()
    blobs = found.removed if done else found.unnamed
    if blobs.blobs:
        lines.append(f"  {_size(blobs)}: named by nothing")
    blobs = found.removed_discarded if done else found.discarded
    if blobs.blobs:
        lines.append(f"  {_size(blobs)}: files of what was discarded")
    if found.jobs:
        lines.append(f"  {counted(found.jobs, 'job')}: ended more than {counted(days, 'day')} ago")
    if found.unfinished:
        lines.append(f"  {counted(found.unfinished, 'unfinished blob')}: of work that was killed")
    if found.folders:
        lines.append(f"  {counted(found.folders, 'folder')}: of work that was killed")
    return lines


def _kept(found: Found) -> list[str]:
    from sealift_registry.gc.marking import WORDS

    order = list(WORDS)
    kept = sorted(found.kept.items(), key=lambda one: order.index(one[0]))
    return [f"  {_size(one)}: {WORDS[why]}" for why, one in kept]


def _locked(found: Found) -> str:
    from sealift_registry.storage.blob_removal import FOR_EVER

    for_ever = found.locked_until == FOR_EVER
    until = "somebody lifts it" if for_ever else f"{found.locked_until[:10]}"
    return (
        f"Nothing needs {_size(found.locked)}, which the bucket's object lock keeps until {until}."
    )


def _size(one: Amount) -> str:
    from sealift_sync.pace import megabytes

    return f"{counted(one.blobs, 'blob')}, {megabytes(one.size)}"
