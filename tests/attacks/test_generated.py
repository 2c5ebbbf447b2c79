"""Acceptance 1 of issue 3: every byte, file and folder of a real bundle spoiled, one at a time.

Each is refused with its own sentence and next step, the refusal is one entry of the log, and state,
store and trusted metadata stay as they are, byte for byte. `make test` plays a seeded sample, and
`make test-long` all of them, in SHARDS parts.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from random import Random

import pytest

from sealift_signing import publishing, roles, shape
from sealift_signing.documents import Members, members_path
from sealift_signing.errors import SealiftError
from sealift_signing.transparency.entry import read_entry
from sealift_sync.bundle.medium import Medium
from sealift_sync.bundle.writer import Contents
from sealift_sync.site.importing.importer import import_bundle, verify_bundle
from sealift_sync.site.setup.open_site import OpenSite
from tests.attacks.spoiling import SEED, Attack, Bundle, Flip, ReplaceFolder
from tests.hub_on_paper import GROUP, HubOnPaper, Release
from tests.site_on_paper import SIGNED_LOG, SiteOnPaper

SHARDS = 16
SAMPLE = 200
Picture = dict[str, object]


@dataclass
class Target:
    """A site that has something, opened once, and the next bundle for it."""

    paper: SiteOnPaper
    site: OpenSite
    bundle: Bundle

    def attack(self, attack: Attack) -> None:
        """Spoil the bundle, import it, and hold the site to all that it promised."""
        before, entries = self.picture(), self.entries()
        attack.spoil(self.bundle)
        try:
            with pytest.raises(SealiftError) as caught:
                import_bundle(self.site, Medium(self.bundle.folder), self.paper.watch)
        finally:
            attack.mend(self.bundle)
        check_told(caught.value, attack)
        assert self.picture() == before
        assert self.entries() == entries + 1
        (body,) = self.row("SELECT body FROM log_entry ORDER BY seq DESC LIMIT 1")
        last = read_entry(body)
        assert (last.type, last.data["code"]) == ("transfer.refused", caught.value.code)

    def verify(self, attack: Attack) -> None:
        """`verify` refuses what `import` refuses, and writes nothing at all."""
        before, entries = self.picture(), self.entries()
        attack.spoil(self.bundle)
        try:
            with pytest.raises(SealiftError) as caught:
                verify_bundle(self.site, Medium(self.bundle.folder), self.paper.watch)
        finally:
            attack.mend(self.bundle)
        check_told(caught.value, attack)
        assert (self.picture(), self.entries()) == (before, entries)

    def entries(self) -> int:
        (count,) = self.row("SELECT count(*) FROM log_entry")
        return int(count)

    def row(self, query: str) -> tuple[bytes, ...]:
        found: tuple[bytes, ...] = self.connection.execute(query).fetchone()
        return found

    def picture(self) -> Picture:
        """Every table but the log's, and every file and link below the home but the database's."""
        found: Picture = {}
        for name in self.tables:
            found[name] = self.connection.execute(f"SELECT * FROM {name}").fetchall()  # noqa: S608
        for path in self.paper.root.rglob("*"):
            if path.is_symlink():
                found[str(path)] = str(path.readlink())
            elif path.is_file() and not path.name.startswith(("sealift.db", "lock")):
                found[str(path)] = sha256(path.read_bytes()).digest()
        return found

    @property
    def connection(self) -> sqlite3.Connection:
        return self.site.state.connection

    @property
    def tables(self) -> list[str]:
        query = "SELECT name FROM sqlite_master WHERE type = 'table'"
        names = [name for (name,) in self.connection.execute(query)]
        return [name for name in names if not name.startswith(SIGNED_LOG)]


def check_told(refusal: SealiftError, attack: Attack) -> None:
    """A rule said no, and said what about which thing, and what to do now."""
    assert refusal.exit_code == 1, (attack, refusal)
    assert refusal.code != "unexpected", attack
    assert refusal.next_step, (attack, refusal)
    assert refusal.subject, (attack, refusal)
    if attack.path == "transfer.json":
        return  # its list was changed, and the sentence names what the list names
    said = f"{refusal.what} {refusal.subject}".lower()
    assert any(name in said for name in names(attack)), (attack, refusal)


def names(attack: Attack) -> list[str]:
    """What a sentence may call the thing that was spoiled."""
    paths = [attack.path] if not hasattr(attack, "other") else [attack.path, attack.other]
    found = []
    for path in paths:
        name = path.rpartition("/")[2]
        role = name.removesuffix(".json").lstrip("0123456789").lstrip(".")
        found += [path, name, name[:12], role or name]
    if isinstance(attack, ReplaceFolder):
        found += [attack.path]
    return [one.lower() for one in found]


def add_team(hub: HubOnPaper, team: str) -> None:
    """A second team: its stewards are others, its catalog key is the hub's too."""
    hub.repository.holders[roles.team_role(team)] = (2, ("paul", "petra"))
    hub.repository.holders[roles.catalog_role(team)] = (1, ("hub-catalog-2",))
    both = (roles.team_role(team), roles.catalog_role(team))
    with hub.repository.next("targets") as signed:
        for role in both:
            hub.repository.delegate(signed, role)
    for role in both:
        first = publishing.first_targets(expires=hub.repository.expiry(role))
        hub.repository.publish(role, first)
    members = Members(1, (), team, tuple(hub.people), ())
    hub.publish(roles.team_role(team), members_path(team), shape.write(members))


