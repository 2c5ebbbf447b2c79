"""A variant that another machine builds: an order out, a signed result in, and attacks on it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.signer import Signer

from sealift_registry import builder
from sealift_registry.catalog.catalog import Catalog
from sealift_registry.conversion import build_run, result_rules, work_order
from sealift_registry.conversion.build_result import BuildResult, evidence_file
from sealift_registry.conversion.building import Built
from sealift_registry.conversion.work_order import WorkOrder
from sealift_registry.trust.repository import Change, Repository
from sealift_registry.trust.stored import stored
from sealift_signing import documents, printing, publishing, roles, shape, statements
from sealift_signing.documents import FleetKeys, MachineKey, Status
from sealift_signing.drawing import plain
from sealift_signing.errors import FailedError, MalformedError, RefusedError, SealiftError
from sealift_signing.statements import Evidence, subject
from sealift_signing.transparency.entry import read_entry
from sealift_signing.vocabulary import moment
from tests.registry.hub_fixture import PASSPHRASE, TARGET, Acme, copied, quiet, version
from tests.sampling import drawn
from tests.words.listening import TRIED, Heard, Words
from tests.words.planting import free, planted

SHOP, SCANNER = "shop-2", "shop-2-scanner"
VARIANT = version(1).path(TARGET)
RUN = f"""
import sys
from pathlib import Path
from sealift_registry import builder
from sealift_signing import keys
from sealift_signing.keys import Passphrases

order, result, people = map(Path, sys.argv[1:])
phrase = Passphrases(None, {{}}, lambda _question: {PASSPHRASE!r})
signers = {{
    purpose: keys.open_signer(str(people / f"{{name}}.pem"), phrase)
    for purpose, name in (("builder", {SHOP!r}), ("scanner", {SCANNER!r}))
}}
builder.build(order, result, builder.machine({SHOP!r}, signers, {{}}))
hub = ("sqlalchemy", "alembic", "sealift_migrations", "sealift_registry.trust")
assert not [name for name in sys.modules if name.startswith(hub)]
"""


def fleet(acme: Acme, edit: Callable[[FleetKeys], FleetKeys]) -> None:
    """Have a fleet administrator sign whatever `edit` makes of fleet/keys.json."""
    hub, path = acme.app.hub, documents.FLEET_KEYS_PATH
    with hub.reading() as connection:
        found = stored(connection)
        expires = publishing.expiry(hub.now(), Repository(connection).lifetime(roles.FLEET))
        metadata: Any = publishing.following(found.base(roles.FLEET).metadata, expires=expires)
        data = shape.write(edit(found.fleet_keys()))
    publishing.list_document(metadata.signed, path, data)
    publishing.sign(metadata, [acme.signer("fleet-1")])
    change = Change({roles.FLEET: metadata}, {path: data})
    hub.commit_change(change, hub.entry("fleet.keys-changed", "fleet-1", {}))


def entered(known: FleetKeys, *new: MachineKey) -> FleetKeys:
    return replace(known, keys=(*known.keys, *new))


def called(whose: str, **new: Any) -> Callable[[FleetKeys], FleetKeys]:  # noqa: ANN401
    """An edit by which the key of the machine `whose` is another in some way."""

    def edit(known: FleetKeys) -> FleetKeys:
        keys = (replace(one, **new) if one.name == whose else one for one in known.keys)
        return replace(known, keys=tuple(keys))

    return edit


@pytest.fixture(scope="module")
def elsewhere(founded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub with a second builder, an order in `order/`, and in `result/` what came of it there."""
    acme = copied(founded, tmp_path_factory.mktemp("elsewhere"))
    shop = MachineKey(acme.new_key(SHOP).text, SHOP, "builder", "active")
    scanner = MachineKey(acme.new_key(SCANNER).text, SCANNER, "scanner", "active")
    fleet(acme, lambda known: entered(known, shop, scanner))
    acme.ingest(1, acme.goldens())
    ordered(acme, acme.folder / "order")
    acme.close()
    result = acme.folder / "result"
    result.mkdir()
    line = [sys.executable, "-c", RUN, *map(str, (acme.folder / "order", result))]
    environment = {"PATH": os.environ["PATH"], "HOME": str(result)}
    subprocess.run([*line, str(acme.folder / "people")], check=True, env=environment)
    return acme.folder


