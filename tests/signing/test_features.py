"""A document that says more than its reader knows: refused by name, or kept if it only informs."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import json
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest

import sealift_registry
import sealift_signing
import sealift_sync
from sealift_signing import documents, dsse, features, more_member, shape
from sealift_signing.errors import MalformedError, RefusedError
from sealift_signing.features import Feature
from sealift_signing.policy import Policy, read_policy
from sealift_signing.statements import Receipt, SiteRequest
from sealift_signing.transparency.extract import Extract
from tests.signing.test_formats import maker, told  # noqa: F401 - fixtures
from tests.trust import STAGE, Promotion, rule

OURS = (sealift_signing, sealift_sync, sealift_registry)
INFORM = (Receipt, SiteRequest, Extract)
SHOW_IT = frozenset(
    {
        "sealift_registry/delivery/returns.py",
        "sealift_registry/receiving.py",
        "sealift_registry/shown/site.py",
        "sealift_registry/shown/transfer.py",
        "sealift_signing/acts/sites.py",
    }
)
"""Modules that may read `more` of a document: they show it, or hand it to whoever shows it."""
LINES = frozenset({"done", "accepted", "told", "self"})
"""Names of what is no document and has lines of its own under `more`."""


def modules() -> Iterator[Any]:
    for package in OURS:
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith(("__main__", "_worker")):
                yield importlib.import_module(found.name)


def kinds() -> set[type[Any]]:
    """Every type of ours that has members of its own under `requires`."""
    found = set()
    for module in modules():
        for value in vars(module).values():
            ours = getattr(value, "__module__", "").startswith("sealift_")
            if isinstance(value, type) and dataclasses.is_dataclass(value) and ours:
                names = {field.name for field in dataclasses.fields(value)}
                found |= {value} if {"format", "requires"} <= names else set()
    return found


def test_f1_01_every_kind_of_document_has_a_name_of_its_own() -> None:
    found = sorted(shape.document_name(one) for one in kinds())
    assert "" not in found
    assert len(found) == len(set(found)) >= 26
    assert {one.document for one in features.FEATURES} <= set(found)
    assert set(features.AT_A_SITE) <= set(found)
    full = [one.full for one in features.FEATURES]
    assert len(full) == len(set(full))


def test_f1_02_a_feature_is_one_of_its_own_document(told: Mapping[str, Any]) -> None:  # noqa: F811 - the fixture
    """What a transfer may require means nothing in a policy, and so is not passed over there."""
    policy = json.loads(told["policy.json"].data)
    for one in features.FEATURES:
        said = policy | {"requires": [one.spelled]}
        if one.document == "policy":
            shape.from_json(Policy, said, what="policy.json")
            continue
        with pytest.raises(RefusedError) as error:
            shape.from_json(Policy, said, what="policy.json")
        assert error.value.code == "format-unknown"


@pytest.mark.parametrize(
    "requires,words",
    [
        (["x"], "the feature 'x', which"),
        (["x@0.3"], "the feature 'x' (of Sealift '0.3', it says), which"),
        (
            ["b@0.10", "retire@0.2", "a"],
            (
                "the features 'a', 'b' (of Sealift '0.10', it says), "
                "'retire' (of Sealift '0.2', it says), which"
            ),
        ),
        (["X y"], "the feature 'X y', which"),
        (["x@newest"], "the feature 'x@newest', which"),
    ],
)
def test_f1_03_a_reader_names_all_that_it_lacks_and_the_release_that_has_it(
    requires: list[str],
    words: str,
    told: Mapping[str, Any],  # noqa: F811 - the fixture
) -> None:
    said = json.loads(told["policy.json"].data) | {"requires": requires, "what-is-new": {}}
    with pytest.raises(RefusedError) as error:
        shape.from_json(Policy, said, what="policy.json")
    assert error.value.code == "format-unknown"
    assert f"policy.json needs {words} this version of Sealift does not read." in error.value.what
    # Nobody's signature was looked at: no release is advised by what a stranger may have written.
    assert "Ask whoever sent it, in another way" in error.value.next_step
    assert not any(one.isdigit() for one in error.value.next_step)


def test_f1_03_a_thousand_features_are_told_in_one_line(
    told: Mapping[str, Any],  # noqa: F811 - the fixture
) -> None:
    said = json.loads(told["policy.json"].data) | {"requires": [f"f{n}" for n in range(100_000)]}
    with pytest.raises(RefusedError) as error:
        shape.from_json(Policy, said, what="policy.json")
    assert len(str(error.value)) < 600
    assert "'f0', 'f1', 'f10'" in error.value.what
    assert "and 99,990 more, which" in error.value.what
    assert "\n" not in str(error.value)


def objects(hint: Any, value: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - a type, and JSON
    """Every object in a document whose members a type of ours names."""
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        yield value
        for name, inner in shape._field_hints(hint).items():
            yield from objects(inner, value[name]) if name in value else ()
        return
    inner = [one for one in get_args(hint) if one is not type(None) and one is not Ellipsis]
    if get_origin(hint) is Mapping and isinstance(value, dict):
        for one in value.values():
            yield from objects(inner[1], one)
    elif get_origin(hint) is tuple:
        for one in value:
            yield from objects(inner[0], one)
    elif inner and get_origin(hint) is not Literal:
        yield from objects(inner[0], value)


def test_f1_04_what_bears_trust_is_strict_at_every_depth(
    maker: Any,  # noqa: ANN401, F811 - a module
    told: Mapping[str, Any],  # noqa: F811 - the fixture
) -> None:
    """One more member, in any object of any document, is refused."""
    tried = 0
    for one in maker.FORMATS:
        data = told[one.example].data
        value = json.loads(data)
        if one.is_statement:
            value = json.loads(dsse.read(data, what="it").payload)["predicate"]
        for place in range(len(list(objects(one.kind, value)))):
            spoiled = json.loads(json.dumps(value))
            list(objects(one.kind, spoiled))[place]["what-is-new"] = True
            tried += 1
            with pytest.raises(MalformedError) as error:
                shape.from_json(one.kind, spoiled, what="it")
            assert "has a member 'what-is-new' that is not known" in error.value.what
    assert tried > 50


def test_f1_05_what_informs_says_anything_under_more(
    told: Mapping[str, Any],  # noqa: F811 - the fixture
) -> None:
    """It is kept byte by byte, and absent where there is nothing in it."""
    more = {"power": {"watts": 12, "by": ["line-1"]}, "note": "it rained"}
    for kind, name in ((Receipt, "receipt.json"), (SiteRequest, "site-request.json")):
        value = json.loads(dsse.read(told[name].data, what=name).payload)["predicate"]
        assert "more" not in value
        read: Any = shape.from_json(kind, value | {"more": more}, what=name)
        assert shape.to_json(read)["more"] == more
    assert list(more_member.more_words(more)) == [
        "besides, note: “it rained”",
        'besides, power: “{"by":["line-1"],"watts":12}”',
    ]


def test_f1_05_a_reader_keeps_no_more_of_it_than_people_carry(
    told: Mapping[str, Any],  # noqa: F811 - the fixture
) -> None:
    value = json.loads(dsse.read(told["receipt.json"].data, what="it").payload)["predicate"]
    room = shape.LARGEST_MORE - len('{"n":""}')
    shape.from_json(Receipt, value | {"more": {"n": "x" * room}}, what="it")
    with pytest.raises(MalformedError, match="longer than 65,536 bytes"):
        shape.from_json(Receipt, value | {"more": {"n": "x" * (room + 1)}}, what="it")


def test_f1_05_of_very_much_under_more_people_see_some() -> None:
    many = {f"n{number}": "x\n" * 1_000_000 for number in range(50)}
    lines = list(more_member.more_words(many))
    assert len(lines) == more_member.MOST_SHOWN + 1
    assert all(len(one) < 1_000 and "\n" not in one for one in lines)
    assert lines[-1] == "besides, 30 things more"


def test_f1_05_only_what_informs_has_such_a_member() -> None:
    found = {one for one in kinds() if "more" in {f.name for f in dataclasses.fields(one)}}
    assert found == set(INFORM)


def test_f1_06_no_rule_reads_it() -> None:
    """Neither `.more` of a document nor what is under "more" in details, but where it is shown."""
    found = set()
    for package in OURS:
        root = Path(package.__path__[0])
        for file in root.rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if not isinstance(node, ast.Attribute) or node.attr != "more":
                    continue
                lines = isinstance(node.value, ast.Name) and node.value.id in LINES
                if isinstance(node.ctx, ast.Load) and not lines:
                    found.add(str(file.relative_to(root.parent)))
    assert found == SHOW_IT
    quoted = {
        str(file.relative_to(Path(package.__path__[0]).parent))
        for package in OURS
        for file in Path(package.__path__[0]).rglob("*.py")
        if '"more"' in file.read_text()
    }
    # The other one says of a log that there is "more" that is wrong with it.
    assert quoted == {"sealift_signing/more_member.py", "sealift_signing/transparency/verdict.py"}


@pytest.mark.parametrize("newer", ["0.3", "0.10", "1.0"])
def test_f1_07_what_software_reads_is_told_and_compared_by_name(newer: str) -> None:
    reads = features.reads(features.AT_A_SITE)
    assert {"transfer:1", "transfer:packs", "assignment:retire", "policy:1"} <= set(reads)
    assert list(reads) == sorted(set(reads))
    needs = features.named("transfer", ["packs", f"deltas@{newer}"])
    assert needs == (f"transfer:deltas@{newer}", "transfer:packs")
    assert features.unread(needs, reads) == (f"transfer:deltas@{newer}",)
    # Software of before told nothing but this, and read what the last of it read.
    assert features.unread(["transfer:packs", "assignment:back"], ("transfer:1",)) == ()
    by_policy = features.EVIDENCE_BY_POLICY.full
    assert features.unread([by_policy], ("transfer:1",)) == (by_policy,)


def test_f1_07_a_feature_that_comes_later_bears_its_release() -> None:
    """Those that stand by their names alone are the ones that were there before."""
    assert {one for one in features.FEATURES if one.plain} == set(features.READ_BEFORE)
    later = Feature("transfer", "deltas", "0.3", "a blob is the difference to another one")
    assert (later.spelled, later.full) == ("deltas@0.3", "transfer:deltas")


# ---------------------------------------------------------------- evidence by artifact policy


AS_IS = features.ARTIFACT_POLICIES.spelled
BY_POLICY = features.EVIDENCE_BY_POLICY.spelled


def policy_with(**asked: tuple[str, ...]) -> Policy:
    by_policy = {name.replace("_", " "): kinds for name, kinds in asked.items()}
    one = replace(rule(), evidence_by_policy=by_policy or None)
    return Policy(1, (BY_POLICY,) if by_policy else (), "Example", {STAGE: one}, {})


def test_f1_10_a_policy_that_asks_by_artifact_policy_requires_the_feature() -> None:
    good = policy_with(as_is=("scan",))
    assert read_policy(shape.write(good)) == good
    assert good.stages[STAGE].evidence_of("as is") == ("scan",)
    assert good.stages[STAGE].evidence_of("prebuilt") == good.stages[STAGE].evidence
    for bad in (
        replace(good, requires=()),
        policy_with(portable=("scan",)),
        policy_with(as_is=()),
        replace(good, stages={STAGE: replace(rule(), evidence_by_policy={})}),
        policy_with(whatever=("scan",)),
    ):
        with pytest.raises(MalformedError) as error:
            read_policy(shape.write(bad))
        assert error.value.code in {"bad-policy", "bad-shape"}


@pytest.mark.parametrize("kind", ["runtimes", "regression"])
def test_p0_208_a_policy_that_asks_for_a_later_kind_requires_the_feature(kind: str) -> None:
    """A reader that does not know it says so, in place of holding every artifact."""
    later = features.LATER_EVIDENCE.spelled
    one = replace(rule(), evidence=("scan", "parity", kind))
    good = Policy(1, (later,), "Example", {STAGE: one}, {})
    assert read_policy(shape.write(good)) == good
    by_policy = replace(rule(), evidence_by_policy={"as is": ("scan", kind)})
    for bad in (
        replace(good, requires=()),
        replace(good, requires=(BY_POLICY,), stages={STAGE: by_policy}),
    ):
        with pytest.raises(MalformedError) as error:
            read_policy(shape.write(bad))
        assert error.value.code == "bad-policy"
        assert later in error.value.what


@pytest.fixture
def promotion() -> Promotion:
    return Promotion()


def asked_for(promotion: Promotion, **changes: Any) -> documents.AssignedArtifact:  # noqa: ANN401 - any member
    """An artifact with a scan and no parity, which its request may call what it likes."""
    evidence = (promotion.evidence("scan", "scanner-1"),)
    request = promotion.request(evidence, **changes)
    approvals = (promotion.approve(request, "bert"), promotion.approve(request, "carla"))
    return replace(promotion.assigned(), request=request, approvals=approvals, evidence=evidence)


def test_f1_11_what_travels_as_it_is_needs_no_parity(promotion: Promotion) -> None:
    from tests.signing.test_site_rules import held, judged

    said = {"requires": (AS_IS,), "artifact_policies": {promotion.path: "as is"}}
    artifact = asked_for(promotion, **said)
    assert judged(promotion, artifact, policy=policy_with(as_is=("scan",))).enough
    # Where the policy says nothing of it, it is asked for all that anything is asked for.
    for policy in (policy_with(), policy_with(prebuilt=("scan",))):
        error = held(promotion, artifact, policy=policy)
        assert (error.code, "parity" in error.what) == ("no-evidence", True)


def test_f1_11_what_failed_is_held_whatever_it_is_called(promotion: Promotion) -> None:
    """A conversion whose parity failed is called something that needs none."""
    from tests.signing.test_site_rules import held

    scan = promotion.evidence("scan", "scanner-1")
    parity = promotion.evidence("parity", "builder-1", verdict="fail", check="fail")
    said: dict[str, Any] = {"requires": (AS_IS,), "artifact_policies": {promotion.path: "as is"}}
    request = promotion.request((scan, parity), **said)
    approvals = (promotion.approve(request, "bert"), promotion.approve(request, "carla"))
    artifact = replace(
        promotion.assigned(), request=request, approvals=approvals, evidence=(scan, parity)
    )
    error = held(promotion, artifact, policy=policy_with(as_is=("scan",)))
    assert (error.code, "parity" in error.what) == ("evidence-failed", True)


def test_f1_11_other_evidence_can_be_asked_of_it_too(promotion: Promotion) -> None:
    from tests.signing.test_site_rules import held

    said = {"requires": (AS_IS,), "artifact_policies": {promotion.path: "as is"}}
    error = held(promotion, asked_for(promotion, **said), policy=policy_with(as_is=("samples",)))
    assert (error.code, "samples" in error.what) == ("no-evidence", True)


@pytest.mark.parametrize(
    "attack",
    [
        {},
        {"artifact_policies": {"catalog/vision/digits/3/cpu-x86_64": "as is"}},
        {"requires": (AS_IS,), "artifact_policies": {"catalog/vision/digits/3/source": "as is"}},
        {
            "requires": (AS_IS,),
            "artifact_policies": {"catalog/vision/digits/4/cpu-x86_64": "as is"},
        },
        {
            "requires": (AS_IS,),
            "artifact_policies": {"catalog/vision/digits/3/cpu-x86_64": "portable"},
        },
        {"requires": (AS_IS,), "artifact_policies": {}},
        {"requires": (AS_IS,)},
    ],
)
def test_f1_12_only_a_request_that_says_it_plainly_is_believed(
    promotion: Promotion, attack: dict[str, Any]
) -> None:
    """Nobody else says it: not the hub, not the catalog, and no request of another artifact."""
    from tests.signing.test_site_rules import held

    error = held(promotion, asked_for(promotion, **attack), policy=policy_with(as_is=("scan",)))
    assert error.code in {"no-evidence", "not-requested"}
