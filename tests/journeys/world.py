"""What media and sites go through, each deed done and foretold at once."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest

from sealift_signing.desk.cards import make_card
from sealift_signing.errors import SealiftError
from sealift_sync.bundle.returned import MOST_TRIED
from sealift_sync.site.log.restored_site import RestoredError
from sealift_sync.site.reports import integrity
from sealift_sync.site.reports.homebound import write_home
from sealift_sync.site.running.reactivation import activate_assigned
from sealift_sync.site.running.rollback import roll_back
from sealift_sync.site.setup.initialising import begin_enrolment, finish_enrolment
from tests.journeys.ground import GROUPS, Cargo, remove
from tests.journeys.hub_oracle import SiteAtHub
from tests.journeys.people import People
from tests.journeys.said import Homebound, Parcel, Receipt
from tests.journeys.site_oracle import SiteReckoning
from tests.registry.hub_fixture import (
    MODEL,
    STAGE,
    TARGET,
    stage,
)
from tests.registry.signing_people import Dispatcher, enrol
from tests.site_on_paper import SiteOnPaper, as_told


class World(People):
    """A copy of the start, in which a journey goes on."""

    # ------------------------------------------------------------------ media

    def export(self, site: str, number: int, *, full: bool = False) -> None:
        """Write a bundle, unless a role that people sign has expired or nothing is assigned."""
        known, cargo = self.hub.sites[site], self.reckoning.media[number]
        allowed = bool(known.given) and not self.hub.expired(site)
        needed = {one.version for given in known.given.values() for one in given}
        blobs = frozenset[str]().union(*(self.start.blobs[one] for one in needed))
        left_out = frozenset[str]() if full else known.holds
        with self.foretold("export", allowed=allowed):
            hand = Dispatcher(self.acme.app, self.start.signers["dispatcher-1"])
            made = self.acme.app.exports.export(site, self.medium(number), hand, stage, full=full)
            assert self.carried(made.folder) == blobs - left_out
            if made.again:  # the very same lies there already
                parcel = deepcopy(self.hub).export(site, made.transfer, blobs - left_out)
                before = cargo.parcels[made.transfer]
                assert replace(before, order=0, made=parcel.made, expires=parcel.expires) == (
                    replace(parcel, order=0)
                )
                self.happened["export again"] += 1
            else:
                assert made.transfer not in self.hub.transfers
                parcel = self.hub.export(site, made.transfer, blobs - left_out)
                cargo.parcels[made.transfer] = parcel
                self.happened["delta"] += bool(blobs & left_out)

    def carried(self, folder: Path) -> frozenset[str]:
        """The blobs of a bundle, manifests aside."""
        manifests = set(self.start.digests.values())
        return frozenset(p.name for p in (folder / "blobs/sha256").iterdir()) - manifests

    def lose(self, number: int) -> None:
        remove(self.medium(number))
        self.reckoning.media[number] = Cargo()

    def keep_copy(self, number: int) -> None:
        """Somebody copies a medium's bundles, to bring them again one day."""
        for name, parcel in self.reckoning.media[number].parcels.items():
            copy = self.folder / "copies" / name
            if not copy.exists():
                shutil.copytree(self.medium(number) / "sealift" / name, copy)
                self.copies.append((copy, parcel))

    # ------------------------------------------------------------------ at a site

    def journey(self, site: str, number: int, *, home: bool) -> None:
        """Export to a medium, import from it, and perhaps carry the return home."""
        self.export(site, number)
        self.take_newest(site, number)
        if home:
            self.write_return(site, number)
            self.receive(number)

    def take_newest(self, site: str, number: int) -> None:
        """Import the newest bundle for a site on a medium, or another's if there is none."""
        cargo = self.reckoning.media[number]
        ours = [one for one in cargo.parcels.values() if one.site == site]
        if found := ours or list(cargo.parcels.values()):
            parcel = max(found, key=lambda one: one.order)
            beside = cargo.returns.get(site, {}).values()
            self.take(site, self.medium(number) / "sealift" / parcel.transfer, parcel, beside)

    def take(
        self, site: str, folder: Path, parcel: Parcel, beside: Iterable[Homebound] = ()
    ) -> None:
        """Import a bundle, whatever it is; `beside` it lie returns of the site."""
        plant, known = self.plants[site], self.reckoning.sites[site]
        signed = [one.log for one in beside if one.enrolment == known.enrolment]
        if (parcel.site, parcel.enrolment) == (site, known.enrolment):
            signed.append(parcel.site_log)
        ahead = known.notice(signed)
        expected = Counter[str]()
        if parcel.recalled - known.recalled:  # recalls first, whatever else is wrong
            known.recalled |= parcel.recalled
            expected["recall.honoured"] += 1
            expected["switched"] += known.settle()
        if ahead:
            self.happened["import: log-restored"] += 1
            with pytest.raises(RestoredError):
                plant.take(folder)
            self.happened.update(expected)
            self.logged(site, expected)
            return
        code = known.refusal(parcel)
        self.happened[f"import: {code or 'judged'}"] += 1
        if parcel.transfer in known.receipts:
            assert plant.take(folder).already
            expected += known.heal(parcel)
            expected["switched"] += known.settle()
        elif code:
            expected["transfer.refused"] += 1
            with pytest.raises(SealiftError) as caught:
                plant.take(folder)
            assert caught.value.exit_code == 1, caught.value
            assert code in (caught.value.code, "walk"), caught.value
        else:
            expected["transfer.imported"] += 1
            expected += self._import(site, folder, parcel)
            expected["switched"] += known.settle()
        self.happened.update(expected)
        types = self.logged(site, expected)
        if expected["transfer.imported"]:
            size = len(types) - types[::-1].index("transfer.imported")
            known.receipts[parcel.transfer] = Receipt(size, known.had - known.lost)

    def _import(self, site: str, folder: Path, parcel: Parcel) -> Counter[str]:
        known, digests = self.reckoning.sites[site], self.start.digests
        receipt = self.plants[site].take(folder).receipt
        outcomes, entries = known.take(parcel)
        self.happened.update(outcomes.values())
        told = {
            (one.group, int(one.artifact.split("/")[-2])): (one.outcome, one.code)
            for one in receipt.artifacts
        }
        assert {place: code for place, (_, code) in told.items()} == outcomes
        held = {place for place, (outcome, _) in told.items() if outcome == "held"}
        assert held.isdisjoint(known.installed) or all(
            outcomes[place] == "recalled" for place in held & set(known.installed)
        )
        inventory = {number for _, number in known.installed}
        assert set(receipt.inventory) == {digests[number] for number in inventory}
        assert set(receipt.lost) & known.had == known.lost
        return entries

    def damage(self, site: str, number: int) -> None:
        """The store loses a blob of something that is installed; nobody notices."""
        known = self.reckoning.sites[site]
        there = sorted(known.had - known.missing)
        if there:
            self.lose_blob(site, there[number % len(there)])

    def lose_blob(self, site: str, blob: str) -> None:
        (self.plants[site].root / "store/sha256" / blob).unlink()
        self.reckoning.sites[site].missing.add(blob)

    def examine(self, site: str) -> None:
        """Have the site hash all that it has, and say what it has lost."""
        plant, known = self.plants[site], self.reckoning.sites[site]
        found = integrity.examine(lambda: plant.opened("fsck"), stage)
        assert {one.sha256 for one in found.damages} == known.had & known.missing
        assert found.recorded == (not known.ahead)
        fresh = known.examine()
        self.logged(site, Counter({"store.damaged": bool(fresh)}))
        if fresh:
            known.told[known.log[-1]] = fresh
            self.happened["fsck: store.damaged"] += 1

    def roll_back(self, site: str, group: str, *, further: bool) -> None:
        """Go back; said again it is the same rollback, unless from which version is said, too."""
        known = self.reckoning.sites[site]
        running = known.running.get(group) if further else None
        outcome = known.roll_back(group, further=further)
        self.happened[f"rollback: {outcome}"] += 1
        with (
            self.foretold("rollback", allowed=outcome != "refused"),
            self.plants[site].opened("rollback") as real,
        ):
            done = roll_back(real, MODEL, group, "It is wrong.", running)
            assert (done.outcome, done.after) == (outcome, known.running[group])
        went = outcome in {"activated", "switched-back"}
        self.logged(site, Counter({"model.rolled-back": went, "switched": went}))

    def activate(self, site: str, group: str) -> None:
        """People at the site want what is assigned, whatever failed or was gone back from."""
        known = self.reckoning.sites[site]
        outcome, entries = known.activate(group)
        self.happened[f"activate: {outcome}"] += 1
        with (
            self.foretold("activation", allowed=outcome != "refused"),
            self.plants[site].opened("activate") as real,
        ):
            done = activate_assigned(real, MODEL, group, "It is mended.")
            assert (done.outcome, done.after) == (outcome, known.running.get(group))
        self.logged(site, entries)

    def write_return(self, site: str, number: int) -> None:
        known = self.reckoning.sites[site]
        beside = self.reckoning.media[number].returns.get(site, {}).values()
        if known.notice(one.log for one in beside if one.enrolment == known.enrolment):
            self.happened["no return"] += 1
            with pytest.raises(RestoredError), self.plants[site].opened("return") as real:
                write_home(real, self.medium(number), everything=False)
            return
        home = known.homebound()
        with self.plants[site].opened("return") as real:
            _, written = write_home(real, self.medium(number), everything=False)
        assert set(written.receipts) == set(home.receipts)
        assert (written.log.first, written.size) == (home.first, len(home.log))
        self.reckoning.media[number].returns.setdefault(site, {})[written.size] = home

    def receive(self, number: int) -> None:
        """Take in every site's return on a medium."""
        found = self.reckoning.media[number].returns
        believed: dict[str, Homebound] = {}
        refusals = []
        for site, sizes in sorted(found.items()):
            for size in sorted(sizes, reverse=True)[:MOST_TRIED]:
                code = self.hub.sites[site].refusal(sizes[size])
                self.happened[f"return: {code or 'believed'}"] += 1
                if not code:
                    believed[site] = sizes[size]
                    break
                refusals.append(code)
        with self.foretold("receipt of a return", allowed=bool(found)):
            accepted, refused = self.acme.app.returns.receive(self.medium(number))
            assert [one.site for one in accepted] == list(believed), refused
            assert len(refused) == len(refusals)
            for one in accepted:
                new, entries = self.hub.sites[one.site].receive(believed[one.site])
                assert {receipt.predicate.transfer for receipt in one.receipts} == new
                assert one.entries == entries

    def back_up(self, site: str) -> None:
        copy = self.folder / "backups" / site
        remove(copy)
        shutil.copytree(self.plants[site].root, copy, symlinks=True)
        self.backups[site] = (copy, deepcopy(self.reckoning.sites[site]))

    def restore(self, site: str) -> None:
        """The disk fails, and yesterday's backup takes its place; the clock goes on."""
        copy, before = self.backups[site]
        if before.enrolment != self.reckoning.sites[site].enrolment:
            return
        self.happened["restored"] += 1
        remove(self.plants[site].root)
        shutil.copytree(copy, self.plants[site].root, symlinks=True)
        self.reckoning.sites[site] = deepcopy(before)
        self.reckoning.sites[site].now = self.plants[site].now
        self.floors[site] = {}

    def enrol(self, site: str, home: str) -> None:
        """Enrol a site, or enrol it anew in a new home."""
        now = self.plants[site].now if site in self.plants else self.hub.now
        plant = SiteOnPaper(self.folder / home, now)
        asked = begin_enrolment(
            plant.root, {}, site, dict.fromkeys(GROUPS[site], TARGET), plant.clock
        )
        dispatcher, app = self.start.signers["dispatcher-1"], self.acme.app
        card = make_card("dispatcher-1", dispatcher, "file", app.hub.now())
        signer = self.start.signers["fleet-1"]
        made = enrol(app, asked, STAGE, [("dispatcher-1", card)], signer)
        finish_enrolment(plant.root, {}, made.answer, plant.clock, as_told)
        self.hub.signed("fleet")
        self.hub.sites[site] = SiteAtHub(made.enrolment)
        self.plants[site], self.floors[site] = plant, {}
        self.reckoning.sites[site] = SiteReckoning(
            site, made.enrolment, GROUPS[site], self.start.blobs, self.start.files, now
        )
        self.reckoning.homes[site] = home
        self.logged(site, Counter({"site.enrolled": 1}))
