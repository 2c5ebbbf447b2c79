"""A stolen key that was exchanged in one office goes on in the others: that is said everywhere."""

from __future__ import annotations

from tests.desk.days import Days, Person


def new_key(days: Days, name: str) -> Person:
    """The same person at a new machine, with a new key whose card everybody gets."""
    again = days.person(name, machine=f"{name} anew")
    (again.folder / f"{name}.pem").unlink()
    (days.folder / f"{name}.card").unlink(missing_ok=True)
    again.card()
    days.later(hours=2)
    return again


def of_two_teams(days: Days) -> list[Person]:
    """Anna and ben are stewards of vision; with ben's same key and kim, of audio, too."""
    targets = days.trusting("targets-1", "targets-2")
    for name in ("ben", "kim"):
        days.person(name).card()
    days.carry_out("team add audio --steward ben.card --steward kim.card", *targets)
    return targets


def steps(days: Days) -> str:
    return "\n".join(f"{one['sentence']} {one['command']}" for one in days.hub("next")["missing"])


def test_t1_01_a_steward_key_that_is_exchanged_in_one_team_is_named_in_the_other(
    days: Days, anna: Person, ben: Person
) -> None:
    """At the hub when it is drafted, at the desk when it is signed, and by `next` until it is."""
    targets = of_two_teams(days)
    assert "ben" not in steps(days), "one key, wherever it is"
    old = days.folder / "old.card"
    (days.folder / "ben.card").rename(old)
    new_key(days, "ben")
    line = "team stewards vision anna --card ben.card"
    warned = "\n".join(days.hub(f"{line} --draft told.draft")["warnings"])
    assert "GOES ON elsewhere" in warned
    assert "steward of team audio" in warned
    made = days.draft(line)
    targets[0].takes(days.folder / "ben.card")
    said = targets[0].says(made)
    assert "GOES ON elsewhere" in " ".join(said.replace("> ", "").split())
    days.submit(*(one.sign(made) for one in targets))
    told = steps(days)
    assert "still signs as steward of team audio" in told
    assert "sealift team stewards audio PERSON… --card ben.card" in told
    warned = "\n".join(days.hub(f"team approver audio {old} --draft late.draft")["warnings"])
    assert "put out of team.vision" in warned
    assert "ANOTHER key elsewhere" in warned
    days.carry_out("team stewards audio kim --card ben.card", *targets)
    assert "ben" not in steps(days)


def test_t1_02_so_is_every_other_office(days: Days, anna: Person, ben: Person) -> None:
    """A dispatcher of a site who approves, too: exchanged at one site, told of all others."""
    (fleet,) = days.trusting("fleet-1")
    (days.person("ben").card(), days.person("carla").card())
    days.carry_out("team approver vision ben.card", anna, ben)
    for site in ("plant-7", "plant-9"):
        days.enrols(site, fleet, "ben.card")
    new_key(days, "ben")
    line = "site enroll plant-7.request --stage production --dispatcher ben.card"
    warned = "\n".join(days.hub(f"{line} --draft told.draft")["warnings"])
    for office in ("steward of team vision", "dispatcher of site plant-9", "may approve for"):
        assert office in warned
    days.carry_out(line, fleet)
    told = steps(days)
    assert "still signs as dispatcher of site plant-9" in told
    assert "still signs as one who may approve for" in told
    line = "site enroll plant-9.request --stage production --dispatcher ben.card"
    days.carry_out(line, fleet)
    assert "dispatcher of site plant-9" not in steps(days)


def test_t1_03_a_dispatcher_of_two_keys_comes_with_a_card(days: Days, anna: Person) -> None:
    """Else the key that was stolen may enter a third site."""
    (fleet,) = days.trusting("fleet-1")
    days.person("dora").card()
    for site in ("plant-7", "plant-9"):
        days.enrols(site, fleet, "dora.card")
    new_key(days, "dora")
    again = "site enroll {}.request --stage production --dispatcher {}"
    days.carry_out(again.format("plant-7", "dora.card"), fleet)
    days.site("init --id plant-3 --group a=cpu-x86_64 --request plant-3.request", "plant-3")
    refused = days.hub(again.format("plant-3", "dora"), code=1)
    assert refused["code"] == "which-key"
    days.carry_out(again.format("plant-3", "dora.card"), fleet)
