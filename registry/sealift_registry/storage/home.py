"""The hub's home: one folder with everything the hub keeps (docs/reference/settings.md).

`settings.toml`, `sealift.db` and `sealift.lock`, `blobs/`, `metadata/` (a copy of what the database
holds), `host` (which host this is), `keys/` (what the hub signs with by itself), `work/` (what is
under way), `waiting/` (drafts of transfers that wait to be signed), and, where people put something
there, `hardware-targets/` and `runtimes/`. Offline keys live elsewhere.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from sealift_registry.storage import workspace
from sealift_registry.storage.builder_settings import BuilderSettings
from sealift_registry.storage.named_places import (
    ExportSettings,
    SourceSettings,
    read_named,
    unknown_setting,
)
from sealift_registry.storage.s3_address import S3Address, s3_address
from sealift_registry.storage.server_settings import ServerSettings, check_server
from sealift_registry.storage.setting_ranges import check_ranges, check_variables
from sealift_registry.storage.writable import check_writable
from sealift_signing import disk, file_access
from sealift_signing.errors import FailedError, NotFoundError, UsageError
from sealift_signing.login import check_may_open, check_not_of_another
from sealift_sync import durable
from sealift_sync.blobs import BlobFolder, BlobStore, Relied, nobody_removes

S = TypeVar(
    "S",
    "OrganisationSettings",
    "KeySettings",
    "DeliverySettings",
    "ConversionSettings",
    "DatabaseSettings",
    "BlobSettings",
    "RetentionSettings",
    "BuilderSettings",
    "ServerSettings",
)

HOME_VARIABLE = "SEALIFT_HOME"
SETTINGS = "settings.toml"
ENVIRONMENT = "SEALIFT_"
NAMED = ("sources", "exports")
"""Sections whose entries have names: they are in the file alone, and no variable says them."""
FORMER = (("delivery", "dispatcher"),)
"""Settings of older homes: what a file says must not be signed unseen."""
POSTGRESQL = "postgresql://"
IN_HOME = "the home"
"""What is said of blobs that are kept in the hub's own folder."""


@dataclass(frozen=True)
class OrganisationSettings:
    """`[organisation]`: the name people read on bundles."""

    name: str = "an organisation without a name"
    contact: str = ""


@dataclass(frozen=True)
class KeySettings:
    """`[keys]`: the key that `--key` means where it is not given. Empty: it must be given."""

    default: str = ""
    person: str = ""


@dataclass(frozen=True)
class DeliverySettings:
    """`[delivery]`: days that a bundle may travel before it is too old."""

    freshness_days: int = 30


@dataclass(frozen=True)
class ConversionSettings:
    """`[conversion]`: minutes that the rows of a proof may take, beside the goldens."""

    proof_minutes: int = 10

    @property
    def proof_seconds(self) -> float:
        """The same in seconds."""
        return 60.0 * self.proof_minutes


@dataclass(frozen=True)
class DatabaseSettings:
    """`[database]`: where the rows are. Empty: in the home, in one SQLite file.

    Attributes:
        url: `postgresql://USER@HOST/DATABASE`, as the application's role.
        migrator: the same as the migrator's role, for `sealift db upgrade`.
        failover: another server takes over when this one fails (`sealift db check`).
    """

    url: str = ""
    migrator: str = ""
    failover: bool = False


@dataclass(frozen=True)
class BlobSettings:
    """`[blobs]`: where blobs are kept; without a url in the home. Credentials are none of it."""

    url: str = ""
    endpoint: str = ""
    region: str = ""

    @property
    def address(self) -> S3Address | None:
        """Where on S3; None where they are kept in the home.

        Raises:
            UsageError: it is no address.
        """
        return s3_address(self.url, self.endpoint, self.region) if self.url else None


@dataclass(frozen=True)
class RetentionSettings:
    """`[retention]`: days that the rows of a job are kept after it ended; its entries stay."""

    job_days: int = 90


