"""Enrolments, assignments and transfers: drafted at the hub, signed elsewhere, and submitted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

import pytest
from securesystemslib.signer import Signer

from sealift_registry.delivery import assignments, enrolling, tables
from sealift_registry.delivery.exports import DraftedBundle
from sealift_registry.delivery.sites import Sites
from sealift_registry.delivery.transfer_statement import ask_of
from sealift_registry.trust.hub_drafts import Wanted, draft
from sealift_registry.trust.submitting import AcceptedSubmission
from sealift_signing import documents, drafts, dsse, publishing, roles, statements
from sealift_signing.acts.material import Ask
from sealift_signing.acts.sites import ANSWER
from sealift_signing.desk.cli.acts import signer_name
from sealift_signing.desk.signing import Desk
from sealift_signing.drafts import Draft, encoded
from sealift_signing.errors import NotFoundError, RefusedError, UsageError
from sealift_signing.memory import Memory
from sealift_signing.statements import SiteAnswer, Transfer
from sealift_signing.words import words_of
from sealift_sync.site.setup.initialising import begin_enrolment
from tests import stores
from tests.desk.people import Listener
from tests.registry.hub_fixture import GROUP, SITE, STAGE, TARGET, Acme, stage, version
from tests.registry.test_hub_cli import Capsys, Cli
from tests.registry.test_promotions import refused
from tests.registry.test_stored_metadata import nothing_to_run
from tests.registry.test_stored_sites import change, no_triggers, row_of
from tests.site_on_paper import SiteOnPaper

OTHER = "plant-8"


@dataclass
class AtDesk:
    """Somebody with a memory of their own, who was told the fingerprint on paper."""

    acme: Acme
    name: str
    said: Listener = field(default_factory=Listener)

    def __post_init__(self) -> None:
        self.acme.trusted(Memory(self.folder))

    @property
    def folder(self) -> Path:
        return self.acme.folder / "memories" / self.name

    @property
    def signer(self) -> Signer:
        return self.acme.signer(self.name)

    def signs(self, made: Draft, ask: Ask, *cards: bytes) -> Draft:
        desk = Desk(Memory(self.folder), self.acme.app.hub.now, self.said)
        carried = drafts.read(drafts.write(made))  # as a file
        return desk.sign(carried, ask, self.signer, cards)


def drafted(acme: Acme, wanted: Wanted) -> Draft:
    with acme.app.hub.reading() as connection:
        return draft(acme.app.hub, connection, wanted)


def asks(acme: Acme, name: str = OTHER) -> bytes:
    return begin_enrolment(
        acme.folder / f"home-{name}", {}, name, {GROUP: TARGET}, acme.app.hub.now
    )


def wanted(acme: Acme, request: bytes, to: str = STAGE) -> Wanted:
    card = acme.card("dispatcher-1")
    return enrolling.wanted(request, to, [card[0]], [card], acme.app.hardware_targets)


def enrolment(acme: Acme, request: bytes, to: str = STAGE) -> tuple[Draft, Ask]:
    asked = wanted(acme, request, to)
    return drafted(acme, asked), asked.ask


def cards(made: Draft) -> list[bytes]:
    """Those that whoever signs was given by their owners."""
    found = map(drafts.decoded, made.statements)
    return [one for one in found if b"key-card" in dsse.read(one, what="it").payload]


# -------------------------------------------------------------------- enrolment


def test_t0_145_both_ends_read_the_words_that_whoever_signed_was_told(acme: Acme) -> None:
    """The answer's words come to be with its signature; nobody has to believe the hub's."""
    request = asks(acme)
    made, ask = enrolment(acme, request)
    flora = AtDesk(acme, "fleet-1")
    signed = flora.signs(made, ask, *cards(made))
    assert (
        f"  the words of its request: {words_of(sha256(request).hexdigest())}" in flora.said.shown
    )
    done = acme.app.submit(signed, at_hub=False)
    with acme.app.hub.reading() as connection:
        site = Sites(connection).get(OTHER)
    assert flora.said.shown[-1] == f"The words of the answer, signed: {site.words}"
    assert site.words == words_of(sha256(site.answer).hexdigest()) == done.data["words"]
    assert not acme.app.submit(signed, at_hub=False).new
    assert acme.types().count("site.enrolled") == 1


def said_otherwise(made: Draft, **changes: object) -> Draft:
    """A draft whose answer says something else, as a hub would write it that wants it signed."""
    part = made.part(ANSWER)
    assert part is not None
    said, subjects = statements.read_payload(SiteAnswer, part.data, what="it")
    body = statements.payload(replace(said, **changes), subjects)  # type: ignore[arg-type]
    other = replace(part, payload=encoded(body))
    return replace(made, parts=tuple(other if one == part else one for one in made.parts))


def dispatched_by_mallory(acme: Acme, made: Draft) -> Draft:
    """The same act and the same names, and `fleet` gives the site to another key."""
    fleet = made.part(roles.FLEET)
    assert fleet is not None
    metadata = drafts.to_metadata(fleet)
    publishing.delegate(
        metadata.signed, roles.site_role(OTHER), 1, {"dispatcher-1": acme.new_key("mallory")}
    )
    other = replace(fleet, payload=encoded(metadata.signed_bytes))
    return replace(made, parts=tuple(other if one == fleet else one for one in made.parts))


POISONED: dict[str, Callable[[Acme, Draft], Draft]] = {
    "stage": lambda _, made: said_otherwise(made, stage="staging"),
    "pins": lambda _, made: said_otherwise(
        made, pins=statements.Pins(0, {}, ("vision",), ("vision/tiny",))
    ),
    "floors": lambda _, made: said_otherwise(made, floors={"team.vision": 900_000_000_000_000}),
    "dispatcher": dispatched_by_mallory,
}


@pytest.mark.parametrize("what", POISONED)
def test_t0_146_an_enrolment_that_holds_something_else_is_not_signed(acme: Acme, what: str) -> None:
    made, ask = enrolment(acme, asks(acme))
    poisoned = POISONED[what](acme, made)
    flora = AtDesk(acme, "fleet-1")
    refused(lambda: flora.signs(poisoned, ask, *cards(made)), "draft-says-more")
    assert flora.signs(made, ask, *cards(made)).is_signed


def test_t0_147_an_enrolment_for_another_stage_or_site_is_another_act(acme: Acme) -> None:
    made, ask = enrolment(acme, asks(acme), "staging")
    flora = AtDesk(acme, "fleet-1")
    meant = replace(ask, details={**ask.details, "stage": (STAGE,)})
    refused(lambda: flora.signs(made, meant, *cards(made)), "other-act")
    refused(lambda: flora.signs(made, replace(ask, object=("plant-9",))), "other-act")


def test_t0_148_a_dispatchers_card_from_the_hub_has_to_be_compared(acme: Acme) -> None:
    """A key under a name that is known, by a card that only the hub has seen."""
    acme.new_key("mallory")
    card = acme.card("dispatcher-1", acme.public("mallory"))
    asked = enrolling.wanted(asks(acme), STAGE, [card[0]], [card], acme.app.hardware_targets)
    made, flora = drafted(acme, asked), AtDesk(acme, "fleet-1")
    refused(lambda: flora.signs(made, asked.ask), "not-typed")
    own = acme.card("dispatcher-1")[1]
    refused(lambda: flora.signs(made, asked.ask, own), "card-not-carried")


def test_t0_149_a_site_is_known_to_whoever_signs_by_the_words_of_its_request(acme: Acme) -> None:
    """Another home's request, under the same name, has other words than the site printed."""
    there = asks(acme)
    swapped = begin_enrolment(
        acme.folder / "mallorys", {}, OTHER, {GROUP: TARGET}, acme.app.hub.now
    )
    made, ask = enrolment(acme, swapped)
    flora = AtDesk(acme, "fleet-1")
    flora.signs(made, ask, *cards(made))
    assert not any(words_of(sha256(there).hexdigest()) in line for line in flora.said.shown)
    assert any(words_of(sha256(swapped).hexdigest()) in line for line in flora.said.shown)


