"""A model carried to a site, by Sealift and by what people use today: export, verify, import.

Each is measured from cold sources to what is durable, and gives the same bytes in the end, which
the first round compares.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.benchmarks import rivals
from tests.benchmarks.figures import Absent
from tests.benchmarks.organisations import Organisation
from tests.benchmarks.racing import Act, Contestant, Place, Step, Steps, run
from tests.benchmarks.rivals import Borg, Dvc, ModelSigning, Restic
from tests.registry.hub_fixture import MODEL

EXPORT, VERIFY, IMPORT = "sealift export", "sealift-site verify", "sealift-site import"
RETURN, RECEIVE = "sealift-site return", "sealift receive"
BY_HAND = "by hand"
COPY, TAR = "cp -r, sync", "tar, sync"
OPENSSL, SIGNING = "openssl dgst", "model_signing verify"
RESTIC, BORG, SKOPEO, DVC = "restic", "borg", "skopeo copy", "dvc"
Taken = Iterator[Step | Act]


@dataclass(frozen=True)
class Carried:
    """A model, its organisation, and what was made of it once for all rounds, in `folder`."""

    organisation: Organisation
    model: Path
    folder: Path

    @cached_property
    def medium(self) -> Path:
        """A medium with the bundle that is verified and imported."""
        medium = self.folder / "medium"
        run(self.organisation.export(medium))
        return medium

    @cached_property
    def blobs(self) -> Path:
        """The model's files on that medium, and a few small ones."""
        return self.organisation.carried(self.medium)

    @cached_property
    def restic(self) -> Restic:
        """A repository with the model."""
        made = Restic(self.folder / "restic")
        made.begin()
        run(made.backup(self.model))
        return made

    @cached_property
    def borg(self) -> Borg:
        """A repository with the model."""
        made = Borg(self.folder / "borg")
        made.begin()
        run(made.backup(self.model))
        return made

    @cached_property
    def dvc(self) -> Dvc:
        """A working folder without the model, which is in its remote."""
        made = Dvc(self.folder / "dvc")
        made.begin()
        shutil.copytree(self.model, made.work / "model")
        run(made.run("add", "model"))
        run(made.run("push"))
        made.forget()
        return made

    @cached_property
    def signed(self) -> ModelSigning:
        """A signature of the files on the medium."""
        made = ModelSigning(self.folder / "signed")
        made.begin(self.blobs)
        return made

    def contestant(self, name: str, steps: Steps, leaves: str = "", note: str = "") -> Contestant:
        """One of those that carry this model."""
        return Contestant(name, self.organisation.size, steps, leaves, note=note)


# -------------------------------------------------------------------- export


def _sealift_export(carried: Carried) -> Contestant:
    us = carried.organisation

    def steps(place: Place) -> Taken:
        yield us.export(place / "medium")
        rivals.check_same(us.carried(place / "medium"), us.arriving, place)

    return carried.contestant(EXPORT, steps, "medium", "hashed, copied, flushed, read back")


def _export_by_hand(carried: Carried) -> Contestant:
    def steps(place: Place) -> Taken:
        yield rivals.digest(carried.model, cold=True)
        yield rivals.copy(carried.model, place / "copy", cold=False)
        yield rivals.flush(place / "copy")
        yield rivals.digest(place / "copy", cold=True)
        rivals.check_same(place / "copy", carried.organisation.expected, place)

    note = "openssl dgst, cp -r, sync -f, openssl dgst of the cold copy"
    return carried.contestant(BY_HAND, steps, "copy", note)


def _copy(carried: Carried) -> Contestant:
    def steps(place: Place) -> Taken:
        yield rivals.copy(carried.model, place / "copy")
        yield rivals.flush(place / "copy")
        rivals.check_same(place / "copy", carried.organisation.expected, place)

    return carried.contestant(COPY, steps, "copy", "nothing is hashed or read back")


def _tar(carried: Carried) -> Contestant:
    def steps(place: Place) -> Taken:
        words = ("tar", "-cf", place / "model.tar", "-C", carried.model, ".")
        yield Step(words, [carried.model])
        yield rivals.flush(place / "model.tar")

    return carried.contestant(TAR, steps, "model.tar", "one file; nothing is hashed or read back")


def _restic_backup(carried: Carried) -> Contestant:
    def steps(place: Place) -> Taken:
        tool = Restic(place / "restic")
        tool.begin()
        yield tool.backup(carried.model)
        yield rivals.flush(tool.folder)

    note = "encrypted and compressed; not read back"
    return carried.contestant(f"{RESTIC} backup", steps, "restic/repository", note)


def _borg_create(carried: Carried) -> Contestant:
    def steps(place: Place) -> Taken:
        tool = Borg(place / "borg")
        tool.begin()
        yield tool.backup(carried.model)
        yield rivals.flush(tool.folder)

    note = "unencrypted, lz4; not read back"
    return carried.contestant(f"{BORG} create", steps, "borg/repository", note)


def _skopeo_copy(carried: Carried) -> Contestant:
    us = carried.organisation

    def steps(place: Place) -> Taken:
        bundle, layout = carried.blobs.parent.parent, place / "layout"
        yield rivals.skopeo(bundle, f"{MODEL}/1/{us.hardware_target}", layout)
        yield rivals.flush(layout)
        rivals.check_same(layout / "blobs" / "sha256", us.arriving, place)

    note = "from one OCI layout to another; hashed, not read back"
    return carried.contestant(SKOPEO, steps, "layout", note)


