"""Targets that are one parser: bytes in, a value or a refusal out."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from hashlib import sha256
from typing import Any

from tuf.api.metadata import Root, Snapshot, Targets, Timestamp
from tuf.api.serialization.json import JSONSerializer

from sealift_signing import (
    canonical,
    documents,
    dsse,
    roles,
    shape,
    statements,
    version_links,
    vocabulary,
)
from sealift_signing.errors import RefusedError
from sealift_signing.policy import Policy, read_policy
from sealift_signing.public_key import PublicKey
from sealift_signing.site_rules import raised_pins
from sealift_signing.statements import (
    Approval,
    Evidence,
    KeyCard,
    Objection,
    Pins,
    Predicate,
    Receipt,
    Request,
    SiteAnswer,
    SiteRequest,
    Transfer,
)
from sealift_signing.transparency import checkpoint, extract
from sealift_signing.transparency.checkpoint import Checkpoint
from sealift_signing.transparency.entry import read_entry
from sealift_signing.transparency.extract import Extract
from sealift_signing.transparency.frontier import Frontier
from sealift_signing.transparency.merkle import leaf_hash
from sealift_signing.tuf_walk import check_listed, check_signed, read_metadata
from sealift_signing.version_links import Lineage
from sealift_signing.vocabulary import CatalogPath, Spelling, instant, moment, sentence, visible
from sealift_signing.words import eight_words
from sealift_sync.artifact import (
    LARGEST_PACKED,
    Artifact,
    index_digests,
    manifest_bytes,
    read_manifest,
)
from tests.fuzz.organisation import FixedKeys, organisation
from tests.fuzz.target import HERE, Target, check_told

EXAMPLES = HERE.parent.parent / "docs" / "reference" / "examples"
SPELLINGS = {
    name: rule for name, rule in sorted(vars(vocabulary).items()) if isinstance(rule, Spelling)
}
KEYS = FixedKeys()
ORIGIN = "sealift/0123456789abcdef/site/plant-7"


def example(name: str) -> bytes:
    return (EXAMPLES / name).read_bytes().rstrip(b"\n")


def selected(*parsers: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """The first byte of an input says which of `parsers` the rest is for."""

    def run(data: bytes) -> None:
        if data:
            parsers[data[0] % len(parsers)](data[1:])

    return run


def numbered(*seeds: Sequence[bytes]) -> Callable[[], list[bytes]]:
    """Seeds for the parsers of `selected`, in their order."""
    return lambda: [bytes((n,)) + one for n, several in enumerate(seeds) for one in several]


# -------------------------------------------------------------------- canonical JSON


def _canonical(data: bytes) -> None:
    value = canonical.decode(data, what="a document")
    assert canonical.encode(value) == data


CANONICAL = Target(
    "canonical",
    selected(_canonical),
    lambda: (
        [b"\0" + example(name) for name in ("policy.json", "entry.json", "keys.json")]
        + [b'\0{"a":[1,true,"\xc3\xa9",{}],"\xf0\x9f\x98\x80":-5,"\xef\xbf\xbd":""}']
    ),
    "json",
)

# -------------------------------------------------------------------- names, times, keys


def _names(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    for name, rule in SPELLINGS.items():
        # A document holds no half of a surrogate pair, so that no sentence read from one does.
        if rule.matches(text) and name not in {"BASE64", "DECIMAL"} and _is_unicode(text):
            assert len(text) <= 2000, (name, len(text))
            assert visible(text) == text, (name, text)
    assert SPELLINGS["SENTENCE"].matches(sentence(text))
    assert len(eight_words(data).split()) == 8
    for parse in (_catalog_path, _public_key, _time, _pem):
        _try(partial(parse, text))


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= one <= "\udfff" for one in text)


def _catalog_path(text: str) -> None:
    assert str(CatalogPath.parse(text)) == text


def _public_key(text: str) -> None:
    key = PublicKey.parse(text)
    assert key.text == text
    assert len(key.keyid) == 64


def _time(text: str) -> None:
    assert moment(instant(text)) == text


def _pem(text: str) -> None:
    key = PublicKey.from_pem(text.encode("utf-8", "surrogateescape"))
    assert PublicKey.parse(key.text) == key


def _name_seeds() -> list[bytes]:
    key = KEYS.public("anna")
    pem = key.tuf_key().keyval["public"]
    texts = [
        *(key.text, str(pem), "catalog/vision/digits/3/cpu-x86_64", "team.vision", "8e-7", "QUJD"),
        *("plant-7-000042", "2026-11-21T10:00:00.000000Z", "blobs/sha256/" + "a" * 64),
        *("approve:production", "Better on dim images.", "vision/digits"),
    ]
    return [text.encode() for text in texts] + [(EXAMPLES / "checkpoint.txt").read_bytes()]


NAMES = Target("names", _names, _name_seeds, "bytes", 4096)

# -------------------------------------------------------------------- documents that TUF signs


def _document(read: Callable[[bytes], shape.Dataclass]) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        assert shape.write(read(data)) == data

    return run


def _members(data: bytes) -> documents.Members:
    found = documents.read_members(data, "vision")
    path = CatalogPath("vision", "digits", 3, "cpu-x86_64")
    for one in found.withdrawn:
        one.covers(path, "0" * 64, "production")
    for person, key in found.all_keys():
        assert person.key_for(key.keyid) is not None
    return found


def _lineage(data: bytes) -> None:
    """As it lies beside a newest version whose link is right: else all is refused at once."""
    what = "a lineage"
    found = shape.read(Lineage, data, what=what)
    newest = version_links.Follows(10**15 - 2, "0" * 64, None, ())
    if found.versions:
        newest = replace(newest, link=version_links.link(found.versions[0]))
    signed = Targets(version=10**15 - 1)
    signed.unrecognized_fields[version_links.FIELD] = shape.to_json(newest)
    read = version_links.read_lineage(data, found.role, signed)
    assert shape.write(replace(found, versions=read)) == data


DOCUMENTS = Target(
    "documents",
    selected(
        _document(read_policy),
        _document(_members),
        _document(documents.read_fleet_keys),
        _document(lambda data: documents.read_assignment(data, "plant-7")),
        _document(documents.read_recalls),
        _lineage,
    ),
    numbered(
        [example("policy.json")],
        [example("members.json")],
        [example("keys.json")],
        [example("assignment.json")],
        [example("recall.json")],
        [example("lineage.json")],
    ),
    "json",
)

# -------------------------------------------------------------------- statements

KINDS: Mapping[str, type[Predicate]] = {
    "request.json": Request,
    "approval.json": Approval,
    "scan.json": Evidence,
    "transfer.json": Transfer,
    "receipt.json": Receipt,
    "site-request.json": SiteRequest,
    "site-answer.json": SiteAnswer,
}


def _statement(kind: type[Predicate]) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        try:
            assert isinstance(statements.predicate_type(data, what="a statement"), str)
        finally:
            found = statements.read(kind, data, what="a statement")
        said: dict[str, Any] = {
            "_type": statements.STATEMENT,
            "predicateType": kind.PREDICATE_TYPE,
            "subject": [shape.to_json(one) for one in found.subjects],
            "predicate": shape.to_json(found.predicate),
        }
        assert canonical.encode(said) == found.envelope.payload
        assert found.sha256 == sha256(data).hexdigest()
        statements.verify(found, KEYS.public("anna"), what="a statement")
        # Nobody's input was signed with this key: whoever gets here forged it.
        raise AssertionError("a signature that nobody made")

    return run


def _payload(kind: type[Predicate]) -> Callable[[bytes], None]:
    """The same with the envelope put around the bytes: a fuzzer cannot guess base64."""
    read = _statement(kind)
    wrong = base64.b64encode(bytes(64)).decode()

    def run(data: bytes) -> None:
        said = {"keyid": KEYS.public("anna").keyid, "sig": wrong}
        payload = base64.b64encode(data).decode()
        read(
            canonical.encode(
                {"payload": payload, "payloadType": dsse.IN_TOTO, "signatures": [said]}
            )
        )

    return run


def _own_seeds() -> list[bytes]:
    """Statements of which docs/reference has no example."""
    made, key = "2026-11-20T10:00:00.000000Z", KEYS.public("anna")
    objection = Objection(
        1, (), "1" * 64, "vision", "2" * 64, "anna", "The test set is last year's.", made
    )
    card = KeyCard(1, (), "anna", key.text, "file", made)
    about = statements.subject("keys/anna", sha256(key.raw).hexdigest())
    return [statements.sign(one, [about], KEYS["ben"]) for one in (objection, card)]


def _seeds_of(*seeds: bytes) -> list[list[bytes]]:
    """Each envelope, then each one's payload."""
    payloads = [dsse.read(one, what="a seed").payload for one in seeds]
    return [[one] for one in (*seeds, *payloads)]


