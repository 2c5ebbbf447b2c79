"""Setting up a hub: its home, its database, its keys, and the first entry of its log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path

from securesystemslib.signer import Signer
from sqlalchemy import Connection

from sealift_registry.audit.admission import newest
from sealift_registry.audit.newest_checkpoint import NewestCheckpoint
from sealift_registry.audit.writer import AuditLog, utc_now
from sealift_registry.storage.blob_claims import BlobClaims
from sealift_registry.storage.database import Database, not_new
from sealift_registry.storage.home import (
    Home,
    KeySettings,
    OrganisationSettings,
    Settings,
    check_new,
    create_home,
    open_home,
    with_environment,
)
from sealift_registry.storage.opening import database_of
from sealift_registry.storage.settings_file import write_settings
from sealift_registry.trust import (
    ceremony,
    key_rotation,
    own_database,
    places_left,
    readiness,
    unfinished,
)
from sealift_registry.trust.affected_people import affected_people
from sealift_registry.trust.ceremony import Offices
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.keys_elsewhere import LogKeyCheck
from sealift_registry.trust.online_keys import OnlineKeys
from sealift_registry.trust.repository import Change, Repository
from sealift_registry.trust.stored import stored
from sealift_registry.trust.unfinished import Attempt
from sealift_signing import publishing, roles
from sealift_signing.clock import check_possible
from sealift_signing.errors import SealiftError
from sealift_signing.keys import Passphrases
from sealift_signing.policy import Policy
from sealift_signing.transparency.checkpoint import hub_origin
from sealift_signing.transparency.entry import Entry

SOLO_KEY = "file:keys/solo.pem"
EMBEDDED = Settings()
"""Rows and blobs in the home itself."""


def open_hub(
    root: Path, environment: Mapping[str, str], told: Callable[[str], None] = lambda _: None
) -> Hub:
    """The hub whose home is `root`, its database brought up to date; `told` of what was closed.

    Raises:
        NotFoundError: there is no hub.
        FailedError: its database is newer than this software.
    """
    return open_at(open_home(root, environment), environment, told)


def open_at(
    home: Home, environment: Mapping[str, str], told: Callable[[str], None] = lambda _: None
) -> Hub:
    """As `open_hub`, where it is known already what the home's settings are, or will be.

    Raises:
        FailedError: as `open_hub`.
    """
    database = database_of(home)
    online = OnlineKeys(home.keys, environment)
    database.check_exists()
    for sentence in home.close_to_others():
        told(sentence)
    try:
        with database.in_words():
            database.bring_up_to_date()
            with database.reading() as connection:
                organisation = Repository(connection).organisation()
                if database.is_shared:
                    own_database.check(home, online, database, connection)
                places_left.check(home, database, connection)
    except BaseException:
        database.close()
        raise
    home = replace(home, organisation=organisation)

    def signer() -> Signer:
        if online.following(key_rotation.LOG) is None:
            # As it lies there now: another process may have taken up another one.
            return online.signer_for(key_rotation.LOG, [online.public(key_rotation.LOG)])
        with database.reading() as connection:  # it may be named already
            return online.signer_for(
                key_rotation.LOG, [key_rotation.log_signer(online, connection)]
            )

    origin = hub_origin(organisation)
    log = AuditLog(
        database,
        signer,
        origin,
        former=key_rotation.former,
        blobs=home.blobs_place,
        home=_kept_in(home, database),
    )
    log.check = LogKeyCheck(online)
    claims = BlobClaims(database, log.clock)
    hub = Hub(replace(home, relied=claims), database, log, online, claims=claims)
    readiness.notice_lost(hub)
    readiness.learn(hub)
    with suppress(SealiftError):  # of a damaged database, which fsck is to name; later, then
        key_rotation.take_up(hub)
    return hub


def found(
    root: Path,
    name: str,
    offline: Path,
    passphrases: Passphrases,
    environment: Mapping[str, str],
    stores: Settings = EMBEDDED,
) -> Hub:
    """Set up a hub at `root` whose offline keys are made in the folder `offline`.

    `stores` says where its rows and blobs are kept; what `environment` says of that counts besides.
    A set-up of the same that was stopped after it was founded is finished (`trust.unfinished`).

    Raises:
        UsageError: `root` is not new, or `offline` is in it.
        ClockError: this machine's clock was never set.
        FailedError: a key file exists already, or something could not be written; nothing that
            was made is left. But all of it is where the hub may be founded (`init-unfinished`).
    """
    check_possible(utc_now())
    settings = replace(stores, organisation=OrganisationSettings(name))
    if unfinished.finish(Home(root, settings), environment, offline):
        return open_hub(root, environment)
    check_new(root)
    policy = ceremony.policy_of(name, solo=False)
    ceremony.check_offline(root, offline, passphrases)
    _check_stores(root, settings, environment)
    attempt = Attempt(create_home(root, settings))
    with attempt.undone_on_failure():
        online = OnlineKeys(attempt.home.keys, environment)
        online.create()
        offices = ceremony.make_offline_keys(offline, passphrases, attempt.made)
        ceremony.write_cards(offline, offices, attempt.made, utc_now())
        _publish(attempt, online, offices, policy, environment)
    return open_hub(root, environment)


def found_solo(
    root: Path,
    name: str,
    person: str,
    environment: Mapping[str, str],
    stores: Settings = EMBEDDED,
) -> Hub:
    """Set up a hub at `root` for one person alone, whose one key is kept in it.

    Raises:
        UsageError: `root` is not new.
        ClockError: this machine's clock was never set.
        FailedError: as `found`.
    """
    check_possible(utc_now())
    policy = ceremony.policy_of(name, solo=True)
    settings = replace(
        stores,
        organisation=OrganisationSettings(name),
        keys=KeySettings(default=SOLO_KEY, person=person),
    )
    if unfinished.finish(Home(root, settings), environment):
        return open_hub(root, environment)
    check_new(root)
    _check_stores(root, settings, environment)
    attempt = Attempt(create_home(root, settings))
    with attempt.undone_on_failure():
        online = OnlineKeys(attempt.home.keys, environment)
        online.create()
        offices = ceremony.one_person(person, online)
        _publish(attempt, online, offices, policy, environment)
    return open_hub(root, environment)


def _check_stores(root: Path, settings: Settings, environment: Mapping[str, str]) -> None:
    """Check that a hub can be founded where `settings` say, before anything is made for it.

    Raises:
        FailedError: not there.
    """
    home = with_environment(Home(root, settings), environment)
    home.check_blobs_free()
    database = database_of(home)
    try:
        database.check_new()
    finally:
        database.close()


def _publish(
    attempt: Attempt,
    online: OnlineKeys,
    offices: Offices,
    policy: Policy,
    environment: Mapping[str, str],
) -> None:
    home = attempt.home
    write_settings(home)  # a full disk is found before the founding, which no server takes back
    change = ceremony.first_metadata(offices, online, policy, utc_now())
    organisation = sha256(publishing.to_bytes(change.metadata[roles.ROOT])).hexdigest()
    database = database_of(with_environment(home, environment))
    origin = hub_origin(organisation)
    try:
        with database.in_words():
            database.bring_up_to_date()
        kept = _kept_in(home, database)
        signer = partial(online.signer, "log")
        with (
            AuditLog(database, signer, origin, home=kept, begins=True) as log,
            attempt.founding(log, database, organisation),
        ):
            _log_founding(Hub(home, database, log, online), change, organisation)
    finally:
        database.close()
    unfinished.end(home, environment, organisation)


def _kept_in(home: Home, database: Database) -> NewestCheckpoint | None:
    """What the log signs last is kept in the home where the database may lose it.

    A file in the home is lost with it, but once the hub was elsewhere an old one may come back.
    """
    path = home.newest_checkpoint
    return NewestCheckpoint(path) if database.is_shared or path.exists() else None


def _log_founding(hub: Hub, change: Change, organisation: str) -> None:
    name = hub.home.settings.organisation.name

    def action(connection: Connection) -> tuple[Entry, None]:
        if newest(connection) is not None:  # another set-up was quicker
            raise not_new(hub.database.where)
        people = affected_people(stored(connection), change)
        hub.publish(connection, change)
        data = {"organisation": organisation, "name": name, "roles": sorted(change.metadata)}
        return hub.entry(unfinished.FOUNDED, "hub", data, {"person": people}), None

    hub.commit(action)
    hub.copy_metadata()
