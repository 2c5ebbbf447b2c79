"""Setting up a hub: its home, its database, its keys, and the first entry of its log."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from sqlalchemy import Connection

from sealift_migrations import upgrade
from sealift_registry.audit.writer import AuditLog, utc_now
from sealift_registry.storage.engine import open_sqlite
from sealift_registry.storage.home import (
    DeliverySettings,
    Home,
    KeySettings,
    OrganisationSettings,
    Settings,
    create_home,
    open_home,
    write_settings,
)
from sealift_registry.trust import ceremony
from sealift_registry.trust.ceremony import Offices
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.online_keys import OnlineKeys
from sealift_registry.trust.repository import Change, Repository
from sealift_signing import publishing, roles
from sealift_signing.keys import Passphrases
from sealift_signing.transparency.checkpoint import hub_origin
from sealift_signing.transparency.entry import Entry

SOLO_KEY = "file:keys/solo.pem"


def open_hub(root: Path, environment: Mapping[str, str]) -> Hub:
    """The hub whose home is `root`, its database brought up to date.

    Raises:
        NotFoundError: there is no hub.
        FailedError: its database is newer than this software.
    """
    home = open_home(root, environment)
    engine = open_sqlite(home.database)
    upgrade(engine)
    with engine.connect() as connection:
        organisation = Repository(connection).organisation()
    online = OnlineKeys(home.keys, environment)
    log = AuditLog(engine, lambda: online.signer("log"), hub_origin(organisation), home.lock)
    return Hub(home, engine, log, online)


def found(
    root: Path,
    name: str,
    offline: Path,
    passphrases: Passphrases,
    environment: Mapping[str, str],
) -> Hub:
    """Set up a hub at `root` whose offline keys are made in the folder `offline`.

    Raises:
        UsageError: `root` is not new.
        FailedError: a key file exists already, or something could not be written.
    """
    home = create_home(root, Settings(OrganisationSettings(name)))
    online = OnlineKeys(home.keys, environment)
    online.create()
    offices = ceremony.make_offline_keys(offline, passphrases)
    (dispatcher,) = offices.dispatcher.values()
    settings = Settings(
        OrganisationSettings(name), KeySettings(), DeliverySettings(dispatcher=dispatcher.text)
    )
    return _publish(Home(root, settings), online, offices, environment, solo=False)


def found_solo(root: Path, name: str, person: str, environment: Mapping[str, str]) -> Hub:
    """Set up a hub at `root` for one person alone, whose one key is kept in it.

    Raises:
        UsageError: `root` is not new.
    """
    home = create_home(root, Settings())
    online = OnlineKeys(home.keys, environment)
    online.create()
    offices = ceremony.one_person(person, online)
    settings = Settings(
        OrganisationSettings(name),
        KeySettings(default=SOLO_KEY, person=person),
        DeliverySettings(dispatcher=offices.dispatcher[person].text),
    )
    return _publish(Home(root, settings), online, offices, environment, solo=True)


def _publish(
    home: Home,
    online: OnlineKeys,
    offices: Offices,
    environment: Mapping[str, str],
    *,
    solo: bool,
) -> Hub:
    engine = open_sqlite(home.database)
    upgrade(engine)
    policy = ceremony.policy_of(home.settings.organisation.name, solo=solo)
    change = ceremony.first_metadata(offices, online, policy, utc_now())
    root_1 = publishing.to_bytes(change.metadata[roles.ROOT])
    organisation = sha256(root_1).hexdigest()
    log = AuditLog(engine, lambda: online.signer("log"), hub_origin(organisation), home.lock)
    hub = Hub(home, engine, log, online)
    _log_founding(hub, change, organisation)
    write_settings(home)
    log.close()
    engine.dispose()
    return open_hub(home.root, environment)


def _log_founding(hub: Hub, change: Change, organisation: str) -> None:
    name = hub.home.settings.organisation.name

    def action(connection: Connection) -> tuple[Entry, None]:
        hub.publish(connection, change)
        data = {"organisation": organisation, "name": name, "roles": sorted(change.metadata)}
        return hub.entry("organisation.founded", "hub", data), None

    hub.log.commit(action)
    hub.copy_metadata()
