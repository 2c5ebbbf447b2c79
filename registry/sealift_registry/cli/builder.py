"""`sealift builder`: building variants on a machine that has no hub."""

from __future__ import annotations

import os
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sealift_registry.cli.cards import read_cards
from sealift_registry.cli.group import sealift
from sealift_registry.cli.session import Session, command
from sealift_registry.cli.signing import Signing, carry_out, set_aside_versions, signing_options
from sealift_signing.drawing import drawn, pasted, word
from sealift_signing.errors import FailedError, SealiftError
from sealift_signing.vocabulary import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sealift_registry.builder_desk import Desk, Happened
    from sealift_registry.builder_file import BuilderFile
    from sealift_registry.conversion.work_order import WorkOrder
    from sealift_registry.storage.builder_database import BuilderDatabase

settings_option = click.option(
    "--settings",
    "file",
    metavar="FILE",
    required=True,
    help="The builder's settings, in TOML.",
)


@sealift.group()
def builder() -> None:
    """Build variants on this machine for a hub elsewhere."""


@command(builder, "keys", example="sealift builder keys --settings builder.toml")
@settings_option
def builder_keys(session: Session, *, file: str) -> None:
    """Make this builder's two keys and their cards; show them again.

    A fleet administrator enters them by the cards: sealift builder add. The keys stay here: what
    this machine signs with them is the evidence that people go by.
    """
    from sealift_registry import builder_file, builder_keys

    said = builder_file.read(Path(file))
    cards = builder_keys.cards(said.name, said.keys, os.environ, session.now())
    data = [
        {"owner": one.owner, "key": one.key, "file": str(one.file), "words": one.words}
        for one in cards
    ]
    lines = [f"The keys of the builder {word(said.name)} are in {said.keys}; their cards, beside:"]
    for one in cards:
        lines += [f"  {one.file}", f"    {one.key}", f"    {one.words}"]
    files = pasted([str(one.file) for one in cards])
    lines += ["Read the words out when you are asked. Next, by a fleet administrator at the hub:"]
    lines += [f"  sealift builder add {files}"]
    session.terminal.answer("builder-keys", {"name": said.name, "cards": data}, lines)


@command(
    builder, "add", example="sealift builder add shop-2.card shop-2-scanner.card", at_server=True
)
@click.argument("card", metavar="CARD")
@click.argument("scanner", metavar="SCANNER-CARD")
@signing_options("With --at-hub or --server: a fleet administrator's key.")
def builder_add(session: Session, *, card: str, scanner: str, how: Signing) -> None:
    """Let a machine build; signed by a fleet administrator.

    The cards are those of its two keys, which `sealift builder keys` makes there. What it builds
    and vouches for counts as what the hub does itself.
    """
    from sealift_registry.wanting import Asked
    from sealift_signing.acts.material import Ask

    cards = read_cards([card, scanner])
    name = cards[0][0]
    both = tuple(data for _, data in cards)
    asked = Asked(Ask("add-builder", (name,)), both, set_aside_versions(how.over))
    done = carry_out(session, asked, how, [card, scanner])
    if done is not None:
        words = (*done.lines, f"The builder {word(name)} may build now.")
        session.terminal.answer("builder-add", {**done.data, "builder": name}, words)


@command(
    builder, "remove", example="sealift builder remove shop-2 --status compromised", at_server=True
)
@click.argument("name", metavar="BUILDER")
@click.option(
    "--status",
    type=click.Choice(["retired", "compromised"]),
    default="retired",
    show_default=True,
    help="What its keys are; what compromised ones signed never counts again.",
)
@signing_options("With --at-hub or --server: a fleet administrator's key.")
def builder_remove(session: Session, *, name: str, status: str, how: Signing) -> None:
    """Take nothing more from a machine; signed by a fleet administrator."""
    from sealift_registry.wanting import Asked
    from sealift_signing.acts.material import Ask

    details = {} if status == "retired" else {"status": (status,)}
    ask = Ask("remove-builder", (name,), details)
    done = carry_out(session, Asked(ask, aside=set_aside_versions(how.over)), how)
    if done is not None:
        words = (*done.lines, f"Nothing more is taken from the builder {word(name)}.")
        session.terminal.answer("builder-remove", {**done.data, "builder": name}, words)


