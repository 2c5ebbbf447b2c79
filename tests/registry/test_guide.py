"""`sealift next`: every kind of step appears when it should, and vanishes when it is done."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from sealift_registry.conversion import refused as conversion_refused
from sealift_signing.errors import RefusedError
from tests.registry.hub_fixture import TARGET, Acme
from tests.registry.signing_people import draft_renewal
from tests.site_on_paper import SiteOnPaper


def steps(hub: Acme) -> list[str]:
    return [step.command.split(" --")[0] for step in hub.app.missing()]


def sentences(hub: Acme) -> str:
    return "\n".join(step.sentence for step in hub.app.missing())


def test_from_nothing_to_a_receipt(hub: Acme, plant: SiteOnPaper) -> None:
    promote = ["sealift promote vision/tiny/2", "sealift site enroll FILE"]
    assert steps(hub) == promote
    number = hub.request(2)
    assert "P-000001 (vision/tiny/2 to production) has 0 of 2 approvals." in sentences(hub)
    hub.approve(number, "carla")
    assert "has 1 of 2 approvals." in sentences(hub)
    hub.approve(number, "emil")
    assert steps(hub) == ["sealift site enroll FILE"]
    hub.enrol(plant)
    assert steps(hub) == ["sealift assign plant-7 TEAM/MODEL/VERSION"]
    hub.assign(2)
    assert steps(hub) == ["sealift export plant-7"]
    plant.take(hub.export().folder)
    assert steps(hub) == ["sealift receive DIR"]
    hub.app.returns.receive(hub.returned(plant))
    assert steps(hub) == []
    hub.promoted(1)
    hub.assign(1, back="It is wrong.")
    assert "has changed since plant-7-000001 was exported" in sentences(hub)
    hub.export()
    assert steps(hub) == ["sealift receive DIR"]


def test_people(acme: Acme) -> None:
    from dataclasses import replace

    acme.change_members(lambda members: replace(members, people=()))
    assert [step.sentence for step in acme.app.missing()][:3] == [
        "Nobody in team vision may request promotions.",
        "Team vision has 0 of the 2 people whose approval production needs.",
        "Team vision has 0 of the 1 people whose approval staging needs.",
    ]
    acme.entitle("dora", "request")
    acme.entitle("carla", "approve:staging", "approve:production")
    assert "1 of the 2" in acme.app.missing()[0].sentence
    acme.entitle("emil", "approve:production")
    assert steps(acme)[0] == "sealift ingest onnx FILE"


def test_a_version_on_its_way(acme: Acme) -> None:
    assert "No model has been taken in yet." in sentences(acme)
    acme.ingest(1)
    assert "vision/tiny/1 has no goldens" in sentences(acme)
    acme.ingest(1, acme.goldens())
    assert steps(acme)[0] == "sealift convert vision/tiny/1"


def test_p0_375_what_was_refused_is_not_advised_again(
    acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    """These very bytes are refused for ever; others, or by newer software, may not be."""
    wrong = acme.folder / "wrong.npz"
    np.savez(wrong, inputs=np.zeros((8, 5), np.float32))
    acme.ingest(1, wrong)
    assert steps(acme)[0] == "sealift convert vision/tiny/1"
    with pytest.raises(RefusedError) as refused:
        acme.convert(1)
    *others, last = acme.app.missing()
    assert not [one for one in others if "vision/tiny/1" in one.sentence]
    assert last.sentence.startswith(
        f"Converting vision/tiny/1 for {TARGET} was refused: {refused.value.what[:80]}"
    )
    assert last.command == "sealift ingest …  (as before)  --as vision/tiny --goldens FILE.npz"
    with monkeypatch.context() as newer:
        newer.setattr(conversion_refused, "package_version", lambda _name: "99.0.0")
        assert "sealift convert vision/tiny/1" in steps(acme)
    acme.ingest(1, acme.goldens())
    assert "sealift convert vision/tiny/1" in steps(acme)
    acme.convert(1)
    assert "was refused" not in sentences(acme)
    assert "sealift promote vision/tiny/1" in steps(acme)


def test_what_runs_out(acme: Acme) -> None:
    assert "signature" not in sentences(acme)
    acme.later(days=77)
    assert "The signature of recall expires at" in sentences(acme)
    assert steps(acme)[0] == "sealift renew recall"
    with acme.app.hub.reading() as connection:
        now = acme.app.hub.now()
        change = draft_renewal(connection, "recall", [acme.signer("recall-2")], now)
    acme.app.hub.commit_change(change, acme.app.hub.entry("role.renewed", "recall", {}))
    assert "signature" not in sentences(acme)
    acme.later(days=366)
    assert "The signature of targets expired at" in sentences(acme)


def test_a_request_that_another_one_made_needless(hub: Acme) -> None:
    hub.request()
    hub.request(2)
    hub.promoted(1)
    hub.promoted(2)
    assert steps(hub) == ["sealift site enroll FILE"]


def test_no_team(founded: object, tmp_path: object, acme: Acme) -> None:
    from sealift_registry.app import App
    from sealift_registry.trust import founding

    solo = App(founding.found_solo(acme.folder / "solo", "me", "me", {}))
    assert [step.sentence for step in solo.missing()] == [
        "There is no team yet; a team owns models."
    ]
    solo.close()


def test_it_reads_one_state_while_others_write(hub: Acme) -> None:
    act: Callable[[int], object] = lambda _: sentences(hub)  # noqa: E731
    with hub.another() as other, ThreadPoolExecutor(2) as threads:
        asked = threads.map(act, range(5))
        for number in (1, 2, 1):
            other.request(number)
        assert len(list(asked)) == 5, "none of them met a half-written state"


def test_what_is_too_old_to_be_approved_is_asked_for_again(hub: Acme) -> None:
    number = hub.request()
    hub.approve(number, "carla")
    assert "sealift approve P-000001" in steps(hub)
    hub.later(days=31)
    again = "sealift promote vision/tiny/1 --to production --reason '…'"
    (step,) = (one for one in hub.app.missing() if "P-000001" in one.sentence)
    assert step.command == again
    assert "too old" in step.sentence
    hub.request()
    assert [one.command for one in hub.app.missing() if one.command == again] == []
    assert "sealift approve P-000002" in steps(hub)


def test_of_several_that_are_too_old_the_last_is_named(hub: Acme) -> None:
    hub.request()
    hub.later(days=31)
    hub.request()
    hub.later(days=70)
    said = [one.sentence for one in hub.app.missing() if "too old" in one.sentence]
    assert [one.split()[0] for one in said] == ["P-000002"]