@dataclass(frozen=True)
class Settings:
    """All of settings.toml."""

    organisation: OrganisationSettings = OrganisationSettings()
    keys: KeySettings = KeySettings()
    delivery: DeliverySettings = DeliverySettings()
    conversion: ConversionSettings = ConversionSettings()
    database: DatabaseSettings = DatabaseSettings()
    blobs: BlobSettings = BlobSettings()
    retention: RetentionSettings = RetentionSettings()
    builders: BuilderSettings = field(default_factory=BuilderSettings)
    server: ServerSettings = field(default_factory=ServerSettings)
    sources: Mapping[str, SourceSettings] = field(default_factory=dict)
    exports: Mapping[str, ExportSettings] = field(default_factory=dict)

    @property
    def sections(self) -> Mapping[str, Mapping[str, str | int]]:
        """Every section by its name in the file, with what it says; `sources.lab` among them."""
        found: dict[str, Mapping[str, str | int]] = {}
        for name, section in vars(self).items():
            if name in NAMED:
                found |= {f"{name}.{one}": vars(said) for one, said in section.items()}
            else:
                found[name] = vars(section)
        return found


@dataclass(frozen=True)
class Home:
    """The folders of one hub.

    Attributes:
        ignored: what its settings.toml says that counted once, and no longer counts.
        organisation: whose hub it is, as soon as that is known.
        relied: told which blobs somebody relies on, as soon as there is a database to note it.
    """

    root: Path
    settings: Settings
    ignored: tuple[str, ...] = ()
    organisation: str = ""
    relied: Relied = nobody_removes

    @property
    def database_file(self) -> Path:
        """The SQLite file, unless the settings name another database."""
        return self.root / "sealift.db"

    @cached_property
    def blobs(self) -> BlobStore:
        """The hub's blobs."""
        address = self.settings.blobs.address
        if address is None:
            return BlobFolder(self.root / "blobs", self.relied)
        from sealift_registry.storage.s3_blobs import S3Blobs

        return S3Blobs(address, self.work, self.organisation, relied=self.relied)

    def check_blobs_free(self) -> None:
        """Check that a new hub can keep its blobs where the settings say: nobody else does.

        Raises:
            RefusedError: another hub does.
            FailedError: it cannot be reached.
        """
        if self.settings.blobs.address is not None:
            from sealift_registry.storage import s3_owner

            s3_owner.check_free(self.settings.blobs.address)

    def check_blobs_ours(self) -> None:
        """Check that this hub can keep its blobs where the settings say, before they go there.

        Raises:
            RefusedError: another organisation does.
            FailedError: it cannot be reached.
        """
        if self.settings.blobs.address is not None:
            from sealift_registry.storage.s3_blobs import S3Blobs

            S3Blobs(self.settings.blobs.address, self.work, self.organisation).check_ours()

    def claim_blobs(self) -> None:
        """Say there that this hub keeps its blobs there, before there are any."""
        if self.settings.blobs.address is not None:
            from sealift_registry.storage.s3_blobs import S3Blobs

            S3Blobs(self.settings.blobs.address, self.work, self.organisation).claim()

    @property
    def blobs_place(self) -> str:
        """Where they are, as it is noted when they are moved: the same wherever the home lies."""
        address = self.settings.blobs.address
        return IN_HOME if address is None else address.where

    @property
    def metadata(self) -> Path:
        """Copies of the newest TUF files, for people and tools; the database is what counts."""
        return self.root / "metadata"

    @property
    def keys(self) -> Path:
        """Keys the hub signs with by itself."""
        return self.root / "keys"

    @property
    def lock(self) -> Path:
        """The lock of whoever writes to the log."""
        return self.root / "sealift.lock"

    @property
    def newest_checkpoint(self) -> Path:
        """What this home's hub signed last, where its database may lose that (ADR 47)."""
        return self.root / "newest-checkpoint"

    @property
    def work(self) -> Path:
        """Where long work keeps its files while it runs."""
        return self.root / "work"

    @property
    def claims(self) -> Path:
        """Where exports say what they are doing."""
        return self.work / "exports"

    def close_to_others(self) -> tuple[str, ...]:
        """Leave others on this machine nothing; what is to be told of it."""
        return file_access.close_home(self.root, shown=["blobs/sha256/"])

    def sweep(self) -> None:
        """Throw away what killed processes left unfinished: folders of work, and blobs.

        Nothing refers to either, and what another process is working on stays.
        """
        check_writable(self.root)
        workspace.sweep(self.work)
        self.blobs.sweep()

    def abandoned(self) -> list[Path]:
        """The folders of work in which nobody works any more."""
        return workspace.abandoned(self.work)


