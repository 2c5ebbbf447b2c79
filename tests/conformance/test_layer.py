"""The layer of strict rules: each refuses what the letter takes, and none is ever left out."""

import ast
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from securesystemslib.signer import CryptoSigner, Key, SSlibKey
from tuf.api.metadata import Metadata, MetaFile

from sealift_signing import publishing, roles, tuf_walk
from sealift_signing.errors import RefusedError
from sealift_signing.walk.layer import STRICT, Rule, Rules
from sealift_signing.walk.letter import LetterWalk
from sealift_signing.walk.steps import MOST_ROOTS, RoleKey, drive
from tests.signing.test_tuf_walk import forge
from tests.signing.test_weak_keys import SMALL, Anybody
from tests.trust import NOW, Keyring, Repository

ROOT = Path(__file__).parent.parent.parent
KEYS = Keyring()
Before = dict[RoleKey, bytes]


def walk(repository: Repository, before: Before, rules: Rules) -> Before:
    """Visit all of it by the letter and `rules`; what was kept."""
    made = LetterWalk(
        repository.files["1.root.json"], before, NOW, rules=rules, most_roots=MOST_ROOTS
    )
    return visit(made, repository)


def visit(made: LetterWalk, repository: Repository) -> Before:
    kept: Before = {}

    def keep(step: tuf_walk.Keep) -> None:
        kept[step.delegator, step.role] = step.data

    drive(made.top(), repository.fetch, keep)
    for role in repository.holders:
        if role not in roles.TOP_ROLES:
            drive(made.delegated(roles.delegator(role), role), repository.fetch, keep)
    return kept


# ---------------------------------------------------------------- a witness for each rule


def indented(repository: Repository) -> Before:
    value = json.loads(repository.files["1.fleet.json"])
    repository.files["1.fleet.json"] = json.dumps(value, indent=1).encode()
    return {}


def true_is_one(repository: Repository) -> Before:
    forge(repository, "1.fleet.json", "fleet", lambda signed: signed.update(version=True))
    return {}


def sha512_only(repository: Repository) -> Before:
    named = MetaFile.from_data(1, repository.files["1.fleet.json"], ["sha512"])
    forge(
        repository,
        "1.snapshot.json",
        "snapshot",
        lambda signed: signed["meta"].update({"fleet.json": named.to_dict()}),
    )
    return {}


def fleet_by(repository: Repository, *others: CryptoSigner) -> Before:
    """`fleet` held and signed by flora and others beside her."""
    with repository.next("targets") as signed:
        for other in others:
            signed.add_key(other.public_key, "fleet")
    with repository.next("fleet", signers=[KEYS["flora"], *others]):
        pass
    return {}


def by_rsa_too(repository: Repository) -> Before:
    return fleet_by(repository, CryptoSigner.generate_rsa())


def by_another_id(repository: Repository) -> Before:
    return fleet_by(repository, CryptoSigner.generate_ed25519(keyid="f" * 64))


def by_anybody(repository: Repository) -> Before:
    anybody = Anybody(SMALL[0])
    with repository.next("targets") as signed:
        publishing.delegate(signed, "recall", 1, {"nobody": anybody.key})
    with repository.next("recall", signers=[anybody]):
        pass
    return {}


def team_by(repository: Repository, second: CryptoSigner, key: Key) -> Before:
    """`team.vision`, which two must sign, signed by stella and what stands for another."""
    with repository.next("targets") as signed:
        signed.add_key(key, "team.vision")
    with repository.next("team.vision", signers=[KEYS["stella"], second]):
        pass
    return {}


def one_key_twice(repository: Repository) -> Before:
    value = KEYS["stella"].public_key.to_dict()
    again = SSlibKey.from_dict("f" * 64, value)
    return team_by(repository, CryptoSigner(KEYS["stella"]._private_key, again), again)


def one_person_twice(repository: Repository) -> Before:
    key = publishing.named_key(KEYS.public("stella-2"), "stella")
    return team_by(repository, KEYS["stella-2"], key)


def taken_back(repository: Repository) -> Before:
    older = repository.files["1.fleet.json"]
    with repository.next("fleet"):
        pass
    kept = walk(repository, {}, ())
    repository.store("fleet", older, Metadata.from_bytes(older))
    repository.current.pop("snapshot")
    repository.refresh()
    return {("targets", "fleet"): kept["targets", "fleet"]}


def signed_twice(repository: Repository) -> Before:
    kept = walk(repository, {}, ())
    forge(repository, "1.fleet.json", "fleet", lambda signed: signed.update(note="another"))
    return {("targets", "fleet"): kept["targets", "fleet"]}


WITNESSES: dict[str, tuple[Callable[[Repository], Before], str]] = {
    "one spelling": (indented, "metadata-not-canonical"),
    "plain numbers": (true_is_one, "metadata-number"),
    "sha256": (sha512_only, "metadata-differs"),
    "two schemes": (by_rsa_too, "bad-public-key"),
    "computed keyids": (by_another_id, "keyid-not-computed"),
    "owned keys": (by_anybody, "no-key"),
    "distinct keys": (one_key_twice, "not-signed-enough"),
    "distinct people": (one_person_twice, "not-signed-enough"),
    "no way back": (taken_back, "role-went-back"),
    "no forks": (signed_twice, "role-forked"),
}
"""What the letter takes and the rule refuses, with what it says."""


