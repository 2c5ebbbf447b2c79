"""A site's folder: where everything lies, and how it is found and made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sealift_signing import file_access
from sealift_signing.errors import NotFoundError
from sealift_signing.keys import Passphrases, variable
from sealift_signing.login import check_may_open, check_not_of_another
from sealift_sync import durable
from sealift_sync.blobs import BlobFolder
from sealift_sync.site.setup.settings import FIRST_SETTINGS, Settings, read_settings

HOME_VARIABLE = "SEALIFT_SITE_HOME"
DEFAULT_HOME = "sealift-site"


@dataclass(frozen=True)
class Home:
    """The folder of one site."""

    root: Path
    settings: Settings

    @property
    def database(self) -> Path:
        """The one database: log, receipts and state."""
        return self.root / "sealift.db"

    @property
    def store(self) -> BlobFolder:
        """Every blob that was installed."""
        return BlobFolder(self.root / "store")

    @property
    def incoming(self) -> Path:
        """Blobs of an import that is not committed yet."""
        return self.root / "store" / "incoming"

    @property
    def quarantine(self) -> Path:
        """The copy of a bundle's small files, while it is judged."""
        return self.root / "quarantine"

    @property
    def models(self) -> Path:
        """What consumers read."""
        return self.root / "models"

    @property
    def key(self) -> Path:
        """The site's own key."""
        return self.root / "keys" / "site.pem"

    @property
    def passphrase(self) -> Path:
        """The file with the passphrase of the site's key, unless the environment has it."""
        return self.root / "keys" / "passphrase"

    def close_to_others(self) -> tuple[str, ...]:
        """Leave others on this machine nothing but `models`; what is to be told of it."""
        return file_access.close_home(
            self.root, most=file_access.PASSABLE, shown=["models", "store/sha256/"]
        )

    def passphrases(self, environment: Mapping[str, str]) -> Passphrases:
        """Where the passphrase of the site's key is: the environment, else the file."""
        said = environment.get(variable(self.key))
        return Passphrases(None if said else self.passphrase, environment, None)


def choose_home(option: Path | None, environment: Mapping[str, str]) -> Path:
    """`--home`, else SEALIFT_SITE_HOME, else ./sealift-site (docs/reference/settings.md).

    Raises:
        RefusedError: nobody named it, and it is another user's.
    """
    named = option or environment.get(HOME_VARIABLE)
    home = Path(named or DEFAULT_HOME).absolute()
    if not named:
        check_not_of_another(home, HOME_VARIABLE)
    return home


def make_home(root: Path, environment: Mapping[str, str]) -> Home:
    """The home at `root`, made if it is not there; nothing that is there is changed.

    Raises:
        FailedError: it could not be made.
    """
    try:
        file_access.shown_folders(root)  # whoever reads models must get there
        if not (root / "settings.toml").exists():
            file_access.show(root, file_access.PASSABLE)
        for name in ("store", "keys"):
            (root / name).mkdir(mode=file_access.FOLDER, exist_ok=True)
        file_access.shown_folder(root / "models")
        if not (root / "settings.toml").exists():
            durable.write(root / "settings.toml", FIRST_SETTINGS.encode())
    except OSError as bad:
        raise durable.unwritable(root, bad) from bad
    return Home(root, read_settings(root / "settings.toml", environment))


def find_home(root: Path, environment: Mapping[str, str]) -> Home:
    """The home at `root`, which `init` made.

    Raises:
        NotFoundError: there is none.
        RefusedError: it is another user's, and closed.
    """
    check_may_open(root)
    if not (root / "sealift.db").is_file():
        raise NotFoundError(
            "no-home",
            f"There is no Sealift site at {root}.",
            subject=str(root),
            next_step=f"Give --home or set {HOME_VARIABLE}, or make one: sealift-site init --help",
        )
    return Home(root, read_settings(root / "settings.toml", environment))