def without(hub: HubOnPaper, release: Release, contents: Contents) -> Contents:
    """A bundle that leaves out what the site has."""
    return replace(contents, blobs=contents.blobs - hub.config_digests[release.path])


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """The site runs vision/letters/1; the bundle brings another model, and another team's."""
    folder = tmp_path_factory.mktemp("generated")
    hub = HubOnPaper(folder)
    paper = SiteOnPaper(folder / "site", hub.now)
    paper.enrol(hub)
    letters = hub.promote(1, model="letters")
    hub.assign(letters)
    first = hub.export(folder / "medium")
    paper.take(first)
    add_team(hub, "speech")
    hub.repository.rotate("timestamp", 1, "hub-timestamp-2")  # so that there are two roots
    hub.assign(hub.promote(2))
    hub.assign(hub.promote(1, team="speech", model="words"))
    made = hub.export(
        folder / "medium", edit=lambda all_: without(hub, letters, all_), base=(first.name,)
    )
    bundle = Bundle(made, folder / "copy")
    with paper.opened("import", reads_medium=True) as site:
        yield Target(paper, site, bundle)
        # Nothing of all that kept the good bundle from being taken, from the first byte to here.
        done = import_bundle(site, Medium(made), paper.watch)
    assert not done.already
    assert {one.outcome for one in done.receipt.artifacts} == {"installed"}
    assert paper.running() == b"the weights of catalog/vision/digits/2/cpu-x86_64"
    assert paper.running("speech/words", GROUP) is not None


def test_the_attacks_are_what_they_say(target: Target) -> None:
    """Every byte of what decides trust, every file in every manner, every pair."""
    attacks = list(target.bundle.attacks())
    flipped = Counter(one.path for one in attacks if isinstance(one, Flip))
    for path, data in target.bundle.whole.items():
        every = path.split("/")[0] in {"transfer.json", "metadata", "statements"}
        assert flipped[path] == (len(data) if every else 20), path
    kinds = Counter(type(one).__name__ for one in attacks)
    count = len(target.bundle.whole)
    assert kinds["Replace"] == 14 * count
    assert kinds["Swap"] == count * (count - 1) // 2
    assert len(attacks) > 30_000


def test_a1_a_sample_of_the_generated_attacks(target: Target) -> None:
    """Of flips and swaps a few, of each other kind and manner one or two."""
    random = Random(SEED)  # noqa: S311 - not for secrets
    kinds: dict[str, list[Attack]] = {}
    for attack in target.bundle.attacks():
        manner = getattr(attack, "manner", attack.path.partition("/")[0])
        kinds.setdefault(f"{type(attack).__name__} {manner}", []).append(attack)
    each = SAMPLE // len(kinds)
    sample = [
        one for found in kinds.values() for one in random.sample(found, min(each, len(found)))
    ]
    for number, attack in enumerate(sample):
        target.attack(attack)
        if number % 4 == 0:
            target.verify(attack)


@pytest.mark.long
@pytest.mark.timeout(0)
@pytest.mark.parametrize("shard", range(SHARDS))
def test_a1_every_generated_attack(target: Target, shard: int) -> None:
    wrong = []
    for number, attack in enumerate(target.bundle.attacks()):
        if number % SHARDS != shard:
            continue
        try:
            target.attack(attack)
            if not isinstance(attack, Flip):
                target.verify(attack)
        except (Exception, pytest.fail.Exception) as bad:  # noqa: BLE001 - told together at the end
            wrong.append((attack, bad))
    assert wrong[:20] == []