def ordered(acme: Acme, folder: Path) -> WorkOrder:
    made = acme.app.conversion.order(version(1), TARGET)
    folder.mkdir()
    work_order.write_order(made, acme.app.hub.home.blobs, folder)
    return made


@pytest.fixture
def back(elsewhere: Path, tmp_path: Path) -> Iterator[Acme]:
    """That hub, with the result beside it that nobody accepted yet."""
    made = copied(elsewhere, tmp_path)
    yield made
    made.close()


def accepted(acme: Acme, folder: str = "result") -> Built:
    return acme.app.conversion.accept(acme.folder / folder, "dora")


def refused(acme: Acme, code: str, kind: type[SealiftError] = RefusedError) -> SealiftError:
    """The result is refused so, and nothing was written but blobs that nothing names."""
    before = acme.rows()
    with pytest.raises(kind) as caught:
        accepted(acme)
    assert caught.value.code == code, caught.value
    assert caught.value.advice
    assert acme.rows() == before
    return caught.value


def said(acme: Acme) -> statements.Signed[BuildResult]:
    return result_rules.read_result((acme.folder / "result/result.json").read_bytes())


def evidence(acme: Acme) -> dict[str, Evidence]:
    found = {}
    for digest in said(acme).predicate.evidence:
        body = (acme.folder / "result" / evidence_file(digest)).read_bytes()
        one = statements.read(Evidence, body, what="it").predicate
        found[one.kind] = one
    return found


def sign_again(
    acme: Acme,
    signer: Signer | None = None,
    name: str | None = None,
    **new: Any,  # noqa: ANN401
) -> None:
    """What whoever has that key could say in place of the result."""
    before = said(acme)
    about = [subject(name or "order.json", before.subjects[0].sha256)]
    changed = replace(before.predicate, **new)
    body = statements.sign(changed, about, signer or acme.signer(SHOP))
    (acme.folder / "result/result.json").write_bytes(body)


def say(acme: Acme, kind: str, by: str, **new: Any) -> None:  # noqa: ANN401
    """What whoever has that key could say in place of a piece of the evidence."""
    result, digests = said(acme).predicate, []
    for digest in result.evidence:
        path = acme.folder / "result" / evidence_file(digest)
        one = statements.read(Evidence, path.read_bytes(), what="it")
        if one.predicate.kind != kind:
            digests.append(digest)
            continue
        about = new.pop("about", one.subjects)
        body = statements.sign(replace(one.predicate, **new), about, acme.signer(by))
        written = statements.read(Evidence, body, what="it").sha256
        (acme.folder / "result" / evidence_file(written)).write_bytes(body)
        digests.append(written)
    sign_again(acme, evidence=tuple(digests))


# ---------------------------------------------------------------------- there and back


def test_f2_200_a_second_builder_builds_and_is_named(back: Acme) -> None:
    """In a process that has no home and opens no database; its own name and key say so."""
    done = accepted(back)
    assert done.new
    assert {one.predicate.kind for one in done.evidence} == {"scan", "parity", "provenance"}
    with back.app.hub.reading() as connection:
        signers = {
            one.predicate.kind: Repository(connection).signer_of(one) for one in done.evidence
        }
    assert signers == {"scan": SCANNER, "parity": SHOP, "provenance": SHOP}
    provenance = next(e.predicate for e in done.evidence if e.predicate.kind == "provenance")
    assert provenance.details["builder"] == SHOP
    assert back.types()[-1] == "variant.built"
    assert back.request(1) == 1, "it can be promoted"
    assert not accepted(back).new, "taken in again, it is there already"


def test_f2_201_it_is_the_variant_that_the_hub_builds(back: Acme, tmp_path: Path) -> None:
    here = copied(back.folder, tmp_path / "home")
    built, there = here.convert(1), accepted(back)
    here.close()
    assert built.new
    assert there.artifact.sha256 == built.artifact.sha256
    assert there.artifact.recipe == built.artifact.recipe
    proofs = [
        next(one.predicate for one in done.evidence if one.predicate.kind == "parity")
        for done in (built, there)
    ]
    assert proofs[0].details == proofs[1].details
    assert proofs[0].checks == proofs[1].checks