def test_t0_150_floors_are_never_below_what_whoever_signs_remembers(acme: Acme) -> None:
    """The database is put back, and the fleet administrator has seen what came after."""
    flora, request = AtDesk(acme, "fleet-1"), asks(acme)
    acme.close()
    restore = stores.backed_up(acme.root)
    acme.entitle("dora", "approve:staging")
    seen, ask = enrolment(acme, request)
    refused(
        lambda: Desk(Memory(flora.folder), acme.app.hub.now, Listener(agrees=False)).sign(
            seen, ask, flora.signer, cards(seen)
        ),
        "not-agreed",
    )
    acme.close()
    restore()
    made, ask = enrolment(acme, request)
    refused(lambda: flora.signs(made, ask, *cards(made)), "role-went-back")


def test_t0_151_nobody_dispatches_because_a_file_of_the_hub_says_so(
    acme: Acme, capsys: Capsys
) -> None:
    """An older home's setting counts no more; whoever could write it could choose who assigns."""
    mallory = acme.new_key("mallory")
    settings = acme.root / "settings.toml"
    text = settings.read_text().replace(
        "[delivery]\n", f'[delivery]\ndispatcher = "{mallory.text}"\n'
    )
    acme.close()
    settings.write_text(text)
    (acme.folder / "asked").write_bytes(asks(acme))
    cli = Cli(acme, capsys)
    code, _, err = cli("site", "enroll", acme.folder / "asked", "--stage", STAGE)
    assert code == UsageError.exit_code
    assert "delivery.dispatcher in settings.toml no longer counts" in err
    assert "It is not known who dispatches to this site." in err


