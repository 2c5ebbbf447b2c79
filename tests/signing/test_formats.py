"""docs/reference/formats.md says what the code does: it is generated, its examples are real."""

import base64
import importlib
import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import jsonschema
import pytest
from tuf.api.metadata import Root

from sealift_signing import account_binding, documents, dsse, roles, shape, statements
from sealift_signing.policy import Policy, read_policy
from sealift_signing.transparency import checkpoint, entry
from sealift_signing.tuf_walk import check_signed, read_metadata

REFERENCE = Path(__file__).parent.parent.parent / "docs" / "reference"
DOCUMENTS = [
    "policy.json",
    "members.json",
    "keys.json",
    "assignment.json",
    "recall.json",
    "lineage.json",
    "version.json",
    "memory.json",
    "known.json",
    "request.json",
    "approval.json",
    "account-binding.json",
    "scan.json",
    "parity.json",
    "proof-report.json",
    "runtimes-report.json",
    "regression-report.json",
    "order.json",
    "result.json",
    "site-request.json",
    "site-answer.json",
    "transfer.json",
    "check-rows.json",
    "receipt.json",
    "extract.json",
    "entry.json",
]
SCHEMA_OF = {
    "order.json": "work-order.json",
    "result.json": "build-result.json",
    "version.json": "version-given-back.json",
    "memory.json": "shared-memory.json",
    "scan.json": "evidence.json",
    "parity.json": "evidence.json",
    "entry.json": "log-entry.json",
}


Told = Mapping[str, Any]
"""The examples, from a module that is found at run time."""


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    """The program that writes the page."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(REFERENCE))
        return importlib.import_module("make_formats")


@pytest.fixture(scope="module")
def told(maker: ModuleType) -> Told:
    return cast("Told", maker.examples())


def schema_text(name: str) -> dict[str, Any]:
    found = json.loads((REFERENCE / "schemas" / SCHEMA_OF.get(name, name)).read_bytes())
    assert isinstance(found, dict)
    jsonschema.Draft202012Validator.check_schema(found)
    return found


def schema(name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(schema_text(name))


def stated(data: bytes) -> Any:  # noqa: ANN401 - JSON
    """What a document says: an envelope's payload, or the document itself."""
    value = json.loads(data)
    return json.loads(dsse.read(data, what="it").payload) if "payload" in value else value


def test_the_page_the_schemas_and_the_examples_are_the_generated_ones(maker: ModuleType) -> None:
    made = maker.files()
    there = {
        str(file.relative_to(REFERENCE))
        for folder in ("schemas", "examples")
        for file in (REFERENCE / folder).iterdir()
    }
    assert there | {"formats.md"} == set(made)
    for path, data in made.items():
        assert (REFERENCE / path).read_bytes() == data, (
            f"{path} is out of date: run .venv/bin/python docs/reference/make_formats.py"
        )


def test_every_document_has_a_section_and_an_example(maker: ModuleType) -> None:
    page = (REFERENCE / "formats.md").read_text()
    for one in maker.FORMATS:
        assert f"\n## {one.title}\n" in page
    assert {one.example for one in maker.FORMATS} | {"parity.json"} == set(DOCUMENTS)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_an_example_fits_its_schema(name: str, told: Told) -> None:
    data = told[name].data
    schema(name).validate(stated(data))
    if told[name].signer:
        schema("envelope.json").validate(json.loads(data))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_schema_is_as_strict_as_the_reader(name: str, told: Told) -> None:
    value = stated(told[name].data)
    rules = schema(name)
    assert not rules.is_valid(value | {"unheard-of": 1})
    for member in schema_text(name)["required"]:
        assert not rules.is_valid(without(value, member))
    if "predicate" in value:
        for member in schema_text(name)["properties"]["predicate"]["required"]:
            spoiled = value | {"predicate": without(value["predicate"], member)}
            assert not rules.is_valid(spoiled)


def without(value: dict[str, Any], member: str) -> dict[str, Any]:
    assert member in value
    return {name: item for name, item in value.items() if name != member}


def test_the_examples_that_tuf_signs_are_read(told: Told) -> None:
    assert set(read_policy(told["policy.json"].data).stages) == {"staging", "production"}
    assert documents.read_members(told["members.json"].data, "vision").people
    assert documents.read_fleet_keys(told["keys.json"].data).of("scanner")
    assert documents.read_assignment(told["assignment.json"].data, "plant-7").groups
    assert documents.read_recalls(told["recall.json"].data).recalls
    assert entry.read_entry(told["entry.json"].data).type == "promotion.approved"


@pytest.mark.parametrize(
    "name,kind",
    [
        ("request.json", statements.Request),
        ("approval.json", statements.Approval),
        ("account-binding.json", account_binding.AccountBinding),
        ("scan.json", statements.Evidence),
        ("parity.json", statements.Evidence),
        ("site-request.json", statements.SiteRequest),
        ("site-answer.json", statements.SiteAnswer),
        ("transfer.json", statements.Transfer),
        ("receipt.json", statements.Receipt),
    ],
)
def test_the_examples_that_people_and_machines_sign_are_verified(
    name: str,
    kind: type[statements.Request],
    maker: ModuleType,
    told: Told,
) -> None:
    example = told[name]
    found = statements.read(kind, example.data, what=name)
    key = importlib.import_module("format_examples").public(example.signer)
    statements.verify(found, key, what=name)


def test_the_example_of_a_checkpoint_is_verified(told: Told) -> None:
    example = told["checkpoint.txt"]
    key = importlib.import_module("format_examples").public(example.signer)
    origin = checkpoint.claimed(example.data).origin
    assert checkpoint.verify(example.data, key, origin).size == 1204


def test_the_examples_hold_together(told: Told) -> None:
    def named(name: str) -> str:
        return sha256(told[name].data).hexdigest()

    answer = statements.read(statements.SiteAnswer, told["site-answer.json"].data, what="it")
    (first,) = (base64.b64decode(root) for root in answer.predicate.roots)
    root = read_metadata(first, "root", Root)
    check_signed(root.signed, "root", root)
    assert roles.keyholders(root.signed, "root").real_threshold == 2
    assert sha256(first).hexdigest() == answer.predicate.organisation
    approval = statements.read(statements.Approval, told["approval.json"].data, what="it")
    assert approval.predicate.request == named("request.json")
    request = statements.read(statements.Request, told["request.json"].data, what="it")
    assert request.predicate.evidence == (named("scan.json"), named("parity.json"))
    assert request.subjects == approval.subjects
    assigned = documents.read_assignment(told["assignment.json"].data, "plant-7")
    ((_, _, artifact),) = assigned.artifacts()
    assert artifact.request == named("request.json")
    assert request.about(artifact.path, artifact.sha256)
    assert assigned.enrolment == named("site-answer.json")
    receipt = statements.read(statements.Receipt, told["receipt.json"].data, what="it")
    assert receipt.subjects[0].sha256 == named("transfer.json")


def test_a_changed_type_would_change_the_page(maker: ModuleType) -> None:
    """The page cannot drift: its tables and schemas come from the very types that readers use."""
    assert maker.schemas()["policy.json"] == shape.schema(Policy, title="policy.json")