def test_f2_202_one_state_of_the_hub_makes_one_order(back: Acme, tmp_path: Path) -> None:
    again = ordered(back, tmp_path / "again")
    assert shape.write(again) == (back.folder / "order/order.json").read_bytes()
    assert said(back).about("order.json", again.digest())
    assert work_order.read_order(shape.write(again)) == again


def test_f2_203_what_lies_beside_it_is_not_read(back: Acme) -> None:
    (back.folder / "result/evidence/notes.json").write_text("{}")
    (back.folder / "result/variant/more.bin").symlink_to("/dev/zero")
    assert accepted(back).new


def test_f2_204_somebody_else_was_faster(back: Acme) -> None:
    first = back.convert(1)
    later = accepted(back)
    assert not later.new
    assert later.artifact == first.artifact
    assert {e.sha256 for e in later.evidence} == {e.sha256 for e in first.evidence}


def test_f2_205_where_the_hub_builds_the_name_is_that_of_its_own_key(back: Acme) -> None:
    fleet(back, called("hub-builder", name="press-1"))
    done = back.convert(1)
    provenance = next(e.predicate for e in done.evidence if e.predicate.kind == "provenance")
    assert provenance.details["builder"] == "press-1"
    back.ingest(1, back.goldens(2))
    back.convert(1)
    assert newest(back) == ("variant.measured", "press-1")
    back.request(1)
    with back.app.hub.reading() as connection:
        back.app.comparisons.compare(version(1), "staging", quiet)
        assert Catalog(connection).artifact(VARIANT) is not None
    assert newest(back) == ("variant.compared", "press-1")


def newest(acme: Acme) -> tuple[str, str]:
    """Type and actor of the log's newest entry."""
    rows = sorted(acme.rows()["log_entry"])
    body = next(one for one in rows[-1] if isinstance(one, bytes) and one.startswith(b'{"'))
    entry = read_entry(body)
    return entry.type, entry.actor


