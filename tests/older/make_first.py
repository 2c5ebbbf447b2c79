"""Makes `first.tar.xz`: what is on disks of the first formats that must stay readable.

In a checkout of the commit that is to be kept:

    .venv/bin/python -m tests.older.make_first FOLDER

A hub with a team of people and stewards, each at a desk with a memory; two promoted versions, and
a third that is asked for and approved by one of two; a site that runs version 1, and whose receipt
came home; a bundle with version 2 that waits on a medium, and a return of the same
site; a site that asked, and one that was answered; a draft that nobody signed, and one that one of
two signed. `documents/` are the examples of every kind of document. Passphrases are `correct
horse`; the keys have been used for nothing else.
"""

from __future__ import annotations

import shutil
import sys
import tarfile
from pathlib import Path

from sealift_registry.trust import founding
from sealift_signing.approvals import REQUEST, approve
from tests.desk.days import Days
from tests.registry.hub_fixture import (
    APPROVERS,
    GROUP,
    REQUESTER,
    STEWARDS,
    TARGET,
    TEAM,
    Acme,
    secrets,
)

ARCHIVE = Path(__file__).with_name("first.tar.xz")
EXAMPLES = Path(__file__).parents[2] / "docs" / "reference" / "examples"
KEY = "--key offline/dispatcher-1.pem"


def stocked(folder: Path) -> None:
    """An organisation with three versions of a model, of which one is promoted."""
    acme = Acme(folder)
    founding.found(acme.root, "Acme", acme.folder / "offline", secrets(), {}).close()
    for person in (*STEWARDS, *APPROVERS, REQUESTER):
        acme.new_key(person)
    acme.add_team(TEAM, {name: acme.public(name) for name in STEWARDS})
    acme.entitle(REQUESTER, REQUEST)
    for person in APPROVERS:
        acme.entitle(person, approve("production"))
    for number in (1, 2, 3):
        acme.ingest(number, acme.goldens())
        acme.convert(number)
    acme.promoted(1)
    acme.promoted(2)
    acme.approve(acme.request(3), APPROVERS[0])
    acme.close()


def delivered(days: Days) -> None:
    """A site that runs version 1, a bundle on its way to it, and a return on its way home."""
    days.person("dispatcher-1").card()
    (fleet,) = days.trusting("fleet-1")
    days.enrols("plant-7", fleet, "dispatcher-1.card")
    days.hub(f"assign plant-7 vision/tiny/1 --for {GROUP}={TARGET} {KEY}")
    for name in ("medium", "home"):
        (days.folder / name).mkdir()
    made = days.hub(f"export plant-7 --to medium {KEY}")
    days.site(f"import {made['folder']}", "plant-7")
    days.site("return --to medium", "plant-7")
    days.hub("receive medium")
    days.hub(f"assign plant-7 vision/tiny/2 --for {GROUP}={TARGET} {KEY}")
    days.hub(f"export plant-7 --to medium {KEY}")
    days.site("return --to home", "plant-7")
    group = f"--group {GROUP}={TARGET}"
    for name in ("plant-8", "plant-9"):
        days.site(f"init --id {name} {group} --request {name}.request", name)
    enroll = "site enroll plant-9.request --stage production --dispatcher dispatcher-1"
    days.carry_out(enroll, fleet)
    days.hub("site answer plant-9 --out plant-9.answer")


def drafted(days: Days) -> None:
    """Somebody is to be added to the team: drafted, and signed by one of two stewards."""
    anna, _ = days.trusting(*STEWARDS)
    days.person("gina").card()
    made = days.draft("team approver vision gina.card")
    shutil.copy(made.file, days.folder / "unsigned.draft")
    shutil.copy(anna.sign(made), days.folder / "half.signed")
    (days.folder / "sign.txt").write_text(made.sign.replace(made.file.name, "unsigned.draft"))


def main() -> None:
    """Make it."""
    folder = Path(sys.argv[1]).resolve()
    folder.mkdir()
    stocked(folder)
    days = Days(folder)
    days.first_trusts()
    delivered(days)
    drafted(days)
    days.close()
    shutil.copytree(EXAMPLES, folder / "documents")
    with tarfile.open(ARCHIVE, "w:xz", preset=9) as tar:
        tar.add(folder, "first")


if __name__ == "__main__":
    main()