def locate(given: str | None, environment: Mapping[str, str]) -> Path:
    """Where the home is: `--home`, else SEALIFT_HOME, else ./sealift-hub.

    Raises:
        RefusedError: nobody named it, and it is another user's.
    """
    named = given or environment.get(HOME_VARIABLE)
    home = Path(named or "sealift-hub")
    if not named:
        check_not_of_another(home, HOME_VARIABLE)
    return home


def open_home(root: Path, environment: Mapping[str, str]) -> Home:
    """The hub at `root`.

    Raises:
        NotFoundError: there is none.
        RefusedError: it is another user's, and closed.
        UsageError: a setting that is not known, or of the wrong type.
    """
    check_may_open(root)
    path = root / SETTINGS
    try:
        text = disk.read(path).decode()
    except FileNotFoundError as bad:
        raise NotFoundError(
            "no-hub",
            f"There is no Sealift hub at {root}.",
            subject=str(root),
            next_step="Make one with: sealift init --offline-keys DIR, or name it with --home.",
        ) from bad
    except (OSError, UnicodeDecodeError) as bad:
        raise FailedError(
            "settings-unreadable",
            f"{path} could not be read.",
            subject=str(path),
            next_step="Check who may read it, and that it is UTF-8.",
        ) from bad
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as bad:
        raise UsageError(
            "bad-settings",
            f"{path} is not TOML: {bad}.",
            subject=str(path),
            next_step="Mend it; docs/reference/settings.md shows how it is written.",
        ) from bad
    ignored = _without_former(given)
    return Home(root, _settings(given, environment, path), ignored)


def _without_former(given: Mapping[str, object]) -> tuple[str, ...]:
    """The settings in `given` that counted once; they are taken out of it."""
    found = []
    for name, setting in FORMER:
        section = given.get(name)
        if isinstance(section, dict) and setting in section:
            del section[setting]
            found.append(f"{name}.{setting}")
    return tuple(found)


def create_home(root: Path, settings: Settings) -> Home:
    """A new home at `root`, with nothing in it but empty folders.

    Raises:
        UsageError: there is something at `root` already.
    """
    check_new(root)
    home = Home(root, settings)
    try:
        root.mkdir(mode=file_access.FOLDER, parents=True, exist_ok=True)
        root.chmod(file_access.FOLDER)
        home.keys.mkdir(
            mode=file_access.FOLDER
        )  # of two at once, one makes it and the other is refused
        home.metadata.mkdir(mode=file_access.FOLDER)
    except FileExistsError as bad:
        raise _not_new(root) from bad
    except OSError as bad:
        raise durable.unwritable(root, bad) from bad
    return home


def check_new(root: Path) -> None:
    """Check that a hub can be set up at `root`, without touching it.

    Raises:
        UsageError: there is something at `root` already.
    """
    try:
        if root.exists() and any(root.iterdir()):
            raise _not_new(root)
    except NotADirectoryError as bad:
        raise _not_new(root) from bad
    except OSError as bad:
        raise durable.unwritable(root, bad) from bad


def _not_new(root: Path) -> UsageError:
    begun = (root / "keys").is_dir() and not (root / SETTINGS).exists()
    return UsageError(
        "home-not-new",
        f"{root} holds a set-up that did not finish."
        if begun
        else f"{root} is there already, and a hub is set up in a new folder only.",
        subject=str(root),
        next_step=f"Remove {root} and the offline keys that were made for it, and begin again."
        if begun
        else "Choose another one with --home.",
    )


