"""Discarding: what somebody says may go goes, what anybody needs does not, and it can come back."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sealift_registry import fsck
from sealift_registry.app import open_app
from sealift_registry.blob_fsck import examine
from sealift_registry.blob_mend import mend
from sealift_registry.catalog.catalog import Catalog
from sealift_registry.catalog.reference import VersionRef
from sealift_registry.catalog.restoring import restore
from sealift_registry.delivery import exports
from sealift_registry.delivery.assignments import _Gathering
from sealift_registry.delivery.unsigned_transfers import FOLDER
from sealift_registry.gc import collecting, discarding, marking
from sealift_registry.gc.collecting import Amount, Found, collect, look
from sealift_registry.gc.uses import Uses
from sealift_registry.jobs import records
from sealift_registry.jobs.records import Wanted
from sealift_registry.promotion.promotions import Promotions
from sealift_registry.views import due
from sealift_signing.drafts import Draft
from sealift_signing.errors import NotFoundError, RefusedError, SealiftError, UsageError
from sealift_signing.vocabulary import SOURCE, CatalogPath
from sealift_sync.artifact import read_manifest
from sealift_sync.blobs import BlobFolder
from tests import models
from tests.registry.hub_fixture import MODEL, SITE, STAGE, TARGET, Acme, quiet, stage, version
from tests.registry.many_versions import add_version
from tests.registry.test_g3_110_gc import Killed
from tests.registry.test_letting_rows_out import lets
from tests.site_on_paper import SiteOnPaper

WHY = "Nobody ran it."
ONE, TWO = f"{MODEL}/1", f"{MODEL}/2"
THREE = f"{MODEL}/3"
VARIANT = f"{TWO}/{TARGET}"
OTHER = "cpu-aarch64"


def discard(acme: Acme, what: str, reason: str = WHY) -> bool:
    return discarding.discard(acme.app.hub, what, "dora", reason)


def collected(acme: Acme) -> Found:
    """What another process removes once this one has ended."""
    acme.close()
    hub = open_app(acme.root, {}).hub
    try:
        return collect(hub, "dora", stage)
    finally:
        hub.close()


def there(acme: Acme) -> set[str]:
    return set(acme.app.hub.home.blobs.digests())


def files(acme: Acme, version_name: str, form: str = "") -> set[str]:
    """The blobs that forms of a version consist of, but for their manifests and configs."""
    hub, found = acme.app.hub, set[str]()
    with hub.reading() as connection:
        rows = Catalog(connection).artifacts(VersionRef.parse(version_name))
    for row in rows:
        read = read_manifest(hub.home.blobs.read(row.sha256), what="it")
        if form in {"", row.path.form}:
            found |= read.blobs.keys() - {read.config.sha256}
    return found


@pytest.fixture
def apart(hub: Acme) -> Acme:
    """A version 3 whose variant has other bytes than its source: a field stands there twice."""
    path = models.tiny_onnx(hub.folder / "tiny-3.onnx", 3)
    path.write_bytes(path.read_bytes() + b"\x12\x01x\x12\x01x")
    hub.ingest(3, hub.goldens())
    hub.convert(3)
    assert not files(hub, THREE, SOURCE) & files(hub, THREE, TARGET)
    return hub


def refused(act: Callable[[], object]) -> SealiftError:
    with pytest.raises(RefusedError) as told:
        act()
    return told.value


# ------------------------------------------------------------------------- what goes


def test_g3_150_what_was_discarded_goes_and_nothing_else(hub: Acme) -> None:
    theirs, before, rows = files(hub, TWO) - files(hub, ONE), there(hub), hub.rows()
    assert theirs
    assert look(hub.app.hub, stage).discarded == Amount()
    planned = discarding.consequence(hub.app.hub, TWO)
    assert [one.form for one in planned.forms] == [SOURCE, TARGET]
    assert discard(hub, TWO)
    after = hub.rows()
    changed = {name for name, ours in after.items() if ours != rows[name]}
    assert {one for one in changed if not one.startswith("log_")} == set(), "rows stay"
    found = collected(hub)
    assert there(hub) == before - theirs
    assert found.removed_discarded == planned.files
    assert (found.removed_discarded.blobs, found.removed.blobs) == (len(theirs), 0)
    assert examine(hub.app.hub, stage).losses == ()
    assert collected(hub).removed_discarded.blobs == 0


def test_g3_150_what_another_consists_of_as_well_stays(acme: Acme, tmp_path: Path) -> None:
    shared, own = b"of both" * 20_000, b"of one" * 20_000
    one, _ = add_version(acme.app.hub, tmp_path / "1", {"a.bin": shared, "b.bin": own})
    _, needed = add_version(acme.app.hub, tmp_path / "2", {"a.bin": shared})
    discard(acme, f"{one}/source")
    assert collected(acme).removed_discarded == Amount(1, len(own))
    assert needed <= there(acme)


def test_g3_150_the_entry_says_who_when_why_and_what(hub: Acme) -> None:
    discard(hub, VARIANT, "Superseded by 3.")
    with hub.app.hub.reading() as connection:
        row = Catalog(connection).artifact(version(2).path(TARGET))
        (said,) = Catalog(connection).discards(version(2)).values()
    assert row is not None
    assert (said.path, said.sha256, said.by) == (row.path, row.sha256, "dora")
    assert said.words == (
        f"catalog/{VARIANT} was discarded by dora on {said.at[:10]} because “Superseded by 3.”."
    )
    assert hub.types()[-1] == "artifact.discarded"


def test_g3_150_the_same_again_adds_nothing(hub: Acme) -> None:
    assert discard(hub, VARIANT)
    count = len(hub.types())
    assert not discard(hub, VARIANT)
    assert len(hub.types()) == count
    assert discard(hub, TWO), "the source as well"
    with hub.app.hub.reading() as connection:
        assert len(Catalog(connection).discards(version(2))) == 2
    assert discarding.consequence(hub.app.hub, TWO).forms == ()


@pytest.mark.parametrize(
    "what, kind, code",
    [
        (f"{MODEL}/7", NotFoundError, "no-version"),
        (f"{TWO}/gpu", NotFoundError, "no-form"),
        (MODEL, UsageError, "bad-version"),
        (f"{TWO}/a/b", UsageError, "bad-version"),
    ],
)
def test_g3_150_what_names_nothing(
    hub: Acme, what: str, kind: type[SealiftError], code: str
) -> None:
    for act in (discarding.consequence, lambda one, it: discarding.discard(one, it, "dora", WHY)):
        with pytest.raises(kind) as told:
            act(hub.app.hub, what)
        assert told.value.code == code


@pytest.mark.parametrize("reason", ["", "  ", "x" * 2001, "\x1b[2J"])
def test_g3_150_a_reason_is_needed(hub: Acme, reason: str) -> None:
    with pytest.raises(UsageError, match="no reason"):
        discard(hub, TWO, reason)


def test_g3_150_a_path_as_it_is_shown_names_the_same(hub: Acme) -> None:
    assert discard(hub, f"catalog/{VARIANT}")


def test_g3_151_exactly_the_right_set_is_kept_whatever_was_discarded(
    acme: Acme, tmp_path: Path
) -> None:
    """The model: what a version that was not discarded is made of, and every manifest."""
    chance = random.Random(151)  # noqa: S311 - the same hub each time
    shared = [b"%d" % n * 70_000 for n in range(5)]
    hub, kept, gone = acme.app.hub, there(acme), set[str]()
    discarded = list[VersionRef]()
    for number in range(40):
        given = {f"{n}.bin": chance.randbytes(70_000 + n) for n in range(2)}
        given |= {f"shared-{n}.bin": chance.choice(shared) for n in range(chance.randrange(3))}
        ref, digests = add_version(hub, tmp_path / str(number), given)
        loose = files(acme, str(ref))
        kept |= digests - loose
        if chance.random() < 0.5:
            discarded.append(ref)
            gone |= loose
        else:
            kept |= loose
    for ref in discarded:
        discard(acme, str(ref))
    assert there(acme) == kept | gone
    back = [one for one in discarded if chance.random() < 0.3]
    for ref in back:
        with acme.app.hub.reading() as connection:
            (row,) = Catalog(connection).artifacts(ref)
        assert restore(acme.app.hub, row, "dora")
        kept |= files(acme, str(ref))
    found = collected(acme)
    assert there(acme) == kept
    assert found.removed_discarded.blobs == len(gone - kept)


# ------------------------------------------------------------------------- while it is needed


def assigned(ready: Acme, _: SiteOnPaper) -> str:
    del ready
    return "is assigned to site plant-7, for line-1 to run."


def to_go_back_to(ready: Acme, _: SiteOnPaper) -> str:
    ready.promoted(2)
    ready.assign(2)
    return "is assigned to site plant-7, for line-1 to go back to."


def under_way(ready: Acme, _: SiteOnPaper) -> str:
    ready.export()
    ready.unassign()
    return "plant-7-000001 is under way to site plant-7 with catalog/vision/tiny/1/cpu-x86_64."


def drafted(ready: Acme, _: SiteOnPaper) -> str:
    ready.app.exports.draft(SITE, ready.medium, stage)
    assert list((ready.root / FOLDER).iterdir())
    ready.unassign()
    return "plant-7-000001 is under way to site plant-7 with catalog/vision/tiny/1/cpu-x86_64."


def runs(ready: Acme, plant: SiteOnPaper) -> str:
    plant.take(ready.export().folder)
    ready.app.returns.receive(ready.returned(plant))
    ready.unassign()
    return "runs at site plant-7, in line-1, by the site's own word."


def had(ready: Acme, plant: SiteOnPaper) -> str:
    runs(ready, plant)
    plant.take(ready.export().folder)
    ready.app.returns.receive(ready.returned(plant))
    return "Site plant-7 has catalog/vision/tiny/1/cpu-x86_64, by its receipt for plant-7-00000"


def enrolled_again(ready: Acme, plant: SiteOnPaper) -> str:
    had(ready, plant)
    again = SiteOnPaper(ready.folder / "again", plant.now)
    ready.enrol(again)
    return "Site plant-7 has catalog/vision/tiny/1/cpu-x86_64, by its receipt for plant-7-00000"


def listed(ready: Acme, _: SiteOnPaper) -> str:
    ready.unassign()
    return f"catalog/{ONE}/{TARGET} is what is listed for {STAGE}."


@pytest.mark.parametrize("form", [TARGET, SOURCE, ""])
@pytest.mark.parametrize(
    "why", [assigned, to_go_back_to, under_way, drafted, runs, had, enrolled_again, listed]
)
def test_g3_152_what_somebody_needs_is_not_discarded(
    ready: Acme,
    plant: SiteOnPaper,
    why: Callable[[Acme, SiteOnPaper], str],
    form: str,
) -> None:
    words = why(ready, plant)
    what, before = f"{ONE}/{form}".rstrip("/"), ready.types()
    for act in (
        lambda: discard(ready, what),
        lambda: discarding.consequence(ready.app.hub, what),
    ):
        bad = refused(act)
        assert bad.code == "discard-in-use"
        assert bad.next_step
    with ready.app.hub.reading() as connection:
        rows = Catalog(connection).artifacts(version(1))
        told = [one.sentence for one in Uses(ready.app.hub, connection).of(version(1), rows)]
    assert any(words in one for one in told), told
    assert ready.types() == before


@pytest.mark.parametrize("form", [TARGET, SOURCE, ""])
def test_g3_153_an_open_promotion_keeps_what_it_is_about(hub: Acme, form: str) -> None:
    number = hub.request(2)
    what = f"{TWO}/{form}".rstrip("/")
    bad = refused(lambda: discard(hub, what))
    assert "P-000001 asks for vision/tiny/2 to be promoted to production, and may be" in bad.what
    hub.later(days=31)
    assert discard(hub, what)
    assert refused(lambda: hub.approve(number, "carla")).code in {"discarded", "approval-too-late"}


def test_g3_153_what_was_listed_before_may_go_once_a_newer_one_is(hub: Acme) -> None:
    hub.promoted(1)
    assert refused(lambda: discard(hub, ONE)).code == "discard-in-use"
    hub.promoted(2)
    assert discard(hub, ONE)


def test_g3_153_a_job_that_waits_keeps_its_version(hub: Acme) -> None:
    asked = Wanted("convert", {"version": TWO, "hardware_target": TARGET}, TARGET)
    job = records.ask(hub.app.hub, asked, "dora")
    bad = refused(lambda: discard(hub, TWO))
    assert bad.what.startswith("J-000001 is about vision/tiny/2, and has not ended.")
    assert bad.next_step.endswith("sealift job cancel J-000001")
    records.finish(hub.app.hub, job.number, "cancelled", attempt=None, by="dora")
    assert discard(hub, TWO)


@pytest.mark.parametrize("times", [1, 9])
def test_g3_154_what_is_asked_for_while_it_is_discarded_is_not_passed_over(
    hub: Acme, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """Somebody writes between the question who needs it and the entry; or does so each time."""
    asked, check = list[int](), discarding._check_unused

    def and_then(*given: Any) -> None:  # noqa: ANN401 - as it is
        check(*given)
        asked.append(len(asked))
        if len(asked) == min(times, discarding.MOST_TRIES):
            hub.request(2)
        elif len(asked) < times:
            hub.ingest(7 + len(asked))

    monkeypatch.setattr(discarding, "_check_unused", and_then)
    assert refused(lambda: discard(hub, TWO)).code == "discard-in-use"
    assert "artifact.discarded" not in hub.types()


def test_g3_154_who_comes_to_need_it_since_is_not_left_without(
    ready: Acme, plant: SiteOnPaper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever had it discarded by hiding who needs it meanwhile gets nothing removed."""
    runs(ready, plant)
    before = there(ready)
    with monkeypatch.context() as hidden:
        hidden.setattr(Uses, "of", lambda *_: iter(()))
        assert discard(ready, ONE)
    assert collected(ready).removed_discarded == Amount()
    assert there(ready) == before


