"""`sealift discard`: what somebody says may go, so that `sealift gc` removes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sealift_registry.cli.group import sealift
from sealift_registry.cli.session import Session, command, user
from sealift_signing.drawing import word
from sealift_signing.errors import UsageError
from sealift_signing.vocabulary import counted

if TYPE_CHECKING:
    from sealift_registry.gc.discarding import Consequence


@command(
    sealift,
    "discard",
    example="sealift discard vision/digits/2 --reason 'superseded by 3, and nobody ran it'",
)
@click.argument("what", metavar="TEAM/MODEL/VERSION[/FORM]")
@click.option("--reason", metavar="WORDS", default="", help="Why, for whoever reads the log.")
@click.option("--plan", "planned", is_flag=True, help="Say what it would mean, and do nothing.")
@click.option("--yes", is_flag=True, help="Do not ask again.")
def discard(session: Session, *, what: str, reason: str, planned: bool, yes: bool) -> None:
    """Say that the files of a version may go, or of one form of it.

    FORM is a hardware target, or `source`. From then on nothing needs these files, and
    `sealift gc --remove` removes those of which nothing else consists. Rows, manifests, evidence
    and the log stay. Refused while a site has it, runs it, or is to get it; while a promotion of it
    is open; and while it is what is listed for a stage.

    Whoever ingests the version again, or converts it again, has it back.
    """
    from sealift_registry.gc import discarding

    if not planned:
        discarding.check_reason(reason)
    hub = session.app.hub
    found = discarding.consequence(hub, what)
    lines = _lines(found)
    if planned or not found.forms:
        session.terminal.answer("discard", _data(found, done=False), lines)
        return
    session.terminal.note((*lines, ""))
    if not (yes or session.terminal.ask("Discard it?")):
        raise UsageError(
            "nothing-discarded",
            "Nothing was discarded.",
            subject=str(found.version),
            next_step="Answer yes, or give --yes where nobody can be asked; --plan says what it "
            "would mean.",
        )
    done = discarding.discard(hub, what, user(), reason)
    told = "is discarded" if len(found.forms) == 1 else "are discarded"
    session.terminal.answer(
        "discard",
        _data(found, done=done),
        [
            f"{', '.join(map(str, found.forms))} {told}.",
            "Next, to have the space:  sealift gc --remove",
        ],
    )


def _data(found: Consequence, *, done: bool) -> dict[str, Any]:
    return {
        "version": str(found.version),
        "forms": [str(one) for one in found.forms],
        "discarded_before": [str(one.path) for one in found.before],
        **found.files.said(),
        "done": done,
    }


def _lines(found: Consequence) -> list[str]:
    lines = [one.words for one in found.before]
    if not found.forms:
        return [*lines, "So there is nothing to discard."]
    if lines:
        lines.append("")
    forms = (f"  {one}" for one in found.forms)
    return [*lines, "This would be discarded:", *forms, *_means(found)]


def _means(found: Consequence) -> list[str]:
    from sealift_sync.pace import megabytes

    ref, size = found.version, megabytes(found.files.size)
    gone = f"{counted(found.files.blobs, 'blob')}, {size} would go with the next gc; what others "
    gone += "consist of as well stays."
    if not found.files.blobs:
        gone = "No blob would go: others consist of all of them as well."
    lines = ["", gone]
    if any(not one.is_source for one in found.forms):
        lines.append(
            "A variant can then not be promoted, assigned, exported or compared, until it is "
            "converted again."
        )
    if found.of_source:
        lines.append(
            f"No variant of {ref} can then be built, measured or mended, until it is ingested "
            f"again from where it came ({found.kind}: {word(found.locator)})."
        )
    if found.left:
        lines.append(f"These stay: {', '.join(map(str, found.left))}.")
    return [*lines, "Its rows, evidence, goldens and manifests stay, and the log."]