OWN: tuple[type[Objection | KeyCard], ...] = (Objection, KeyCard)
"""After the others, so that the first bytes of what was kept mean what they did."""
STATEMENTS = Target(
    "statements",
    selected(
        *map(_statement, KINDS.values()),
        *map(_payload, KINDS.values()),
        *map(_statement, OWN),
        *map(_payload, OWN),
    ),
    numbered(*_seeds_of(*map(example, KINDS)), *_seeds_of(*_own_seeds())),
    "json",
)

# -------------------------------------------------------------------- TUF metadata


@cache
def _current() -> Mapping[str, bytes]:
    """Every role's metadata of an organisation, by role; the newest."""
    hub, _ = organisation("metadata")
    return {
        role: hub.repository.files[_file(role, metadata.signed.version)]
        for role, metadata in hub.repository.current.items()
    }


def _file(role: str, version: int) -> str:
    return "timestamp.json" if role == "timestamp" else f"{version}.{role}.json"


TUF_KINDS: Mapping[str, Any] = {
    "root": Root,
    "timestamp": Timestamp,
    "snapshot": Snapshot,
    "targets": Targets,
    "fleet": Targets,
    "catalog.vision": Targets,
    "site.plant-7": Targets,
}


def _metadata(role: str) -> Callable[[bytes], None]:
    kind = TUF_KINDS[role]

    def run(data: bytes) -> None:
        metadata = read_metadata(data, role, kind)
        assert JSONSerializer(compact=True).serialize(metadata) == data
        signed = metadata.signed
        root = read_metadata(_current()["root"], "root", Root).signed
        if isinstance(signed, Snapshot):
            known = read_metadata(_current()["snapshot"], "snapshot", Snapshot).signed
            _try(lambda: check_listed(signed, known))
            check_listed(known, signed)
        if isinstance(signed, Root):
            _delegates(signed, roles.TOP_ROLES, metadata)
            targets = read_metadata(_current()["targets"], "targets", Targets).signed
            roles.unprotected(signed, targets, Policy(1, (), "x", {}, {}), ["vision"])
        if isinstance(signed, Targets):
            roles.check_layout(role, signed)
            names = (signed.delegations.roles or {}) if signed.delegations else {}
            _delegates(signed, tuple(names), metadata)
            raised_pins(Pins(0, {}, (), ()), None, root, signed)

    return run


