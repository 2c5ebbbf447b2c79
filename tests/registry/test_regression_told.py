"""What a comparison tells first, where it is shown, and where nothing could be compared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sealift_registry.regression import comparison_words, measure
from sealift_registry.regression.regression_report import report_of
from sealift_registry.shown.about import all_about
from sealift_signing.documents import Withdrawal
from sealift_signing.more_member import LOOK, TOLD_FIRST
from sealift_signing.vocabulary import moment
from tests.registry.hub_fixture import STAGE, TARGET, Acme, version
from tests.registry.test_regression import compared, evidence

# ------------------------------------------------------------------ several stages


def told(hub: Acme, number: int) -> list[str]:
    """What `sealift show VERSION` says before all else."""
    with hub.app.hub.reading() as connection:
        _, _, lines = all_about(hub.app.hub, connection, str(version(number)))
    return [one for one in lines if one.startswith(LOOK)]


def test_p0_235_what_is_told_first_of_one_stage_outlives_a_comparison_for_another(
    hub: Acme,
) -> None:
    hub.promoted(1, "staging")
    compared(hub, 2, "staging")
    (before,) = [one for one in told(hub, 2) if "listed for staging" in one]
    compared(hub, 2, "production")
    assert before in told(hub, 2)
    # Of the same stage the newest counts alone.
    hub.ingest(3, hub.goldens())
    hub.convert(3)
    hub.promoted(3, "staging")
    compared(hub, 2, "staging")
    of_staging = [one for one in told(hub, 2) if "listed for staging" in one]
    assert len(of_staging) == 1
    assert "version 3" in of_staging[0]


def test_p0_235_convert_shows_what_was_compared_for_each_stage(hub: Acme) -> None:
    hub.promoted(1, "staging")
    compared(hub, 2, "staging")
    compared(hub, 2, "production")
    again = hub.convert(2)
    stages = [
        report_of(e.predicate).stage for e in again.evidence if e.predicate.kind == "regression"
    ]
    assert sorted(stages) == ["production", "staging"]


# ------------------------------------------------------------------ nothing listed, or nothing left


def line(hub: Acme) -> None:
    """Another hardware target of this name, like the one there is."""
    text = Path(measure.__file__).parents[1] / "conversion/hardware_targets/cpu-x86_64.toml"
    folder = hub.root / "hardware-targets"
    folder.mkdir()
    (folder / "line.toml").write_text(text.read_text().replace('"cpu-x86_64"', '"line"', 1))
    hub.close()


def first_check(hub: Acme, number: int) -> tuple[str, str]:
    check = evidence(hub, number)[-1].predicate.checks[0]
    return check.name, check.words


def test_p0_236_what_is_listed_for_another_hardware_target_is_told_first(hub: Acme) -> None:
    line(hub)
    hub.ingest(3, hub.goldens())
    hub.convert(3, "line")
    hub.promoted(3)
    found = compared(hub, 2)
    assert (found.nothing, found.listed) == ("first", None)
    name, words = first_check(hub, 2)
    assert name == TOLD_FIRST
    assert words == (
        f"Nothing to compare with: no version for {TARGET} is listed for {STAGE}; for line version "
        "3 is listed, and was not compared."
    )
    assert comparison_words.summary(found) == words


def test_p0_236_what_was_listed_and_counts_no_more_is_told_first(hub: Acme) -> None:
    hub.promoted(1)
    first = hub.standing(1).vouched[1].artifact
    gone = Withdrawal(
        "w-1", STAGE, first.sha256, None, None, "it is wrong", moment(hub.app.hub.now())
    )
    hub.change_members(lambda members: replace(members, withdrawn=(gone,)))
    assert compared(hub, 2).nothing == "first"
    name, words = first_check(hub, 2)
    assert name == TOLD_FIRST
    assert words.endswith(f"; version 1 was listed for {TARGET}, and no longer counts.")


def test_p0_236_it_is_quiet_only_where_nothing_of_the_model_was_ever_listed(hub: Acme) -> None:
    line(hub)
    hub.promoted(1, "staging")
    assert compared(hub, 2).nothing == "first"
    assert first_check(hub, 2)[0] != TOLD_FIRST, "of another stage"
    # What is listed meanwhile for another hardware target makes it another comparison.
    hub.ingest(3, hub.goldens())
    hub.convert(3, "line")
    hub.promoted(3)
    compared(hub, 2)
    assert len(evidence(hub, 2)) == 2
    assert first_check(hub, 2)[0] == TOLD_FIRST
    compared(hub, 2)
    assert len(evidence(hub, 2)) == 2, "and the same is not found again"