def with_environment(home: Home, environment: Mapping[str, str]) -> Home:
    """`home` with what the environment says of its settings, as `open_home` will have it.

    Raises:
        UsageError: a setting that is not known, or of the wrong type.
    """
    settings = _settings(asdict(home.settings), environment, home.root / SETTINGS)
    return replace(home, settings=settings)


def _settings(given: Mapping[str, object], environment: Mapping[str, str], path: Path) -> Settings:
    unknown = set(given) - {section.name for section in fields(Settings)}
    if unknown:
        raise unknown_setting(f"[{min(unknown)}]", path)
    check_variables(ENVIRONMENT, _variables(), environment)
    settings = Settings(
        _section_of(OrganisationSettings, "organisation", given, environment, path),
        _section_of(KeySettings, "keys", given, environment, path),
        _section_of(DeliverySettings, "delivery", given, environment, path),
        _section_of(ConversionSettings, "conversion", given, environment, path),
        _section_of(DatabaseSettings, "database", given, environment, path),
        _section_of(BlobSettings, "blobs", given, environment, path),
        _section_of(RetentionSettings, "retention", given, environment, path),
        _section_of(BuilderSettings, "builders", given, environment, path),
        _section_of(ServerSettings, "server", given, environment, path),
        read_named(SourceSettings, "sources", given.get("sources"), path),
        read_named(ExportSettings, "exports", given.get("exports"), path),
    )
    return _checked(settings, path)


def _section_of(
    kind: type[S],
    name: str,
    given: Mapping[str, object],
    environment: Mapping[str, str],
    path: Path,
) -> S:
    section = given.get(name, {})
    if not isinstance(section, dict):
        raise unknown_setting(f"[{name}]", path)
    values = dict(section)
    types = {setting.name: type(setting.default) for setting in fields(kind)}
    for setting, wanted in types.items():
        variable = f"{ENVIRONMENT}{name}__{setting}".upper()
        if variable in environment:
            values[setting] = _parsed(environment[variable], wanted, variable)
    for setting, value in values.items():
        if setting not in types:
            raise unknown_setting(f"{name}.{setting}", path)
        if type(value) is not types[setting]:
            raise UsageError(
                "bad-setting",
                f"{name}.{setting} in {path} must be {_WORDS[types[setting]]}.",
                subject=f"{name}.{setting}",
                next_step="Mend it; docs/reference/settings.md says what it may be.",
            )
    return kind(**values)


_BOOLS = {"true": True, "false": False}
_WORDS = {int: "a whole number", str: "text in quotes", bool: "true or false"}


def _checked(settings: Settings, path: Path) -> Settings:
    check_ranges(settings, path)
    check_server(settings.server, path)
    urls = {"url": settings.database.url, "migrator": settings.database.migrator}
    for name, url in urls.items():
        if url and not url.startswith(POSTGRESQL):
            raise UsageError(
                "bad-setting",
                f"database.{name} in {path} must be empty, or begin with {POSTGRESQL}.",
                subject=f"database.{name}",
                next_step="Write it as postgresql://USER@HOST/DATABASE, or leave it out to keep "
                "the database in the home.",
            )
    _ = settings.blobs.address  # which says what is wrong with it
    return settings


def _variables() -> dict[str, tuple[str, ...]]:
    """The settings of each section that a variable may say."""
    return {
        name: () if name in NAMED else tuple(vars(section))
        for name, section in vars(Settings()).items()
    }


def _parsed(text: str, kind: type, variable: str) -> object:
    try:
        return _BOOLS[text] if kind is bool else kind(text)
    except (KeyError, ValueError) as bad:
        raise UsageError(
            "bad-setting",
            f"{variable} must be {_WORDS[kind]}.",
            subject=variable,
            next_step="Set it so, or unset it.",
        ) from bad


def environment() -> dict[str, str]:
    """This process's environment: the one place where it is read."""
    return dict(os.environ)
