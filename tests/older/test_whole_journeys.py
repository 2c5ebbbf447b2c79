"""From an older home the whole journey goes on by ordinary commands, also what was under way."""

from __future__ import annotations

from tests.desk.days import Days, Told
from tests.older.test_older import CPU, STEWARDS, days, unpacked

__all__ = ["days", "unpacked"]

DISPATCH = "--key offline/dispatcher-1.pem"


def pinned(days: Days) -> None:
    """Whoever looks after the hub begins a memory."""
    days.first_trusts()


def runs(days: Days, site: str) -> dict[str, int]:
    return {one["model"]: one["version"] for one in days.site("status", site)["runs"]}


def answered(days: Days, site: str) -> str:
    """What the site's operator types: from paper, and as it was read out to them."""
    told = days.hub(f"site answer {site} --out {site}.answer")
    return f"--fingerprint {days.paper} --words {told['words'].replace(' ', '-')}"


def test_t0_170_an_older_home_goes_the_whole_way_by_ordinary_commands(days: Days) -> None:
    """Pinned, renewed, approved, assigned, exported, imported, and home again."""
    pinned(days)
    anna, ben, emil = days.trusting(*STEWARDS, "emil")
    targets = days.trusting("targets-1", "targets-2")
    days.carry_out("renew root", *days.trusting("root-1", "root-2"))
    days.carry_out("renew targets", *targets)
    days.carry_out("renew fleet", *days.trusting("fleet-1"))
    days.carry_out("renew recall", *days.trusting("recall-1"))
    days.carry_out("renew team.vision", anna, ben)
    days.person("carla").card()
    days.later(hours=2)
    days.carry_out("team approver vision carla.card", anna, ben)
    days.carry_out("approve P-3 --meaning validated --reason tested", emil)
    days.hub(f"assign plant-7 vision/tiny/3 --for line-1={CPU} {DISPATCH}")
    days.site("import medium", "plant-7")
    told = days.hub(f"export plant-7 --to medium {DISPATCH}")
    days.site(f"import {told['folder']}", "plant-7")
    assert runs(days, "plant-7") == {"vision/tiny": 3}
    days.site("rollback vision/tiny --reason wrong", "plant-7")
    days.site("return --to medium", "plant-7")
    days.hub("receive medium")
    for line in ("audit verify", "audit fsck"):
        days.hub(line)
        days.site(line, "plant-7")


def test_t0_171_a_model_is_taken_in_and_goes_to_an_older_site(days: Days) -> None:
    pinned(days)
    dora, carla, emil = days.trusting("dora", "carla", "emil")
    days.hub("ingest onnx model-1.onnx --as vision/other --goldens goldens.npz")
    days.hub(f"convert vision/other/1 --for {CPU}")
    days.carry_out("promote vision/other/1 --to production --reason better", dora)
    for one in (carla, emil):
        days.carry_out("approve P-4 --meaning validated --reason tested", one)
    days.hub(f"assign plant-8 vision/other/1 --for line-1={CPU} {DISPATCH}")
    told = days.hub(f"export plant-8 --to medium {DISPATCH}")
    days.site(f"import {told['folder']}", "plant-8")
    assert runs(days, "plant-8") == {"vision/other": 1, "vision/tiny": 1}


def test_t0_172_a_site_that_asked_then_is_enrolled_now(days: Days) -> None:
    pinned(days)
    (fleet,) = days.trusting("fleet-1")
    line = "site enroll plant-9.request --stage production --dispatcher"
    card = "key card {} --key offline/dispatcher-1.pem --out {}.card"
    days.hub(card.format("dispatcher-1", "dispatcher-1"))
    # The settings of then called its owner so, and whoever goes on calling it otherwise is told.
    refused = days.hub(f"{line} dispatcher-1.card", code=1)
    assert "sealift-sign card dispatcher --key FILE" in refused["next"]
    days.hub(card.format("dispatcher", "dispatcher"))
    days.carry_out(f"{line} dispatcher.card", fleet)
    days.site(f"init --answer plant-9.answer {answered(days, 'plant-9')}", "plant-9")
    days.hub(f"assign plant-9 vision/tiny/2 --for line-1={CPU} {DISPATCH}")
    told = days.hub(f"export plant-9 --to medium {DISPATCH}")
    days.site(f"import {told['folder']}", "plant-9")
    assert runs(days, "plant-9") == {"vision/tiny": 2}


def test_t0_173_an_answer_of_then_is_taken_by_its_site_now(days: Days) -> None:
    pinned(days)
    refused = days.site("init --answer plant-10.answer", "plant-10", code=2)
    assert "--words" in refused["next"]
    before = (days.folder / "plant-10.answer").read_bytes()
    typed = answered(days, "plant-10")
    assert (days.folder / "plant-10.answer").read_bytes() == before
    days.site(f"init --answer plant-10.answer {typed}", "plant-10")
    days.hub(f"assign plant-10 vision/tiny/1 --for line-1={CPU} {DISPATCH}")
    told = days.hub(f"export plant-10 --to medium {DISPATCH}")
    days.site(f"import {told['folder']}", "plant-10")
    assert runs(days, "plant-10") == {"vision/tiny": 1}


def test_t0_174_what_was_cut_then_is_gone_on_with_now(days: Days) -> None:
    """An import and an export, and a return that was on its way."""
    days.site("import medium", "plant-7-cut")
    days.site("fsck", "plant-7-cut")
    assert runs(days, "plant-7-cut") == {"vision/tiny": 2}
    (home,) = days.hub("receive home")["returns"]
    assert home["site"] == "plant-8"
    pinned(days)
    told = days.hub(f"export plant-8 --full --to cut {DISPATCH}")
    days.site(f"import {told['folder']}", "plant-8")
    assert runs(days, "plant-8") == {"vision/tiny": 1}
    assert days.hub("audit fsck")["ok"]
    assert [one.name for one in (days.folder / "cut/sealift").iterdir()] == [told["transfer"]]


def test_t0_185_one_person_alone_goes_the_whole_way_in_an_older_home(days: Days) -> None:
    def solo(line: str) -> Told:
        return days.hub(line, home="solo")

    solo("team add vision")
    solo("ingest onnx model-1.onnx --as vision/tiny --goldens goldens.npz")
    solo(f"convert vision/tiny/1 --for {CPU}")
    solo("promote vision/tiny/1 --to production --reason better")
    solo("approve P-1 --meaning validated --reason tested --yes")
    days.site(f"init --id lab --group line-1={CPU} --request lab.request", "lab")
    told = solo("site enroll lab.request --stage production --answer lab.answer")
    paper = solo("fingerprint")["fingerprint"]
    typed = f"--fingerprint {paper} --words {told['words'].replace(' ', '-')}"
    days.site(f"init --answer lab.answer {typed}", "lab")
    solo(f"assign lab vision/tiny/1 --for line-1={CPU}")
    told = solo("export lab --to medium")
    assert told["unprotected"]
    days.site(f"import {told['folder']}", "lab")
    assert runs(days, "lab") == {"vision/tiny": 1}
    days.site("return --to medium", "lab")
    solo("receive medium")
    assert solo("audit fsck")["ok"]