@command(builder, "run", example="sealift builder run --settings builder.toml")
@settings_option
@click.option("--once", is_flag=True, help="Build what waits now, and end: for cron.")
def builder_run(session: Session, *, file: str, once: bool) -> None:
    """Build what the hub asks for, until it is told to end.

    It takes orders from the hub's database, as a role that sees nothing else, and puts signed
    results where the hub looks. Ctrl-C or SIGTERM ends it; what it was building is begun anew by
    whoever comes next. With --json it prints one object a line.
    """
    from sealift_registry import builder_file
    from sealift_registry.storage.builder_database import BuilderDatabase

    said = builder_file.read(Path(file))
    database = BuilderDatabase(said.database)
    with closing(_desk(session, said, database)) as desk:
        for_whom = ", ".join(map(word, said.hardware_targets))
        with _at_the_hub():
            desk.check()
        data = {"event": "ready", "name": said.name, "targets": list(said.hardware_targets)}
        line = f"Builds as {word(said.name)} for {for_whom}, as {database.where} asks."
        session.terminal.answer("builder-run", data, line)
        with _ended_by_sigterm():
            desk.run(once=once)
        if desk.put_off:
            raise FailedError(
                "orders-put-off",
                f"{counted(len(desk.put_off), 'order')} could not be built here.",
                subject=said.name,
                next_step="What was wrong with each stands above; it is tried again by whoever "
                "runs next.",
            )


def _desk(session: Session, said: BuilderFile, database: BuilderDatabase) -> Desk:
    from sealift_registry.builder_desk import Desk
    from sealift_registry.storage.s3_blobs import S3Blobs
    from sealift_signing import file_access

    said.work.mkdir(mode=file_access.FOLDER, parents=True, exist_ok=True)

    def begun(order: WorkOrder) -> None:
        data = {"event": "begun", "artifact": order.artifact, "order": order.digest()}
        session.terminal.answer("builder-run", data, f"{order.artifact} begun")

    def told(happened: Happened) -> None:
        _tell(session, happened)

    return Desk(
        name=said.name,
        hardware_targets=said.hardware_targets,
        database=database,
        inputs=S3Blobs(said.blobs, said.work),
        inbox=lambda organisation: S3Blobs(said.inbox, said.work, organisation),
        keys=said.keys,
        work=said.work,
        begun=begun,
        told=told,
    )


def _tell(session: Session, happened: Happened) -> None:
    artifact, bad = happened.order.artifact, happened.error
    data = {
        "event": "answered" if bad is None else "put-off",
        "artifact": artifact,
        "order": happened.order.digest(),
        "seconds": happened.seconds,
        "code": bad.code if bad else None,
        "what": bad.what if bad else None,
    }
    if bad is None:
        lines = [f"{artifact} answered, after {happened.seconds:.1f} s"]
    else:
        lines = [f"{artifact} put off: {drawn(bad.what)}"]
        lines += [f"  Next: {drawn(bad.advice)}"] if bad.advice else []
    session.terminal.answer("builder-run", data, lines)


@contextmanager
def _at_the_hub() -> Iterator[None]:
    """Have an error of a role that may not yet say what gives it that."""
    try:
        yield
    except SealiftError as bad:
        if bad.code in {"database-not-allowed", "database-no-table"}:
            bad.next_step = (
                "Have whoever may change the hub's tables run, which gives builders their part: "
                "sealift db upgrade"
            )
        raise


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """SIGTERM ends it as Ctrl-C does: what it had begun is killed, and claims are let go."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    import signal

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