def _try(look: Callable[[], object]) -> None:
    """One of several looks: that it refuses does not keep the others from being taken."""
    try:
        look()
    except RefusedError as told:
        check_told(told)


def _delegates(signed: Any, names: Sequence[str], metadata: Any) -> None:  # noqa: ANN401
    for name in names:
        held = roles.keyholders(signed, name)
        assert held.real_threshold <= held.threshold
        _try(partial(check_signed, signed, name, metadata))


METADATA = Target(
    "metadata",
    selected(*map(_metadata, TUF_KINDS)),
    lambda: [bytes((n,)) + _current()[role] for n, role in enumerate(TUF_KINDS)],
    "json",
)

# -------------------------------------------------------------------- OCI


def _manifest(data: bytes) -> None:
    found = read_manifest(data, what="a manifest")
    assert manifest_bytes(found) == data
    _stays_inside(found)
    for pack in found.packs:
        assert pack.files
        assert all(file in found.files for file in pack.files)
        assert all(file.size <= LARGEST_PACKED for file in pack.files)
        assert len(pack.files) == len({file.path for file in pack.files})


def _stays_inside(artifact: Artifact) -> None:
    """No two files share a place, whatever the file system makes of upper case; none climbs out."""
    folded = [tuple(file.path.casefold().split("/")) for file in artifact.files]
    assert len(set(folded)) == len(folded)
    for path in folded:
        assert not {"", ".", ".."} & set(path)
        assert not any(path[:n] in folded for n in range(1, len(path)))


def _index(data: bytes) -> None:
    for digest in index_digests(data):
        assert SPELLINGS["SHA256"].matches(digest)