def test_t0_152_an_answer_of_another_site_is_no_enrolment(ready: Acme, plant: SiteOnPaper) -> None:
    """Both are genuine; the row of the one holds what was answered to the other."""
    asked = asks(ready)
    ready.enrolled(asked)
    rows = {row[0]: row for row in ready.rows()["site"]}
    no_triggers(ready)
    ready.sql("DELETE FROM site WHERE id = 'plant-7'")
    with ready.behind() as connection:
        names = [column.name for column in tables.site.columns]
        swapped = dict(zip(names, rows[OTHER], strict=True)) | {"id": SITE}
        connection.execute(tables.site.insert().values(**swapped))
    for go in (ready.assign, ready.export):
        what = refused(go, "site-row-not-signed")
        assert SITE in what


# -------------------------------------------------------------------- assignment


def test_t0_153_what_runs_is_not_stopped_by_a_row_and_a_routine(
    ready: Acme, plant: SiteOnPaper
) -> None:
    """An unsigned assignment of nothing; the dispatcher renews, assigns and exports as always."""
    plant.take(ready.export().folder)
    nothing_to_run(ready)
    for go in (
        lambda: ready.renew(f"site.{SITE}", "dispatcher-1"),
        ready.assign,
        ready.export,
        lambda: ready.app.exports.draft(SITE, ready.medium, stage),
    ):
        with pytest.raises(RefusedError, match=f"site.{SITE}"):
            go()
    no_triggers(ready)
    ready.sql("DELETE FROM tuf_metadata WHERE role = 'site.plant-7' AND version = 2")
    plant.take(ready.export().folder)
    with plant.opened("it still runs") as site:
        assert site.state.current()


def assigned(acme: Acme, number: int = 1) -> tuple[Draft, Ask]:
    asked = assignments.wanted(acme.app.hub, SITE, version(number), {GROUP: TARGET}, None)
    return drafted(acme, asked), asked.ask


def test_t0_154_an_assignment_is_signed_elsewhere_and_submitted(ready: Acme) -> None:
    ready.promoted(2)
    made, ask = assigned(ready, 2)
    dirk = AtDesk(ready, "dispatcher-1")
    signed = dirk.signs(made, ask)
    assert any("vision/tiny/2" in line for line in dirk.said.shown)
    done = ready.app.submit(signed, at_hub=False)
    assert done.sentence == f"{SITE} {GROUP}: vision/tiny/2, falling back to 1."
    assert not ready.app.submit(signed, at_hub=False).new
    assert ready.types().count("site.assigned") == 2


def test_t0_155_what_nobody_approved_is_not_assigned_by_whoever_signs(ready: Acme) -> None:
    """The hub says that another version is listed; the draft does not carry what vouches for it."""
    made, ask = assigned(ready)
    meant = replace(ask, object=(SITE, "vision/tiny/2"))
    dirk = AtDesk(ready, "dispatcher-1")
    forged = replace(made, object=meant.object)
    refused(lambda: dirk.signs(forged, meant), "not-listed")
    idle = replace(made, statements=(*made.statements, encoded(ready.card("dora")[1])))
    refused(lambda: dirk.signs(idle, ask, ready.card("dora")[1]), "card-not-carried")


def test_t0_156_a_log_says_only_what_was_signed(ready: Acme) -> None:
    """Whoever carries a signed draft names another version in it."""
    ready.promoted(2)
    made, ask = assigned(ready, 2)
    signed = AtDesk(ready, "dispatcher-1").signs(made, ask)
    said = replace(signed, object=(SITE, "vision/tiny/1"))
    refused(lambda: ready.app.submit(said, at_hub=False), "draft-says-more")


# -------------------------------------------------------------------- transfers


def exported(acme: Acme) -> DraftedBundle:
    made = acme.app.exports.draft(SITE, acme.medium, stage)
    assert isinstance(made, DraftedBundle)
    return made