# ------------------------------------------------------------------------- it comes back


@pytest.mark.parametrize("removed", [True, False])
def test_g3_155_to_ingest_it_again_brings_the_source_back(apart: Acme, *, removed: bool) -> None:
    before = there(apart)
    discard(apart, f"{THREE}/source")
    if removed:
        assert collected(apart).removed_discarded.blobs
        assert there(apart) == before - files(apart, THREE, SOURCE)
    done = apart.ingest(3, apart.goldens())
    assert (done.new, done.restored) == (False, True)
    assert apart.types()[-1] == "artifact.restored"
    assert not apart.ingest(3, apart.goldens()).restored
    assert collected(apart).removed_discarded == Amount()
    assert there(apart) == before
    assert discard(apart, f"{THREE}/source"), "and it may go again"


@pytest.mark.parametrize("removed", [True, False])
def test_g3_155_to_convert_it_again_brings_the_variant_back(apart: Acme, *, removed: bool) -> None:
    before = there(apart)
    discard(apart, f"{THREE}/{TARGET}")
    if removed:
        assert collected(apart).removed_discarded.blobs
        assert there(apart) == before - files(apart, THREE, TARGET)
    assert apart.convert(3).new
    assert apart.types()[-1] == "artifact.restored"
    collected(apart)
    assert before <= there(apart)
    assert not apart.convert(3).new
    assert apart.promoted(3), "its new evidence counts"
    with apart.app.hub.reading() as connection:
        assert [one.sentence for one in fsck.check(connection)] == []


