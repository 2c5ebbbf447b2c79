"""What lay on disks in the first formats goes on, in the software of today and in that of then."""

from __future__ import annotations

import importlib
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest

from sealift_signing import features, shape, statements
from tests.desk.days import Days, Drafted
from tests.older.make_first import ARCHIVE, KEY
from tests.older.software import FIRST, Software, unpack
from tests.older.test_software_of_before import READ
from tests.older.unpacking import extract
from tests.registry.hub_fixture import APPROVERS, GROUP, STEWARDS, TARGET

MADE = datetime(2026, 11, 30, 23, 30, tzinfo=UTC)
"""When it was made, with time to be sure; bundles are fresh for 30 days."""
REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("first")
    extract(ARCHIVE, folder)
    return folder / "first"


@pytest.fixture
def days(unpacked: Path, tmp_path: Path) -> Iterator[Days]:
    """The homes of then, a day after they were last used."""
    folder = tmp_path / "first"
    shutil.copytree(unpacked, folder, symlinks=True)
    made = Days(folder)
    made.clock.time = MADE
    made.later(days=1)
    yield made
    made.close()


@pytest.fixture(scope="module")
def of_then(tmp_path_factory: pytest.TempPathFactory) -> Software:
    return unpack(FIRST, tmp_path_factory.mktemp("of-then"))


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(REFERENCE))
        return importlib.import_module("make_formats")


THEN = frozenset(
    {
        *("Policy", "Members", "FleetKeys", "Assignment", "RecallList"),
        *("Request", "Approval", "Evidence", "SiteRequest", "SiteAnswer", "Transfer", "Receipt"),
    }
)
"""What software of then had a type for, by its name, where `READ` looks for it."""

READING = (
    *("next", "list", "show vision/tiny/1", "show P-3", "show plant-7", "show plant-7-000002"),
    *("list sites", "list promotions", "team list", "audit list", "audit verify", "audit fsck"),
)


def test_f1_18_every_home_of_then_is_read(days: Days) -> None:
    for line in READING:
        days.hub(line)
    for line in ("status", "audit list", "audit verify", "audit fsck", "fsck", "verify medium"):
        days.site(line, "plant-7")
    assert {one["role"] for one in days.person(STEWARDS[0])("heads")["heads"]} >= {"team.vision"}


def test_f1_18_what_was_on_its_way_arrives(days: Days) -> None:
    """A bundle, a return, a receipt, an answer, and approvals that were given."""
    (home,) = days.hub("receive home")["returns"]
    assert home["size"] > 0
    done = days.site("import medium", "plant-7")
    assert {one["outcome"] for one in done["receipt"]["artifacts"]} == {"installed"}
    assert days.site("status", "plant-7")["runs"][0]["version"] == 2
    days.site("return --to home", "plant-7")
    days.hub("receive home")
    told = days.hub("show plant-9")
    typed = f"--fingerprint {days.paper} --words {told['words'].replace(' ', '-')}"
    days.site(f"init --answer plant-9.answer {typed}", "plant-9")
    second = days.trusting(APPROVERS[1])[0]
    days.carry_out("approve P-000003 --meaning validated --reason tested", second)
    days.hub(f"assign plant-7 vision/tiny/3 --for {GROUP}={TARGET} {KEY}")
    made = days.hub(f"export plant-7 --to medium {KEY}")
    days.site(f"import {made['folder']}", "plant-7")


def test_f1_18_drafts_of_then_are_signed_and_submitted(days: Days) -> None:
    ben = days.person(STEWARDS[1])
    line = (days.folder / "sign.txt").read_text()
    drafted = Drafted(days.folder / "unsigned.draft", line)
    days.submit(days.folder / "half.signed", ben.sign(drafted))
    assert "gina" in json.dumps(days.hub("team list"))


def test_f1_18_every_kind_of_document_is_read_and_spelled_as_it_was(
    unpacked: Path, maker: ModuleType
) -> None:
    kinds = {one.example: one for one in maker.FORMATS}
    files = sorted((unpacked / "documents").glob("*.json"))
    assert len(files) >= 18
    for file in files:
        data = file.read_bytes()
        one = kinds[file.name if file.name != "parity.json" else "scan.json"]
        if one.is_statement:
            signed = statements.read(one.kind, data, what=file.name)
            again = statements.payload(signed.predicate, signed.subjects)
            assert again == signed.envelope.payload, file.name
        else:
            assert shape.write(shape.read(one.kind, data, what=file.name)) == data, file.name


def test_f1_18_software_of_then_reads_what_is_written_now(
    of_then: Software, maker: ModuleType, tmp_path: Path
) -> None:
    """Every example that requires no feature of later: the other way round."""
    tried = 0
    for name, example in maker.examples().items():
        kind = next((f.kind.__name__ for f in maker.FORMATS if f.example == name), None)
        if kind not in THEN:
            continue
        file = tmp_path / name
        file.write_bytes(example.data)
        assert of_then.python(READ, kind, str(file)) == {}, name
        tried += 1
    assert tried == len(THEN)


def test_f1_18_a_site_of_then_takes_a_bundle_of_now(days: Days, of_then: Software) -> None:
    """Its home is of then and stays so: nothing of today has opened it."""
    days.hub("receive home")
    days.hub(f"assign plant-7 vision/tiny/1 --for {GROUP}={TARGET} {KEY} --back --reason worse")
    made = days.hub(f"export plant-7 --to medium {KEY}")
    home = days.folder / "plant-7"
    receipt = of_then.site(home, days.now, ["import", made["folder"]])["receipt"]
    assert {one["outcome"] for one in receipt["artifacts"]} == {"installed"}
    of_then.site(home, days.now, ["return", "--to", "home"])
    (told,) = days.hub("receive home")["returns"]
    assert told["receipts"]
    assert days.hub("show plant-7")["does_not_read"] == [
        features.CHECK_ROWS_TRAVEL.full,
        features.KEY_STATUS.full,
        features.CUT_VALIDITY.full,
        features.LATER_EVIDENCE.full,
        features.CHECK_ROWS.full,
    ]
