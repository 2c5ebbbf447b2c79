"""Software of before, really run: what it reads of today's, and what it says of the rest."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sealift_signing import features, shape, statements
from sealift_signing.policy import Policy
from sealift_signing.statements import Receipt
from tests.desk.days import Days
from tests.older.software import BEFORE_FEATURES, Software, unpack
from tests.registry.hub_fixture import GROUP, TARGET, copied
from tests.signing.test_formats import maker, told  # noqa: F401 - fixtures
from tests.trust import Keyring

READ = """
import json, sys
from pathlib import Path
from sealift_signing import documents, shape, statements
from sealift_signing.errors import SealiftError
kind = getattr(statements, sys.argv[1], None) or getattr(documents, sys.argv[1])
data = Path(sys.argv[2]).read_bytes()
try:
    if hasattr(kind, "PREDICATE_TYPE"):
        statements.read(kind, data, what="it")
    else:
        shape.read(kind, data, what="it")
    print(json.dumps({}))
except SealiftError as bad:
    print(json.dumps(bad.as_json()["error"]))
"""


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Software:
    return unpack(BEFORE_FEATURES, tmp_path_factory.mktemp("before"))


@pytest.fixture
def days(stocked: Path, tmp_path: Path) -> Iterator[Days]:
    """A hub of today with version 1 promoted, and nobody enrolled."""
    acme = copied(stocked, tmp_path)
    acme.promoted()
    acme.close()
    made = Days(tmp_path)
    made.first_trusts()
    made.person("dispatcher-1").card()
    yield made
    made.close()


def test_f1_15_a_site_with_software_of_before_goes_the_whole_way(
    days: Days, before: Software
) -> None:
    """It enrols at this hub, takes its bundles, what stops among them, and goes home."""
    home = days.folder / "older-site"
    before.site(
        home, days.now, f"init --id plant-9 --group {GROUP}={TARGET} --request plant-9.request"
    )
    enroll = "site enroll plant-9.request --stage production --dispatcher dispatcher-1.card"
    days.carry_out(enroll, *days.trusting("fleet-1"))
    answer = days.hub("site answer plant-9 --out plant-9.answer")
    words = answer["words"].replace(" ", "-")
    typed = f"--fingerprint {days.paper} --words {words}"
    before.site(home, days.now, f"init --answer plant-9.answer {typed}")
    key = "--key offline/dispatcher-1.pem"
    days.hub(f"assign plant-9 vision/tiny/1 --for {GROUP}={TARGET} {key}")
    (days.folder / "stick").mkdir()
    exported = days.hub(f"export plant-9 --to stick {key}")
    receipt = before.site(home, days.now, ["import", exported["folder"]])["receipt"]
    assert [one["outcome"] for one in receipt["artifacts"]] == ["installed"]
    before.site(home, days.now, "return --to stick")
    (home_again,) = days.hub("receive stick")["returns"]
    assert home_again["receipts"] == ["plant-9-000001"]
    shown = days.hub("show plant-9")
    missing = {one.full for one in features.FEATURES if not one.plain}
    assert set(shown["does_not_read"]) == {
        one for one in missing if one.partition(":")[0] in features.AT_A_SITE
    }
    days.hub(["unassign", "plant-9", "vision/tiny", "--reason", "closed", *key.split()])
    exported = days.hub(f"export plant-9 --to stick {key}")
    before.site(home, days.now, ["import", exported["folder"]])
    assert before.site(home, days.now, "status")["runs"] == []
    # Today's software takes the home over, and says so on its way home.
    days.site("return --to stick", "older-site")
    days.hub("receive stick")
    assert days.hub("show plant-9")["does_not_read"] == []
    assert days.site("status", "older-site")["runs"] == []


def test_f1_15_it_refuses_more_by_its_sentence_and_reads_what_has_none(
    before: Software,
    told: Mapping[str, Any],  # noqa: F811 - the fixture
    tmp_path: Path,
) -> None:
    """A hub of before takes a receipt of today, and refuses one that says more than it knows."""
    file = tmp_path / "receipt"
    data = told["receipt.json"].data
    file.write_bytes(data)
    assert before.python(READ, "Receipt", str(file)) == {}
    honest = statements.read(Receipt, data, what="it")
    more = replace(honest.predicate, more={"note": "new"})
    file.write_bytes(statements.sign(more, honest.subjects, Keyring()["plant-7"]))
    refused = before.python(READ, "Receipt", str(file))
    assert (refused["code"], refused["what"]) == (
        "bad-shape",
        "it has a member 'more' that is not known.",
    )


def test_f1_15_it_refuses_a_feature_that_it_lacks_by_name(
    before: Software,
    told: Mapping[str, Any],  # noqa: F811 - the fixture
    tmp_path: Path,
) -> None:
    file = tmp_path / "policy"
    value = json.loads(told["policy.json"].data)
    stage = next(iter(value["stages"].values()))
    stage["evidence_by_policy"] = {"as is": ["scan"]}
    value["requires"] = [features.EVIDENCE_BY_POLICY.spelled]
    policy = shape.from_json(Policy, value, what="it")
    file.write_bytes(shape.write(policy))
    refused = before.python(READ, "Policy", str(file))
    assert refused["code"] == "format-unknown"
    assert "'evidence-by-policy@0.1'" in refused["what"]
