"""Signed statements: read strictly, about subjects that cannot be confused."""

from dataclasses import replace
from typing import Any

import pytest

from sealift_signing import canonical, dsse, statements
from sealift_signing.errors import BadSignatureError, MalformedError, NoKeyError, RefusedError
from sealift_signing.statements import Approval, Evidence, Request
from tests.trust import Promotion

PROMOTION = Promotion()
DIGEST = PROMOTION.evidence("scan", "scanner-1")
DATA = PROMOTION.carried[DIGEST]
KEY = PROMOTION.keys.public("scanner-1")


def statement() -> Any:  # noqa: ANN401 - JSON, to be spoiled
    return canonical.decode(dsse.read(DATA, what="it").payload, what="it")


def signed(value: Any, payload_type: str = dsse.IN_TOTO) -> bytes:  # noqa: ANN401 - any JSON
    """An envelope of anything, signed by a key that may sign."""
    return dsse.sign(payload_type, canonical.encode(value), PROMOTION.keys["scanner-1"])


def test_what_was_signed_is_read_and_verified() -> None:
    found = statements.read(Evidence, DATA, what="the scan")
    statements.verify(found, KEY, what="the scan")
    assert found.predicate.kind == "scan"
    assert found.subjects == PROMOTION.subjects
    assert found.sha256 == DIGEST
    assert statements.predicate_type(DATA, what="the scan") == Evidence.PREDICATE_TYPE


def test_a_statement_is_about_a_name_and_a_digest_together() -> None:
    found = statements.read(Evidence, DATA, what="the scan")
    (first, second) = PROMOTION.subjects
    assert found.about(first.name, first.sha256)
    assert not found.about(first.name, second.sha256)
    assert not found.about(second.name, first.sha256)


def test_another_key_did_not_sign_it() -> None:
    found = statements.read(Evidence, DATA, what="the scan")
    with pytest.raises(NoKeyError):
        statements.verify(found, PROMOTION.keys.public("builder-1"), what="the scan")


def test_a_changed_statement_is_not_verified() -> None:
    changed = PROMOTION.evidence("scan", "scanner-1", machine="another")
    ours, theirs = (
        canonical.decode(data, what="it") for data in (DATA, PROMOTION.carried[changed])
    )
    assert isinstance(ours, dict)
    assert isinstance(theirs, dict)
    mixed = canonical.encode(ours | {"payload": theirs["payload"]})
    found = statements.read(Evidence, mixed, what="the scan")
    with pytest.raises(BadSignatureError):
        statements.verify(found, KEY, what="the scan")


@pytest.mark.parametrize(
    "members,code",
    [
        ({"_type": "https://in-toto.io/Statement/v0.1"}, "wrong-statement"),
        ({"predicateType": "urn:sealift:approval:1"}, "wrong-statement"),
        ({"predicateType": 5}, "wrong-statement"),
        ({"extra": 1}, "not-a-statement"),
        ({"predicate": []}, "not-a-statement"),
        ({"predicate": {}}, "bad-shape"),
        ({"subject": []}, "no-subject"),
        ({"subject": {}}, "no-subject"),
        ({"subject": 5}, "no-subject"),
        ({"subject": ["x"]}, "no-subject"),
        ({"subject": [{"name": "x"}]}, "bad-shape"),
        ({"subject": [{"name": "../x", "digest": {"sha256": "a" * 64}}]}, "bad-shape"),
        ({"subject": [{"name": "x", "digest": {"sha512": "a" * 128}}]}, "bad-shape"),
        (
            {"subject": [{"name": "x", "digest": {"sha256": "a" * 64, "md5": "a" * 32}}]},
            "bad-shape",
        ),
    ],
)
def test_anything_but_our_statement_is_refused(members: dict[str, Any], code: str) -> None:
    with pytest.raises(RefusedError) as error:
        statements.read(Evidence, signed(statement() | members), what="the scan")
    assert error.value.code == code


@pytest.mark.parametrize(
    "second",
    [
        {"name": "x", "digest": {"sha256": "b" * 64}},
        {"name": "y", "digest": {"sha256": "a" * 64}},
    ],
)
def test_no_two_subjects_share_a_name_or_a_digest(second: dict[str, Any]) -> None:
    first = {"name": "x", "digest": {"sha256": "a" * 64}}
    with pytest.raises(MalformedError) as error:
        statements.read(
            Evidence, signed(statement() | {"subject": [first, second]}), what="the scan"
        )
    assert error.value.code == "subject-twice"


def test_another_payload_type_is_no_statement() -> None:
    data = signed(statement(), "application/json")
    with pytest.raises(MalformedError) as error:
        statements.read(Evidence, data, what="the scan")
    assert error.value.code == "not-a-statement"


@pytest.mark.parametrize("value", [[], "x", 1, {}, {"predicateType": 1}])
def test_what_is_no_statement_is_not_read(value: Any) -> None:  # noqa: ANN401 - any JSON
    with pytest.raises(MalformedError) as error:
        statements.predicate_type(signed(value), what="it")
    assert error.value.code == "not-a-statement"
    with pytest.raises(MalformedError) as error:
        statements.read(Evidence, signed(value), what="it")
    assert error.value.code == "not-a-statement"


@pytest.mark.parametrize("kind", [Request, Approval])
def test_one_statement_is_not_read_as_another(kind: type[Request | Approval]) -> None:
    with pytest.raises(MalformedError) as error:
        statements.read(kind, DATA, what="it")
    assert error.value.code == "wrong-statement"


@pytest.mark.parametrize("wrong", [{"machine": ""}, {"requires": ("x",)}, {"made": "today"}])
def test_what_no_reader_would_accept_is_not_signed(wrong: dict[str, Any]) -> None:
    evidence = statements.read(Evidence, DATA, what="it").predicate
    with pytest.raises(RefusedError):
        statements.sign(replace(evidence, **wrong), PROMOTION.subjects, PROMOTION.keys["scanner-1"])


def test_nothing_is_signed_about_nothing() -> None:
    evidence = statements.read(Evidence, DATA, what="it").predicate
    with pytest.raises(MalformedError) as error:
        statements.sign(evidence, (), PROMOTION.keys["scanner-1"])
    assert error.value.code == "no-subject"