def signed_off(acme: Acme, made: DraftedBundle) -> Draft:
    return AtDesk(acme, "dispatcher-1").signs(made.draft, ask_of(made.draft))


def finished(acme: Acme, signed: Draft) -> AcceptedSubmission:
    return acme.app.finish(signed, acme.medium, stage)


def aside(acme: Acme, made: DraftedBundle) -> Path:
    return acme.medium / "sealift" / f".{made.transfer}.partial"


def test_t0_158_a_transfer_is_signed_elsewhere_and_finished_on_its_medium(
    ready: Acme, plant: SiteOnPaper
) -> None:
    made = exported(ready)
    assert not (aside(ready, made) / "transfer.json").exists()
    assert ready.rows()["bundle"] == []
    signed = signed_off(ready, made)
    refused(lambda: ready.app.submit(signed, at_hub=False), "medium-needed", UsageError)
    done = finished(ready, signed)
    assert done.new
    again = finished(ready, signed)
    assert (again.new, again.data) == (False, done.data)
    assert ready.types().count("transfer.exported") == 1
    plant.take(Path(str(done.data["folder"])))


def test_t0_159_it_waits_over_a_weekend_and_not_for_ever(ready: Acme) -> None:
    made = exported(ready)
    ready.later(days=3)
    signed = signed_off(ready, made)
    assert finished(ready, signed).new
    other = exported_again(ready)
    ready.later(days=29)
    late = signed_off(ready, other)
    ready.later(days=34)
    refused(lambda: finished(ready, late), "transfer-moved-on")


def exported_again(acme: Acme) -> DraftedBundle:
    acme.promoted(2)
    acme.assign(2)
    return exported(acme)


def test_t0_160_the_same_export_again_goes_on_with_what_waits(ready: Acme) -> None:
    """Signed at the hub this time; what was drafted before is of no use then."""
    made = exported(ready)
    signed = signed_off(ready, made)
    there = ready.export()
    assert (there.transfer, there.again) == (made.transfer, True)
    refused(lambda: finished(ready, signed), "transfer-moved-on")


def test_t0_161_a_later_transfer_takes_its_place(ready: Acme) -> None:
    made = exported(ready)
    signed = signed_off(ready, made)
    ready.later(days=2)
    assert ready.export().transfer != made.transfer
    refused(lambda: finished(ready, signed), "transfer-moved-on")


SPOILED: dict[str, Callable[[Path], object]] = {
    "changed": lambda path: path.write_bytes(path.read_bytes()[:-1] + b"?"),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"?"),
    "gone": lambda path: path.unlink(),
}


@pytest.mark.parametrize("how", SPOILED)
@pytest.mark.parametrize(
    "what", ["targets/vision/members.json", "blobs/sha256/*", "metadata/timestamp.json"]
)
def test_t0_162_a_medium_that_was_changed_meanwhile_is_not_vouched_for(
    ready: Acme, what: str, how: str
) -> None:
    made = exported(ready)
    signed = signed_off(ready, made)
    place = aside(ready, made)
    found = sorted(place.glob(what)) or sorted(place.rglob(Path(what).name))
    SPOILED[how](found[0])
    refused(lambda: finished(ready, signed), "not-signed-for")
    assert ready.rows()["bundle"] == []
    assert [one.name for one in (ready.medium / "sealift").iterdir()] == [place.name]
    assert ready.export().transfer == made.transfer


def test_t0_163_what_somebody_put_beside_it_does_not_travel(ready: Acme) -> None:
    made = exported(ready)
    signed = signed_off(ready, made)
    (aside(ready, made) / "autorun.inf").write_text("x")
    folder = Path(str(finished(ready, signed).data["folder"]))
    assert not (folder / "autorun.inf").exists()


def test_t0_164_a_transfer_of_other_files_is_not_the_one_that_was_signed(ready: Acme) -> None:
    """The hub writes another statement into the signed draft, with what lies there now."""
    made = exported(ready)
    signed = signed_off(ready, made)
    (part,) = signed.parts
    said, subjects = statements.read_payload(Transfer, part.data, what="it")
    fewer = statements.payload(replace(said, files=said.files[1:]), subjects)
    forged = replace(signed, parts=(replace(part, payload=encoded(fewer)),))
    refused(lambda: finished(ready, forged), "not-signed-enough")