def test_g3_155_all_of_a_version_comes_back_in_its_order(apart: Acme) -> None:
    before = there(apart)
    discard(apart, THREE)
    collected(apart)
    bad = refused(lambda: apart.convert(3))
    assert (bad.code, "catalog/vision/tiny/3/source was discarded by dora" in bad.what) == (
        "discarded",
        True,
    )
    apart.ingest(3, apart.goldens())
    apart.convert(3)
    assert before <= there(apart)
    with apart.app.hub.reading() as connection:
        assert not Catalog(connection).discards(version(3))


def test_g3_155_what_comes_out_otherwise_is_not_taken_for_it(
    hub: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    discard(hub, VARIANT)
    collected(hub)
    count = len(hub.types())
    monkeypatch.setattr(
        "sealift_registry.conversion.acceptance.Catalog.artifact", _of_other_bytes(Catalog.artifact)
    )
    bad = refused(lambda: hub.convert(2))
    assert bad.code == "restored-otherwise"
    assert hub.types()[count:] == []


def _of_other_bytes(found: Callable[..., object]) -> Callable[..., object]:
    def artifact(catalog: Catalog, path: Any) -> object:  # noqa: ANN401 - as it is
        row: Any = found(catalog, path)
        return replace(row, sha256="0" * 64) if row and not path.is_source else row

    return artifact


# ------------------------------------------------------------------------- who is told


def test_g3_156_who_needs_its_files_is_told(ready: Acme) -> None:
    ready.unassign()
    ready.promoted(2)
    discard(ready, f"{ONE}/{TARGET}")
    collected(ready)
    words = f"catalog/{ONE}/{TARGET} was discarded by dora on "
    for act in (
        lambda: ready.request(1),
        lambda: ready.assign(1),
        lambda: ready.approve(1, "carla"),
    ):
        bad = refused(act)
        assert bad.code == "discarded", bad.what
        assert bad.what.startswith(words)
        assert bad.next_step == f"Build it again: sealift convert {ONE} --for {TARGET}"


def test_g3_156_other_variants_are_promoted_without_it(hub: Acme) -> None:
    hub.convert(2, OTHER)
    discard(hub, f"{TWO}/{OTHER}")
    number = hub.promoted(2)
    names = {one.name for one in hub.standing(number).promotion.request.subjects}
    assert names == {f"catalog/{TWO}/source", f"catalog/{VARIANT}"}


def test_g3_156_without_its_source_nothing_of_it_is_promoted(hub: Acme) -> None:
    discard(hub, f"{TWO}/source")
    assert refused(lambda: hub.request(2)).what.startswith(f"catalog/{TWO}/source was discarded")


def test_g3_156_an_assignment_that_was_signed_before_is_not_published(
    ready: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was drafted, and somebody discarded it before it was submitted."""
    ready.promoted(2)
    with monkeypatch.context() as late:
        late.setattr(
            "sealift_registry.delivery.assignments._Gathering.needed",
            _and_then(lambda: discard_hidden(ready, TWO)),
        )
        bad = refused(lambda: ready.assign(2))
    assert bad.code == "discarded"


def discard_hidden(acme: Acme, what: str) -> None:
    found = Uses.of
    try:
        Uses.of = lambda *_: iter(())  # type: ignore[method-assign]
        discard(acme, what)
    finally:
        Uses.of = found  # type: ignore[method-assign]


def _and_then(act: Callable[[], object]) -> Callable[..., object]:
    found, done = _Gathering.needed, list[bool]()

    def needed(gathering: _Gathering, path: CatalogPath) -> object:
        given = found(gathering, path)
        if not done:
            done.append(True)
            act()
        return given

    return needed


def test_g3_156_what_was_discarded_is_not_exported(ready: Acme) -> None:
    discard_hidden(ready, ONE)
    count = len(ready.types())
    bad = refused(ready.export)
    assert (bad.code, bad.what.startswith(f"catalog/{ONE}/")) == ("discarded", True)
    assert ready.types()[count:] == [], "no bundle was begun"


def test_g3_156_a_request_that_was_signed_before_is_not_taken_in(
    hub: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was drafted, and somebody discarded one of its variants before it was submitted."""
    lets(hub)
    hub.convert(2, OTHER)
    submit = Promotions.submit_request

    def late(promotions: Promotions, draft: Draft, *, at_hub: bool) -> object:
        discard(hub, f"{TWO}/{OTHER}")
        return submit(promotions, draft, at_hub=at_hub)

    monkeypatch.setattr(Promotions, "submit_request", late)
    bad = refused(lambda: hub.request(2))
    assert (bad.code, bad.subject) == ("discarded", f"catalog/{TWO}/{OTHER}")


def test_g3_156_nobody_approves_what_was_discarded(hub: Acme) -> None:
    """Its request names two variants, and one of them is there."""
    lets(hub)
    hub.convert(2, OTHER)
    number = hub.request(2)
    discard_hidden(hub, f"{TWO}/{OTHER}")
    bad = refused(lambda: hub.approve(number, "carla"))
    assert (bad.code, bad.subject) == ("discarded", f"catalog/{TWO}/{OTHER}")


def test_g3_156_a_bundle_is_not_recorded_with_what_was_discarded_meanwhile(
    ready: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was signed elsewhere, and finished here; of that host's draft this one saw nothing."""
    count = len(ready.types())
    monkeypatch.setattr(exports, "check_kept", lambda *_: discard_hidden(ready, ONE))
    bad = refused(ready.export)
    assert bad.code == "discarded"
    assert ready.types()[count:] == ["transfer.begun", "artifact.discarded"]


def test_g3_156_what_was_discarded_is_not_compared_and_the_others_are(hub: Acme) -> None:
    hub.convert(2, OTHER)
    discard(hub, f"{TWO}/{OTHER}")
    count = len(hub.types())
    hub.app.comparisons.compare(version(2), STAGE, quiet)
    assert hub.types()[count:] == ["variant.compared"]


def test_g3_156_mending_brings_nothing_back_that_was_discarded(apart: Acme, tmp_path: Path) -> None:
    copy = BlobFolder(tmp_path / "copy")
    for digest in there(apart):
        copy.put_bytes(apart.app.hub.home.blobs.read(digest))
    discard(apart, THREE)
    collected(apart)
    before = there(apart)
    done = mend(apart.app.hub, copy, stage)
    assert (done.back, done.found.losses, there(apart)) == ({}, (), before)
    assert [one.path.form for one in done.found.discarded] == [TARGET, SOURCE]


def test_g3_157_sealift_next_asks_nothing_of_what_was_discarded(hub: Acme) -> None:
    with hub.app.hub.reading() as connection:
        assert [one.ref for one in due.versions(connection).versions] == [version(2)]
    discard(hub, TWO)
    with hub.app.hub.reading() as connection:
        found = due.versions(connection)
    assert (found.versions, found.any_model) == ((), True)


def test_g3_157_one_variant_that_was_discarded_hides_no_other(hub: Acme) -> None:
    hub.convert(2, OTHER)
    discard(hub, f"{TWO}/{OTHER}")
    with hub.app.hub.reading() as connection:
        assert [one.ref for one in due.versions(connection).versions] == [version(2)]


# ------------------------------------------------------------------------- killed


@pytest.mark.parametrize("where", ["condemned", "removed"])
def test_g3_158_gc_may_be_killed_on_its_way(
    hub: Acme, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs, before = files(hub, TWO) - files(hub, ONE), there(hub)
    discard(hub, TWO)
    monkeypatch.setattr(collecting, "BATCH", 1)

    def killed(name: str) -> None:
        if name == where:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(collecting, "step", killed)
        with pytest.raises(Killed):
            collected(hub)
    assert before - there(hub) <= theirs
    hub.ingest(2, hub.goldens())  # somebody needs it again in between
    assert hub.types()[-1] == "artifact.restored"
    collected(hub)
    assert files(hub, TWO, SOURCE) <= there(hub)
    discard(hub, TWO)
    collected(hub)
    assert there(hub) == before - theirs


def test_g3_158_what_came_back_while_gc_looked_stays(
    hub: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    """gc saw that it was discarded; before it removes anything, it is ingested again."""
    discard(hub, f"{TWO}/source")
    before, finish = there(hub), marking.finish
    late = Acme(hub.folder)

    def and_then(*given: Any) -> object:  # noqa: ANN401 - as it is
        found = finish(*given)
        late.ingest(2, late.goldens())
        return found

    monkeypatch.setattr(marking, "finish", and_then)
    assert collected(hub).removed_discarded == Amount()
    assert late.types()[-1] in {"artifact.restored", "gc.removing", "gc.removed"}
    late.close()
    assert there(hub) == before