def test_f2_206_without_an_active_key_of_its_own_the_hub_builds_nothing(
    back: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet(back, called("hub-builder", status="retired"))
    monkeypatch.setattr(build_run, "convert", lambda *_: pytest.fail("it is known beforehand"))
    with pytest.raises(FailedError) as caught:
        back.convert(1)
    assert caught.value.code == "online-key-missing"
    assert accepted(back).new, "another machine still can"


# ---------------------------------------------------------------------- measured anew, refused


def run_again(acme: Acme) -> WorkOrder:
    """The order of now, run by the other machine; its result lies in `result/`."""
    for name in ("order", "result"):
        shutil.rmtree(acme.folder / name)
    made = ordered(acme, acme.folder / "order")
    (acme.folder / "result").mkdir()
    build(acme, "result")
    return made


def test_f2_207_a_variant_that_is_there_is_measured_anew_elsewhere(back: Acme) -> None:
    first = accepted(back)
    back.ingest(1, back.goldens(2))
    refused(back, "result-of-another-order")
    assert run_again(back).existing == first.artifact.sha256
    assert not (back.folder / "result/variant").exists()
    done = accepted(back)
    assert not done.new
    assert len(done.evidence) == 3
    assert newest(back) == ("variant.measured", SHOP)
    rows = back.rows()
    accepted(back)
    assert back.rows() == rows, "the same again adds nothing"


def test_f2_208_that_nothing_comes_of_an_order_is_a_result_too(
    back: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_args: object) -> None:
        raise RefusedError("operator-unknown", "No runtime knows it.", next_step="Export anew.")

    with monkeypatch.context() as there:
        there.setattr(build_run, "convert", stopped)
        run_again(back)
    with pytest.raises(RefusedError) as caught:
        accepted(back)
    assert caught.value.code == "operator-unknown"
    assert caught.value.what == f"{SHOP} built no variant {VARIANT}: “No runtime knows it.”"
    assert caught.value.advice == f"{SHOP} advises: “Export anew.”"
    assert newest(back) == ("conversion.refused", "dora")
    with back.app.hub.reading() as connection:
        assert Catalog(connection).artifact(VARIANT) is None
    assert sorted(p.name for p in (back.folder / "result").iterdir()) == ["result.json"]


def test_f2_208_no_words_of_another_machine_are_a_line_of_ours(
    back: Acme, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_args: object) -> None:
        raise RefusedError("it", "No.", subject="it", next_step="Export it anew.")

    sign_again(back, untried=("onnxruntime 1.17.3 was not tried.",))
    fill(back, monkeypatch, stopped)
    names = {"Refusal.what", "Refusal.subject", "Refusal.next_step", "WorkOrder.software"}
    for first in drawn(range(len(TRIED)), 12, "words of an order"):
        words = Words(first)
        heard = Heard(words)
        with planted(words, free() - names - {"BuildResult.untried"}) as seen:
            for run_it in (lambda: accepted(back, "refused"), lambda: build(back)):
                with pytest.raises(RefusedError) as caught:
                    run_it()
                printing.error(caught.value, for_machines=False)
            told = accepted(back).untried
        assert seen == names | {"BuildResult.untried"}
        heard.raw(capsys.readouterr().err)
        heard.raw("\n".join(f"  {plain(one)}" for one in told))
        heard.check()


def fill(acme: Acme, monkeypatch: pytest.MonkeyPatch, stopped: Callable[..., None]) -> None:
    """Have a result of no variant in `refused/`, beside the one in `result/`."""
    (acme.folder / "refused").mkdir()
    with monkeypatch.context() as there:
        there.setattr(build_run, "convert", stopped)
        build(acme, "refused")
    (acme.folder / "again").mkdir()


def build(acme: Acme, result: str = "again") -> None:
    signers = {"builder": acme.signer(SHOP), "scanner": acme.signer(SCANNER)}
    machine = builder.machine(SHOP, signers, os.environ)
    builder.build(acme.folder / "order", acme.folder / result, machine)


def test_f2_209_an_order_of_another_release_is_not_run(
    back: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_run, "package_version", lambda _name: "99.0.0")
    with pytest.raises(RefusedError) as caught:
        run_again(back)
    assert caught.value.code == "order-of-another-release"
    assert not list((back.folder / "result").iterdir())


# ---------------------------------------------------------------------- attacks


def test_f2_210_a_result_of_another_order_is_refused(back: Acme) -> None:
    """Of goldens that count no more, of what was never ordered, or of two orders at once."""
    result = back.folder / "result/result.json"
    before = result.read_bytes()
    sign_again(back, name="other.json")
    refused(back, "result-of-another-order")
    result.write_bytes(before)
    sign_again(back, goldens="0" * 64)
    refused(back, "bad-result", MalformedError)
    result.write_bytes(before)
    back.ingest(1, back.goldens(2))
    refused(back, "result-of-another-order")


@pytest.mark.parametrize("status", ["retired", "compromised"])
@pytest.mark.parametrize("whose", [SHOP, SCANNER])
def test_f2_211_a_key_that_is_no_longer_active_builds_nothing(
    back: Acme, whose: str, status: Status
) -> None:
    fleet(back, called(whose, status=status))
    refused(back, "result-signer")


@pytest.mark.parametrize("status", ["retired", "compromised"])
def test_f2_211_nor_does_it_say_that_nothing_can_be_built(
    back: Acme, monkeypatch: pytest.MonkeyPatch, status: Status
) -> None:
    """Of that there is no evidence: the result alone is signed."""

    def stopped(*_args: object) -> None:
        raise RefusedError("operator-unknown", "No.", next_step="Export it anew.")

    fill(back, monkeypatch, stopped)
    shutil.rmtree(back.folder / "result")
    (back.folder / "refused").rename(back.folder / "result")
    fleet(back, called(SHOP, status=status))
    refused(back, "result-signer")


def test_f2_212_nor_a_key_of_nobody_or_of_another_purpose(back: Acme) -> None:
    back.new_key("mallory")
    sign_again(back, back.signer("mallory"))
    refused(back, "result-signer")
    sign_again(back, back.signer(SCANNER), machine=SCANNER)
    refused(back, "result-signer")
    sign_again(back, back.app.hub.online.signer("log"), machine="hub")
    refused(back, "result-signer")


def test_f2_213_nobody_signs_in_the_name_of_another_machine(back: Acme) -> None:
    sign_again(back, machine="hub-builder")
    refused(back, "result-signer")
    sign_again(back, back.app.hub.online.signer("builder"), machine="hub-builder")
    assert SHOP in refused(back, "result-signer").what, "the evidence is another machine's"


def test_f2_214_a_signature_that_is_wrong(back: Acme) -> None:
    result = back.folder / "result/result.json"
    envelope = json.loads(result.read_bytes())
    other = statements.sign(
        replace(said(back).predicate, untried=("No.",)), said(back).subjects, back.signer(SHOP)
    )
    envelope["payload"] = json.loads(other)["payload"]
    result.write_text(json.dumps(envelope, sort_keys=True, separators=(",", ":")))
    refused(back, "bad-signature")


def endless(path: Path) -> None:
    """A file that takes no room, and days to be read."""
    path.touch()
    os.truncate(path, 10**13)


@pytest.mark.parametrize(
    "spoiled", ["other", "longer", "endless", "shorter", "link", "pipe", "folder", "gone"]
)
def test_f2_215_a_file_that_is_not_the_signed_one(back: Acme, spoiled: str) -> None:
    """Neither other bytes nor a way out of the folder, nor what has no end."""
    model = back.folder / "result/variant/model.onnx"
    if not model.exists():
        model = next((back.folder / "result/variant").iterdir())
    data = bytearray(model.read_bytes())
    aside = model.replace(back.folder / "aside.onnx")
    data[len(data) // 2] ^= 1
    makes: dict[str, Callable[[], object]] = {
        "other": lambda: model.write_bytes(data),
        "longer": lambda: model.write_bytes(bytes(data) + b"\0"),
        "endless": lambda: endless(model),
        "shorter": lambda: model.write_bytes(data[:-1]),
        "link": lambda: model.symlink_to(aside),
        "pipe": lambda: os.mkfifo(model),
        "folder": model.mkdir,
        "gone": lambda: None,
    }
    makes[spoiled]()
    code = {"link": "not-a-file", "pipe": "not-a-file", "folder": "not-a-file"}
    code["gone"] = "file-missing"
    before = set(back.app.hub.home.blobs.digests())
    refused(back, code.get(spoiled, "result-other-bytes"), SealiftError)
    named = {one.sha256 for one in said(back).predicate.files}
    assert not named & (set(back.app.hub.home.blobs.digests()) - before)


@pytest.mark.parametrize("name", ["result.json", "evidence", "variant", "check-rows"])
def test_f2_216_no_link_is_followed_out_of_the_folder(back: Acme, name: str) -> None:
    path = back.folder / "result" / name
    path.rename(back.folder / "aside")
    path.symlink_to(back.folder / "aside")
    refused(back, "not-a-file")


def test_f2_217_nor_is_more_read_than_a_result_has(back: Acme) -> None:
    result = back.folder / "result/result.json"
    with result.open("ab") as file:
        file.truncate(10**12)
    refused(back, "too-large")
    result.write_bytes(b"{}")
    refused(back, "bad-shape", MalformedError)
    result.write_bytes(b"\xff" * 100)
    refused(back, "json-unreadable", MalformedError)


def test_f2_218_check_rows_are_those_of_the_proof(back: Acme) -> None:
    rows = back.folder / "result/check-rows"
    data = bytearray(rows.read_bytes())
    data[-1] ^= 1
    rows.write_bytes(data)
    refused(back, "result-other-bytes", SealiftError)


def test_f2_219_files_that_no_converter_writes(back: Acme) -> None:
    files = said(back).predicate.files
    sign_again(back, files=(*files, replace(files[0], path="setup.py")))
    refused(back, "bad-result", MalformedError)
    with pytest.raises(MalformedError):
        sign_again(back, files=(replace(files[0], path="../model.onnx"),))


def test_f2_220_a_proof_that_says_pass_says_it_throughout(back: Acme) -> None:
    """Whoever has the builder's key may lie; but not so that the parts of it differ."""
    proof = evidence(back)["parity"]
    for name, value in (("verdict", "fail"), ("words", "All is well."), ("rows", 7)):
        details = json.loads(json.dumps(proof.details))
        details["findings"][name] = value
        say(back, "parity", SHOP, details=details)
        refused(back, "result-contradicts")


def failed(one: Evidence) -> dict[str, Any]:
    return {"verdict": "fail"}


def other_picture(one: Evidence) -> dict[str, Any]:
    return {"details": {**one.details, "picture": "0" * 64}}


def other_goldens(one: Evidence) -> dict[str, Any]:
    return {"details": {**one.details, "goldens": "0" * 64}}


def other_source(one: Evidence) -> dict[str, Any]:
    return {"details": {**one.details, "source": "0" * 64}}


def other_builder(one: Evidence) -> dict[str, Any]:
    return {"details": {**one.details, "builder": "hub"}}


def other_recipe(one: Evidence) -> dict[str, Any]:
    recipe = {**one.details["recipe"], "opsets": {"ai.onnx": 21}}
    return {"details": {**one.details, "recipe": recipe}}


def no_files(one: Evidence) -> dict[str, Any]:
    return {"details": {**one.details, "files": []}}


def no_details(one: Evidence) -> dict[str, Any]:
    return {"details": []}


def other_artifact(one: Evidence) -> dict[str, Any]:
    return {"about": [subject("vision/tiny/2/cpu-x86_64", "0" * 64)]}


def other_time(one: Evidence) -> dict[str, Any]:
    return {"made": moment(datetime.now(UTC) + timedelta(days=300))}


LIES = {
    "scan": (failed, no_files, no_details, other_artifact, other_time),
    "parity": (failed, other_picture, other_goldens, no_details, other_artifact),
    "provenance": (failed, other_source, other_builder, other_recipe, no_details),
}


@pytest.mark.parametrize(
    "kind, lie", [(kind, one) for kind, several in LIES.items() for one in several]
)
def test_f2_221_evidence_that_does_not_belong_to_the_rest(
    back: Acme, kind: str, lie: Callable[[Evidence], dict[str, Any]]
) -> None:
    say(back, kind, SCANNER if kind == "scan" else SHOP, **lie(evidence(back)[kind]))
    refused(back, "result-contradicts")


@pytest.mark.parametrize("kind, by", [("scan", SHOP), ("parity", SCANNER)])
def test_f2_222_evidence_by_a_key_of_another_purpose(back: Acme, kind: str, by: str) -> None:
    say(back, kind, by)
    refused(back, "result-signer")


def test_f2_223_evidence_that_lacks_or_comes_twice(back: Acme) -> None:
    scan, *others = said(back).predicate.evidence
    sign_again(back, evidence=tuple(others))
    refused(back, "result-contradicts")
    sign_again(back, evidence=(scan, *others, "0" * 64))
    refused(back, "file-missing", SealiftError)
    sign_again(back, evidence=tuple(f"{number:064}" for number in range(100)))
    refused(back, "bad-result", MalformedError)


def test_f2_224_evidence_swapped_under_its_name(back: Acme) -> None:
    one, other, _ = said(back).predicate.evidence
    folder = back.folder / "result"
    shutil.copy(folder / evidence_file(other), folder / evidence_file(one))
    refused(back, "result-contradicts")


def test_f2_225_what_is_dated_ahead_would_hide_what_is_found_later(back: Acme) -> None:
    later = moment(datetime.now(UTC) + timedelta(hours=1))
    sign_again(back, made=later)
    refused(back, "result-from-later")


def test_f2_226_a_variant_that_its_machines_do_not_hold(back: Acme) -> None:
    (one,) = said(back).predicate.files
    sign_again(back, files=(replace(one, size=10**15),))
    refused(back, "result-contradicts")


def test_f2_227_another_manifest_than_the_files_make(back: Acme) -> None:
    about = [subject(str(VARIANT), "0" * 64)]
    for kind, by in (("scan", SCANNER), ("parity", SHOP), ("provenance", SHOP)):
        say(back, kind, by, about=about)
    sign_again(back, manifest="0" * 64)
    refused(back, "result-other-bytes")


def test_f2_228_an_order_that_contradicts_itself_is_not_run(back: Acme) -> None:
    known = work_order.read_order((back.folder / "order/order.json").read_bytes())
    named = known.source.files[0]
    odd = [
        replace(known, artifact=known.artifact.replace(TARGET, "cpu-aarch64")),
        replace(known, source=replace(known.source, model_files=())),
        replace(known, source=replace(known.source, data_files=("elsewhere.bin",))),
    ]
    for one in odd:
        with pytest.raises(MalformedError) as caught:
            work_order.read_order(shape.write(one))
        assert caught.value.code == "bad-order"
    swapped = replace(known.source, files=(replace(named, sha256="0" * 64),))
    (back.folder / "order/order.json").write_bytes(shape.write(replace(known, source=swapped)))
    shutil.rmtree(back.folder / "result")
    (back.folder / "result").mkdir()
    with pytest.raises(MalformedError):
        build(back, "result")