def test_t0_165_a_transfer_for_another_site_or_assignment_is_not_signed(ready: Acme) -> None:
    made = exported(ready)
    (part,) = made.draft.parts
    said, subjects = statements.read_payload(Transfer, part.data, what="it")
    dirk = AtDesk(ready, "dispatcher-1")
    for other in (
        replace(said, enrolment="0" * 64),
        replace(said, organisation="0" * 64),
        replace(said, id=f"{SITE}-000009"),
    ):
        body = statements.payload(other, subjects)
        forged = replace(made.draft, parts=(replace(part, payload=encoded(body)),))
        refused(lambda one=forged: dirk.signs(one, ask_of(one)), "other-object")  # type: ignore[misc]
    about = (statements.subject(documents.assignment_path(SITE), "0" * 64),)
    body = statements.payload(said, about)
    forged = replace(made.draft, parts=(replace(part, payload=encoded(body)),))
    refused(lambda: dirk.signs(forged, ask_of(forged)), "other-object")


def test_a_medium_without_the_bundle(ready: Acme, tmp_path: Path) -> None:
    signed = signed_off(ready, exported(ready))
    other = tmp_path / "other"
    other.mkdir()
    refused(lambda: ready.app.finish(signed, other, stage), "no-unsigned-bundle", NotFoundError)


def test_a_stage_in_a_row_is_not_what_is_drafted(ready: Acme) -> None:
    no_triggers(ready)
    change(ready, tables.site, stage="staging")
    assert row_of(ready, tables.site)["stage"] == "staging"
    refused(lambda: assigned(ready), "site-row-not-signed")


# -------------------------------------------------------------------- by command


def test_export_and_submit_by_command(ready: Acme, capsys: Capsys, plant: SiteOnPaper) -> None:
    cli = Cli(ready, capsys)
    file = ready.folder / "t.draft"
    told = cli.json("export", SITE, "--to", ready.medium, "--draft", file)
    assert told["sign"].startswith(f"sealift-sign transfer {SITE}-000001 {file}")
    made = drafts.read(file.read_bytes())
    signed = AtDesk(ready, "dispatcher-1").signs(made, ask_of(made))
    assert signer_name(signed, ready.public("dispatcher-1")) == "dispatcher-1"
    file.write_bytes(drafts.write(signed))
    code, _, _ = cli("submit", file)
    assert code == UsageError.exit_code
    done = cli.json("submit", file, "--medium", ready.medium)["submitted"][0]
    plant.take(Path(done["folder"]))


def test_enrol_by_command(acme: Acme, capsys: Capsys) -> None:
    cli = Cli(acme, capsys)
    file, card = acme.folder / "e.draft", cli.card("dispatcher-1")
    (acme.folder / "asked").write_bytes(asks(acme))
    ask = ("site", "enroll", acme.folder / "asked", "--stage", STAGE, "--dispatcher", card)
    told = cli.json(*ask, "--draft", file)
    assert told["sign"] == (
        f"sealift-sign enroll {OTHER} {file} --stage {STAGE} --dispatcher dispatcher-1 "
        f"--card {card} --key FILE"
    )
    made = drafts.read(file.read_bytes())
    named = Ask("enroll", (OTHER,), {"stage": (STAGE,), "dispatcher": ("dispatcher-1",)})
    signed = AtDesk(acme, "fleet-1").signs(made, named, card.read_bytes())
    file.write_bytes(drafts.write(signed))
    (done,) = cli.json("submit", file)["submitted"]
    for name in ("a", "b"):
        assert (
            cli.json("site", "answer", OTHER, "--out", acme.folder / name)["words"] == done["words"]
        )
    assert (acme.folder / "a").read_bytes() == (acme.folder / "b").read_bytes()


def test_the_same_by_name_where_the_dispatcher_is_known(ready: Acme, capsys: Capsys) -> None:
    cli = Cli(ready, capsys)
    (ready.folder / "asked").write_bytes(asks(ready))
    ask = ("site", "enroll", ready.folder / "asked", "--stage", STAGE)
    signed = ("--at-hub", "--key", cli.key("fleet-1"), "--dispatcher", "dispatcher-1")
    out = ready.folder / "a"
    _, said, err = cli(*ask, *signed, "--answer", out)
    assert "opened on this machine, to sign here" in err
    assert f"The answer is in {out}." in said
    with ready.app.hub.reading() as connection:
        assert Sites(connection).get(OTHER).answer == out.read_bytes()


def test_init_writes_a_card_for_the_first_enrolment(acme: Acme) -> None:
    card = (acme.folder / "offline" / "dispatcher-1.card").read_bytes()
    assert "dispatcher" not in (acme.root / "settings.toml").read_text()
    asked = enrolling.wanted(
        asks(acme), STAGE, ["dispatcher-1"], [("dispatcher-1", card)], acme.app.hardware_targets
    )
    assert drafted(acme, asked).parts
