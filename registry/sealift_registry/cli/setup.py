"""`sealift init`, `key`, `team`, `next`: setting up, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sealift_registry.cli import remote
from sealift_registry.cli.group import sealift
from sealift_registry.cli.session import Session, command, user

if TYPE_CHECKING:
    from sealift_registry.guide import Step


@command(sealift, "init", example="sealift init --offline-keys /media/safe/keys --name 'Acme'")
@click.option(
    "--offline-keys", metavar="DIR", help="Make the offline keys in DIR, to be handed out."
)
@click.option("--solo", is_flag=True, help="For one person alone; everything says UNPROTECTED.")
@click.option(
    "--name", metavar="WORDS", default="", help="The organisation's name, as people read it."
)
@click.option(
    "--person", metavar="ID", default="", help="With --solo: your id. [default: your login name]"
)
@click.option(
    "--database",
    metavar="URL",
    default="",
    help="Keep the rows on PostgreSQL (postgresql://USER@HOST/DATABASE). [default: in the home]",
)
@click.option(
    "--blobs",
    metavar="URL",
    default="",
    help="Keep models on an S3 server (s3://BUCKET/PREFIX). [default: in the home]",
)
@click.option("--blobs-endpoint", metavar="URL", default="", help="That server's address.")
@click.option("--blobs-region", metavar="REGION", default="", help="Its region.")
def init(
    session: Session,
    *,
    offline_keys: str | None,
    solo: bool,
    name: str,
    person: str,
    database: str,
    blobs: str,
    blobs_endpoint: str,
    blobs_region: str,
) -> None:
    """Set up a hub in a new home.

    With --offline-keys the full layout: root and targets need two of three keys, kept outside the
    home. With --solo one key does everything, and every bundle and receipt says UNPROTECTED.
    """
    from sealift_registry.storage.home import BlobSettings, DatabaseSettings, Settings
    from sealift_registry.storage.postgres_address import of_argument
    from sealift_registry.trust import founding
    from sealift_registry.trust.ceremony import person_id
    from sealift_signing.errors import UsageError

    if solo == bool(offline_keys):
        raise UsageError(
            "init-how",
            "Say how the keys are kept: --offline-keys DIR, or --solo for one person alone.",
            next_step="See: sealift init --help",
        )
    if database:
        of_argument(database, "--database")
    stores = Settings(
        database=DatabaseSettings(database),
        blobs=BlobSettings(blobs, blobs_endpoint, blobs_region),
    )
    if solo:
        who = person_id(person or user())
        hub = founding.found_solo(session.root, name or who, who, session.environment, stores)
    else:
        hub = founding.found(
            session.root,
            name or "an organisation without a name",
            Path(offline_keys or ""),
            session.passphrases(new=True),
            session.environment,
            stores,
        )
    hub.close()
    _tell_init(session, None if solo else offline_keys)


def _trust(session: Session) -> str:
    """Have whoever set the hub up trust it, by its fingerprint; where that is remembered.

    What cannot be remembered is told: the hub is there all the same.
    """
    from sealift_registry.trust.repository import Repository
    from sealift_registry.trust.stored import Rows
    from sealift_signing import memory_updates
    from sealift_signing.errors import SealiftError
    from sealift_signing.memory import Memory

    memory = Memory.located(session.environment, session.terminal.note)
    try:
        with session.app.hub.reading() as connection:
            offer = memory_updates.everything(Rows(connection), "the hub, when it was set up")
            memory.begin(offer, Repository(connection).fingerprint(), session.now())
    except SealiftError as bad:
        session.terminal.note(f"Warning: it is not remembered here as trusted: {bad}")
        return ""
    return str(memory.folder)


def _tell_init(session: Session, offline_keys: str | None) -> None:
    from sealift_registry.trust.repository import Repository
    from sealift_signing.words import words_of

    with session.app.hub.reading() as connection:
        repository = Repository(connection)
        organisation, reasons = repository.organisation(), repository.unprotected()
        fingerprint = repository.fingerprint()
    lines = [
        f"The hub at {session.root} is set up.",
        f"  organisation  {organisation}",
        f"  fingerprint   {words_of(fingerprint)}",
        f"                {fingerprint}",
    ]
    if offline_keys:
        lines += [
            f"  offline keys  {offline_keys}",
            *(f"    {needed:12}  {role}: {what}" for role, needed, what in _offices()),
            "",
            "Hand each key to its holder, on a medium of its own, and keep none here.",
        ]
    trusted = _trust(session) if offline_keys else ""
    lines += ["", "Copy the fingerprint to paper: whoever signs, or installs a site, types it."]
    if trusted:
        lines += [f"You trust it by that fingerprint from now on; {trusted} remembers it."]
    if reasons:
        lines += ["", "UNPROTECTED: " + "; ".join(reasons) + "."]
    lines += ["", "Next: sealift next"]
    data = {
        "home": str(session.root),
        "organisation": organisation,
        "fingerprint": fingerprint,
        "offline_keys": offline_keys,
        "trusted": trusted,
        "unprotected": list(reasons),
    }
    session.terminal.answer("init", data, lines)


def _offices() -> list[tuple[str, str, str]]:
    """Each role that is kept offline, how many of its keys must sign, and what it signs."""
    from sealift_registry.trust.ceremony import OFFLINE_HOLDERS

    uses = {
        "root": "the keys of the top roles",
        "targets": "teams and the policy",
        "fleet": "sites",
        "recall": "what must stop",
        "dispatcher": "assignments and bundles",
    }
    return [
        (role, f"{needed} of {count} sign", uses[role])
        for role, (needed, count) in OFFLINE_HOLDERS.items()
    ]


@command(sealift, "next", example="sealift next", at_server=True)
def next_step(session: Session) -> None:
    """Say what is missing next: a sentence and a command each."""
    from sealift_registry.shown.steps import told

    if session.server is not None:
        remote.show(session, "next", "/next")
        return
    steps = _missing(session)
    found = told(steps)
    session.warned = True
    session.terminal.answer("next", found.data, found.lines)


def _missing(session: Session) -> Sequence[Step]:
    from sealift_registry import guide
    from sealift_signing.errors import NotFoundError

    try:
        return session.app.missing()
    except NotFoundError as bad:
        if bad.code != "no-hub":
            raise
        return [guide.no_hub(session.root)]