def _dvc_push(carried: Carried) -> Contestant:
    def steps(place: Place) -> Taken:
        tool = Dvc(place / "dvc")
        tool.begin()
        shutil.copytree(carried.model, tool.work / "model")
        yield tool.run("add", "model", cold=[tool.work / "model"])
        yield tool.run("push")
        yield rivals.flush(tool.folder)
        rivals.check_same(tool.folder / "repository", carried.organisation.expected, place)

    note = "md5; into its cache and then to a remote: written twice"
    return carried.contestant(f"{DVC} add, push", steps, "dvc", note)


# -------------------------------------------------------------------- verify


def _sealift_verify(carried: Carried) -> Contestant:
    def steps(_place: Place) -> Taken:
        yield carried.organisation.verify(carried.medium)

    note = "also who signed, who approved, and whether it is for this site"
    return carried.contestant(VERIFY, steps, note=note)


def _openssl(carried: Carried) -> Contestant:
    def steps(_place: Place) -> Taken:
        yield rivals.digest(carried.blobs, cold=True)

    return carried.contestant(OPENSSL, steps, note="digests to be compared by somebody")


def _model_signing(carried: Carried) -> Contestant:
    def steps(_place: Place) -> Taken:
        yield carried.signed.verify(carried.blobs)

    return carried.contestant(SIGNING, steps, note="with a key; no service is asked")


# -------------------------------------------------------------------- import


def _sealift_import(carried: Carried) -> Contestant:
    us = carried.organisation

    def steps(place: Place) -> Taken:
        site = us.copy_site(place / "site")
        yield us.take(carried.medium, site)
        rivals.check_same(us.installed(site), us.arriving, place)
        yield us.go_home(site, place / "home")
        yield us.receive(place / "home", us.copy_hub(place / "hub"))

    return carried.contestant(IMPORT, steps, "site", "hashed while it is copied")


def _import_by_hand(carried: Carried) -> Contestant:
    def steps(place: Place) -> Taken:
        yield rivals.copy(carried.model, place / "copy")
        yield rivals.flush(place / "copy")
        yield rivals.digest(place / "copy", cold=False)
        rivals.check_same(place / "copy", carried.organisation.expected, place)

    note = "cp -r, sync -f, openssl dgst of the copy, which is still in memory"
    return carried.contestant(BY_HAND, steps, "copy", note)


def _restic_restore(carried: Carried) -> Contestant:
    def steps(place: Place) -> Taken:
        yield carried.restic.restore(place / "restored")
        yield rivals.flush(place / "restored")
        rivals.check_same(place / "restored", carried.organisation.expected, place)

    note = "decrypted, and read again"
    return carried.contestant(f"{RESTIC} restore --verify", steps, "restored", note)


def _borg_extract(carried: Carried) -> Contestant:
    def steps(place: Place) -> Taken:
        yield carried.borg.restore(place / "extracted")
        yield rivals.flush(place / "extracted")
        rivals.check_same(place / "extracted", carried.organisation.expected, place)

    return carried.contestant(f"{BORG} extract", steps, "extracted", "not read again")


def _dvc_pull(carried: Carried) -> Contestant:
    def steps(place: Place) -> Taken:
        tool = carried.dvc
        yield tool.run("pull", cold=[tool.folder / "repository"])
        yield rivals.flush(tool.folder)
        rivals.check_same(tool.work / "model", carried.organisation.expected, place)
        tool.forget()

    note = "md5; into its cache and then copied: written twice"
    return carried.contestant(f"{DVC} pull", steps, note=note)


# -------------------------------------------------------------------- all of them

Made = Callable[[Carried], Contestant]
NOTHING = ""
"""What is needed for those that every machine can run."""
EXPORTING: tuple[tuple[str, Made], ...] = (
    (NOTHING, _sealift_export),
    (NOTHING, _export_by_hand),
    (NOTHING, _copy),
    ("restic", _restic_backup),
    ("borg", _borg_create),
    ("skopeo", _skopeo_copy),
    ("dvc", _dvc_push),
)
"""Each with the program that it needs."""
VERIFYING: tuple[tuple[str, Made], ...] = (
    (NOTHING, _sealift_verify),
    (NOTHING, _openssl),
    ("model_signing", _model_signing),
)
IMPORTING: tuple[tuple[str, Made], ...] = (
    (NOTHING, _sealift_import),
    (NOTHING, _import_by_hand),
    ("restic", _restic_restore),
    ("borg", _borg_extract),
    ("dvc", _dvc_pull),
)
SMALL_EXPORTING: tuple[tuple[str, Made], ...] = (
    (NOTHING, _sealift_export),
    (NOTHING, _tar),
    (NOTHING, _copy),
    ("restic", _restic_backup),
)
SMALL_IMPORTING: tuple[tuple[str, Made], ...] = (
    (NOTHING, _sealift_import),
    (NOTHING, _import_by_hand),
    ("restic", _restic_restore),
)


def contestants(carried: Carried, made: tuple[tuple[str, Made], ...]) -> list[Contestant]:
    """Those of `made` that can run here."""
    return [make(carried) for needs, make in made if not needs or rivals.program(needs)]


def absent(made: tuple[tuple[str, Made], ...]) -> Iterator[Absent]:
    """The programs that the others need."""
    return rivals.absent(*(needs for needs, _ in made if needs))