@pytest.mark.parametrize("rule", STRICT, ids=lambda rule: rule.name)
def test_t1_37_each_rule_refuses_what_the_letter_takes(rule: Rule) -> None:
    repository = Repository(KEYS, links=False)
    make, code = WITNESSES[rule.name]
    before = make(repository)
    walk(repository, before, ())
    with pytest.raises(RefusedError) as error:
        walk(repository, before, (rule,))
    assert error.value.code == code
    with pytest.raises(RefusedError):
        repository.walk(before)


def test_each_rule_has_a_name_and_a_reason_and_a_place_in_the_layer() -> None:
    names = [rule.name for rule in STRICT]
    assert sorted(names) == sorted(WITNESSES)
    assert {type(rule) for rule in STRICT} == set(Rule.__subclasses__())
    for rule in STRICT:
        assert rule.reason.endswith(".")
        assert rule.refuses.split()[0] in {"refuses", "counts"}
        assert "," not in rule.name  # they are listed with commas between


def test_what_our_own_hub_writes_is_the_same_with_the_layer_and_without() -> None:
    repository = Repository(KEYS)
    assert repository.walk()[1] == walk(repository, {}, ())


FORGED = (
    ("timestamp.json", "timestamp", ("version", "expires", "note")),
    ("1.snapshot.json", "snapshot", ("version", "expires", "note", "spec_version")),
    ("1.targets.json", "targets", ("version", "expires", "targets")),
    ("1.fleet.json", "fleet", ("version", "expires", "targets", "note")),
)
VALUES = st.one_of(
    st.integers(-1, 3),
    st.just(2**53 + 1),
    st.booleans(),
    st.none(),
    st.text(max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    st.sampled_from([f"{year}-01-01T00:00:00Z" for year in (1970, 2026, 2999)]),
)


@given(
    place=st.sampled_from([(f, r, m) for f, r, members in FORGED for m in members]), value=VALUES
)
@settings(max_examples=80, deadline=None)
def test_t1_37_the_layer_takes_nothing_that_the_letter_refuses(
    place: tuple[str, str, str], value: object
) -> None:
    """Whatever somebody says who holds the keys: with the layer less is taken, never more."""
    file, role, member = place
    repository = Repository(KEYS, links=False)
    _, kept = repository.walk()
    with suppress(TypeError):  # of what cannot be spelled there is no signature
        forge(repository, file, role, lambda signed: signed.update({member: value}))
    for before in ({}, kept):
        try:
            _, strictly = repository.walk(before)
        except RefusedError:
            continue
        assert walk(repository, before, ()) == strictly


# ---------------------------------------------------------------- nobody leaves it out


def test_nobody_walks_without_rules_by_saying_nothing() -> None:
    root = Repository(KEYS).files["1.root.json"]
    with pytest.raises(TypeError, match="rules"):
        LetterWalk(root, {}, NOW)  # type: ignore[call-arg]
    assert tuf_walk.Walk(root, {}, NOW)._rules is STRICT
    with pytest.raises(TypeError):
        tuf_walk.Walk(root, {}, NOW, rules=())  # type: ignore[call-arg]


DOOR = "signing/sealift_signing/tuf_walk.py"
INSIDE = ("signing/sealift_signing/walk/", "tests/conformance/")
SOURCES = ("docs", "migrations", "offline-sync", "registry", "signing", "tests")


def ways_around(text: str) -> Iterator[str]:
    """What a file says that would get at the walk without the layer."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names if one.name.startswith(LETTER))
        elif isinstance(node, ast.ImportFrom):
            yield from _imported(node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from (node.value for _ in [0] if node.value.startswith(LETTER))
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "tuf_walk":
            yield from ([] if node.attr in {*tuf_walk.__all__, "measure"} else [node.attr])


LETTER = "sealift_signing." + "walk"


def _imported(node: ast.ImportFrom) -> Iterator[str]:
    module = "." * node.level + (node.module or "")
    for one in node.names:
        whole = f"{module}.{one.name}"
        if whole.startswith((LETTER, ".walk")) or (
            module.endswith("sealift_signing.tuf_walk") and one.name not in tuf_walk.__all__
        ):
            yield whole


def test_t1_38_nothing_but_the_suite_s_client_walks_without_the_layer() -> None:
    found = {
        str(file.relative_to(ROOT)): list(ways_around(file.read_text()))
        for folder in SOURCES
        for file in (ROOT / folder).rglob("*.py")
    }
    assert len(found) > 500
    assert found[DOOR]
    told = {
        name: ways
        for name, ways in found.items()
        if ways and name != DOOR and not name.startswith(INSIDE)
    }
    assert told == {}


@pytest.mark.parametrize(
    "text",
    [
        "from sealift_signing.walk.letter import LetterWalk",
        "from sealift_signing import walk",
        "from sealift_signing.tuf_walk import counting",
        "import sealift_signing.walk.counting",
        "import importlib\nimportlib.import_module('sealift_signing.walk.letter')",
        "from sealift_signing import tuf_walk\ntuf_walk.LetterWalk(b'', {}, None, rules=())",
        "from .walk import letter",
    ],
)
def test_a_way_around_is_seen(text: str) -> None:
    assert list(ways_around(text))