@cache
def _oci() -> tuple[list[bytes], list[bytes]]:
    from sealift_sync.artifact import ArtifactFile, Pack, config_bytes, index_bytes

    path = CatalogPath("vision", "digits", 3, "cpu-x86_64")
    files = tuple(
        ArtifactFile(name, sha256(name.encode()).hexdigest(), len(name))
        for name in ("model.onnx", "data/labels.txt", "data/more/x.bin")
    )
    config = ArtifactFile("config.json", sha256(config_bytes(path, "onnx", files)).hexdigest(), 12)
    manifest = manifest_bytes(Artifact(path, files, config))
    older = CatalogPath("vision", "digits", 2, "cpu-x86_64")
    both = {path: manifest, older: manifest}
    digests = {one: sha256(str(one).encode()).hexdigest() for one in both}
    packed = manifest_bytes(Artifact(path, files, config, (Pack(files[1:], "a" * 64),)))
    return [manifest, packed], [index_bytes(both, digests)]


def _oci_seeds() -> list[bytes]:
    return numbered(*_oci())()


OCI = Target("oci", selected(_manifest, _index), _oci_seeds, "json")

# -------------------------------------------------------------------- a log on its way


def _note(data: bytes) -> None:
    said = checkpoint.claimed(data)
    assert data.startswith(said.body() + b"\n")
    found = checkpoint.verify(data, KEYS.public("plant-7"), ORIGIN)
    assert found == said
    assert data in {signed_note(found), example("checkpoint.txt")}, "a note that nobody signed"


def signed_note(said: Checkpoint) -> bytes:
    return checkpoint.sign(said, KEYS["plant-7"])


def _entry(data: bytes) -> None:
    assert shape.write(read_entry(data)) == data


def _extract(data: bytes) -> None:
    found = shape.read(Extract, data, what="log/extract.json")
    assert shape.write(found) == data
    _checked(found)


def _extract_resigned(data: bytes) -> None:
    """The same by a site that signs whatever it says: what its key cannot do is get through."""
    found = shape.read(Extract, data, what="log/extract.json")
    edge = Frontier(found.first, tuple(map(bytes.fromhex, found.edge)))
    grown = edge.extended(leaf_hash(text.encode()) for text in found.entries)
    note = signed_note(Checkpoint(ORIGIN, grown.size, grown.root)).decode()
    _checked(Extract(1, (), found.first, found.edge, found.entries, found.proof, note))


def _checked(found: Extract) -> None:
    known = Checkpoint(ORIGIN, 2, Frontier().extended(map(leaf_hash, entries()[:2])).root)
    for seen in (None, known):
        try:
            said, rows = extract.check(found, KEYS.public("plant-7"), ORIGIN, seen)
        except RefusedError as told:
            check_told(told)
            continue
        assert said.size == found.first + len(rows)
        assert [row.body.decode() for row in rows] == list(found.entries)
        if seen and found.first == 0:
            assert [row.body for row in rows[:2]] == entries()[:2]


@cache
def entries() -> list[bytes]:
    """Five entries of a site's log."""
    body = json.loads(example("entry.json"))
    made = []
    for n in range(5):
        body["id"] = f"019aa000-0000-7000-8000-00000000000{n}"
        made.append(canonical.encode(body))
    return made


def make_extract(first: int) -> bytes:
    from sealift_signing.transparency.growth import LogRow
    from sealift_signing.transparency.merkle import _reader_of

    leaves = [leaf_hash(body) for body in entries()]
    rows = [LogRow(n, leaves[n], body) for n, body in enumerate(entries())][first:]
    root = Frontier().extended(leaves).root
    note = signed_note(Checkpoint(ORIGIN, len(leaves), root))
    return shape.write(extract.make(rows, first, len(leaves), _reader_of(leaves), note))


def _log_seeds() -> list[bytes]:
    extracts = [make_extract(first) for first in (0, 1, 2, 5)]
    notes = [signed_note(Checkpoint(ORIGIN, n, bytes(32))) for n in (0, 12)]
    return numbered([*notes, example("checkpoint.txt")], entries()[:1], extracts, extracts)()


LOG = Target("log", selected(_note, _entry, _extract, _extract_resigned), _log_seeds, "json")

PARSERS = (CANONICAL, NAMES, DOCUMENTS, STATEMENTS, METADATA, OCI, LOG)
