"""A journey in which every command answers once, and most of what an answer may hold is there."""

from __future__ import annotations

import json
from contextlib import closing
from hashlib import sha256
from pathlib import Path

from sealift_registry.app import open_app
from sealift_registry.cli.run import run as run_hub
from sealift_registry.jobs import records
from sealift_registry.jobs.job import Problem
from sealift_registry.jobs.records import Wanted
from sealift_registry.storage.host import Host
from sealift_signing.documents import Withdrawal
from sealift_signing.vocabulary import moment
from sealift_sync.cli.run import run as run_site
from tests import models
from tests.desk import days as commands
from tests.desk.days import Days, Person
from tests.desk.test_what_was_seen import changed
from tests.interruptions.acts import with_keys
from tests.interruptions.story import other_keys
from tests.offline_sync.databases import change
from tests.registry.hub_fixture import GROUP, MODEL, SITE, STAGE, TARGET, TEAM, copied
from tests.registry.test_runtimes import house
from tests.words.story import recall

PEOPLE = ("anna", "ben", "carla", "emil", "dora")
OFFLINE = ("root-1", "root-2", "targets-1", "targets-2", "fleet-1", "dispatcher-1")
SIGNED = "--at-hub --key people/anna.pem --key people/ben.pem"
TARGETS = "--at-hub --key offline/targets-1.pem --key offline/targets-2.pem"
DISPATCHER = "--key offline/dispatcher-1.pem"
BUILDER = """
[builder]
name = "shop-2"
hardware_targets = ["cpu-aarch64"]
keys = "keys"
work = "work"

[database]
url = "postgresql://sealift_builder@db.example/sealift"

[blobs]
url = "s3://models/hub"

[inbox]
url = "s3://models/builders"
"""
LOOKING = f"""
    list versions
    list promotions
    list sites
    list hardware-targets
    runtime list
    runtime add 1.25.0
    runtime add 1.25.0 --from wheels
    runtime check
    show {MODEL}/2
    show P-2
    show {SITE}
    show {SITE}-000001
    team list
    comment P-2 Fine.
    next
    fingerprint
    audit list --limit 1000
    audit verify
    audit fsck
    blobs check
    blobs fsck
    blobs mend --from-blobs hub/blobs
    gc --remove
"""
LOOKING_AT_SITE = """
    status
    return --print
    fsck
    audit list --limit 1000
    audit verify
    audit fsck
"""


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()]


class Played:
    """The journey, over a hub whose site is to run version 1."""

    def __init__(self, assigned: Path, folder: Path) -> None:
        copied(assigned, folder).close()
        (folder / "medium").mkdir(exist_ok=True)
        self.days = Days(folder)
        self._group = f"--for {GROUP}={TARGET}"

    def play(self) -> None:
        """All of it; the clock goes on, for what was signed within the hour is not signed anew."""
        self.beginnings()
        self.first()
        self.people()
        self.intake()
        self.promotion()
        self.delivery()
        self.site()
        self.keys()
        self.memories()
        self.jobs()
        self.accounts()
        self.looking()
        self.spoiled()

    def _site(self, line: str) -> None:
        """Run `sealift-site`, whatever comes of it."""
        words = ["--home", str(self.days.folder / "site"), *line.split(), "--json"]
        _, err, _ = commands.said(run_site, words, self.days.folder, {})
        assert "unexpected" not in err, err

    def _hub(self, line: str) -> None:
        """Run `sealift`, whatever comes of it."""
        homes = ["--home", str(self.days.folder / "hub")]
        places = {"SEALIFT_TRUST": "trust", "XDG_CACHE_HOME": "cache"}
        mine = {name: str(self.days.folder / one) for name, one in places.items()}
        words = [*line.split(), "--json", *homes]
        _, err, _ = commands.said(run_hub, words, self.days.folder, mine)
        assert "unexpected" not in err, err

    def beginnings(self) -> None:
        """Hubs are set up, by several people and by one alone."""
        elsewhere = self.days.empty("elsewhere")
        elsewhere.hub("init --offline-keys off --name Acme")
        elsewhere.hub("next")
        elsewhere.hub("init --solo --person me", home="solo")
        elsewhere.hub("team add vision", home="solo")
        self.days.hub("show nothing/here/1", code=3)

    def first(self) -> None:
        """Version 1 is carried, and runs."""
        days = self.days
        days.trusting(*PEOPLE, *OFFLINE)
        days.hub(f"export {SITE} --to medium --plan")
        days.hub(f"export {SITE} --to medium {DISPATCHER}")
        days.site("verify medium")
        days.site("import medium")
        days.site("import medium")
        days.site("return --to medium")
        days.hub("receive medium")
        days.hub("sites")
        for line in (f"show {SITE}", f"show {MODEL}/1", f"show {SITE}-000001"):
            days.hub(line)

    def people(self) -> None:
        """Keys and cards; teams and who is in them, by a draft and at the hub."""
        days = self.days
        anna, ben = days.people("anna", "ben")
        targets = days.people("targets-1", "targets-2")
        gina = days.person("gina")
        gina("card-show", str(gina.takes(gina.card())))
        gina("key", "show", "gina.pem")
        anna.card()
        for line in (
            "new hilda.pem",
            "show hilda.pem",
            "card hilda --key hilda.pem --out hilda.card",
        ):
            days.hub(f"key {line}")
        for team, by in (("sound", None), ("light", TARGETS)):
            added = f"team add {team} --steward anna.card --steward gina.card"
            other = f"team stewards {team} anna hilda --card hilda.card"
            for line in (added, other):
                days.later(hours=2)
                days.hub(f"{line} {by}") if by else days.carry_out(line, *targets)
        days.hub("policy check staging --days 100")
        days.carry_out("policy set pilot --like staging --before-people", *targets)
        days.hub(f"policy set pilot --days 100 --before-people {TARGETS}")
        days.hub(f"policy lifetime team 170 {TARGETS}")
        days.carry_out("policy lifetime team 160", *targets)
        days.hub(f"policy remove pilot {TARGETS}")
        days.hub(f"policy set pilot --like staging --before-people {TARGETS}")
        days.carry_out("policy remove pilot", *targets)
        days.carry_out(f"team approver {TEAM} gina.card", anna, ben)
        days.carry_out(f"team requester {TEAM} gina.card", anna, ben)
        days.carry_out(f"team check-rows {TEAM} --travel", anna, ben)
        self.leaver("gina", anna, ben)
        days.hub(f"team approver {TEAM} hilda.card {SIGNED}")
        days.hub(f"team requester {TEAM} hilda.card {SIGNED}")
        self.leaver("hilda")
        days.later(hours=2)
        days.hub(f"renew team.{TEAM} {SIGNED}")
        days.hub(f"team check-rows {TEAM} --stay {SIGNED}")
        days.hub(f"team check-rows {TEAM} --travel {SIGNED}")
        anna("renew", "fleet", "nothing.draft", "--key", "anna.pem", code=3)

    def leaver(self, who: str, *stewards: Person) -> None:
        """Somebody has other keys, leaves, comes back and loses all: by drafts, or at the hub."""
        with closing(self.days.acme) as acme:
            other_keys(acme, who)
        for line in (
            f"key add {TEAM} {who}-2.card",
            f"key remove {TEAM} {who} KEY:{who}-2",
            f"key replace {TEAM} {who}-3.card",
            f"retire {TEAM} {who}",
            f"reinstate {TEAM} {who}-4.card",
            f"compromised {TEAM} {who}",
        ):
            words = with_keys(f"person {line}", self.days.folder)
            if stewards:
                self.days.carry_out(words, *stewards)
            else:
                self.days.hub([*words, *SIGNED.split()])

    def intake(self) -> None:
        """A model is taken in, seen again, refused, and built."""
        days = self.days
        models.tiny_goldens(days.folder / "new.npz", 1)
        models.tiny_onnx(days.folder / "new.onnx", 3)
        days.hub(f"ingest onnx new.onnx --as {MODEL} --goldens new.npz")
        days.hub(f"ingest onnx new.onnx --as {MODEL}")
        days.hub(f"ingest onnx new.npz --as {MODEL}", code=1)
        days.hub(f"convert {MODEL}/3 --for {TARGET}")
        days.hub(f"discard {MODEL}/3 --plan")
        days.hub(f"discard {MODEL}/3 --reason mistaken --yes")
        for line in (f"discard {MODEL}/3 --plan", "blobs fsck", f"show {MODEL}/3", "list"):
            days.hub(line)
        days.hub(f"ingest onnx new.onnx --as {MODEL}")
        days.hub(f"convert {MODEL}/3 --for {TARGET}")

    def promotion(self) -> None:
        """Version 2 by drafts, though it was withdrawn; version 3 at the hub."""
        days = self.days
        dora, carla, emil = days.people("dora", "carla", "emil")
        gone = Withdrawal("w-1", STAGE, None, MODEL, 2, "It is wrong.", moment(days.now))
        changed(days, withdrawn=(gone,))
        days.carry_out(f"promote {MODEL}/2 --to {STAGE} --reason better --despite w-1", dora)
        days.carry_out("object P-2 --reason dark", emil)
        for one in (carla, emil):
            days.carry_out("approve P-2 --meaning validated --reason tested", one)
        at_hub = "--at-hub --key people/{}.pem"
        days.hub(f"promote {MODEL}/3 --to {STAGE} --reason better {at_hub.format('dora')}")
        days.hub(f"object P-3 --reason dark --yes {at_hub.format('emil')}")
        approve = "approve P-3 --meaning validated --reason tested --yes"
        for name in ("carla", "emil"):
            days.hub(f"{approve} {at_hub.format(name)}")

    def delivery(self) -> None:
        """Sites are enrolled; bundles are planned, drafted, signed, and imported."""
        days = self.days
        fleet, dispatcher = days.people("fleet-1", "dispatcher-1")
        days.enrols("plant-9", fleet, "dispatcher-1")
        days.site(f"init --id plant-10 --group {GROUP}={TARGET} --request 10.request", "plant-10")
        enroll = "site enroll 10.request --stage production --dispatcher dispatcher-1"
        days.hub(f"{enroll} --answer 10.answer --at-hub --key offline/fleet-1.pem")
        days.later(hours=1)
        days.carry_out(f"assign {SITE} {MODEL}/3 {self._group} --fallback 2", dispatcher)
        days.hub(f"assign plant-9 {MODEL}/2 {self._group} {DISPATCHER}")
        made = days.draft(f"export {SITE} --to medium")
        for line in ("next", f"show {SITE}-000002", f"show {SITE}"):
            days.hub(line)
        days.hub(["submit", str(dispatcher.sign(made)), "--medium", "medium"])
        self._hook("exit 1")
        self._site("import medium")

    def site(self) -> None:
        """Versions are tried again, taken back, lost, recalled and retired; all of it goes home."""
        days = self.days
        dispatcher = days.person("dispatcher-1")
        days.site("status")
        self._hook("exit 0")
        days.site(f"activate {MODEL} --reason mended")
        days.site(f"rollback {MODEL} --reason wrong")
        days.site("status")
        self._site("check")
        self._lose()
        for line in ("fsck", "status", "return --print"):
            self._site(line)
        days.site("return --to medium")
        days.hub("receive medium")
        days.hub("next")
        days.later(hours=2)
        recall(days, days.site("status")["runs"][0]["sha256"])
        days.hub(f"export {SITE} --to medium --full {DISPATCHER}")
        self._hook("exit 1")
        self._site("import medium")
        self._site("status")
        self._hook("exit 0")
        days.later(hours=2)
        days.carry_out(f"unassign {SITE} {MODEL} --reason misreads", dispatcher)
        days.hub(f"unassign plant-9 {MODEL} --reason misreads {DISPATCHER}")
        days.hub(f"export {SITE} --to medium {DISPATCHER}")
        self._site("import medium")
        days.site("return --to medium")
        days.hub("receive medium")
        self._site("import nowhere")

    def _hook(self, ends: str) -> None:
        settings = self.days.folder / "site/settings.toml"
        hook = json.dumps(["/bin/sh", "-c", f"echo said; {ends}"])
        settings.write_text(f"[groups.{GROUP}]\nhook = {hook}\n")

    def _lose(self) -> None:
        """One blob of what runs is gone."""
        running = self.days.folder / f"site/models/{GROUP}/{MODEL}/current"
        (file,) = (one for one in running.resolve().iterdir() if one.suffix == ".onnx")
        digest = sha256(file.read_bytes()).hexdigest()
        (self.days.folder / "site/store/sha256" / digest).unlink()

    def keys(self) -> None:
        """The root is renewed, and the hub gets other keys, by drafts and at the hub."""
        days = self.days
        days.carry_out("renew root", *days.people("root-1", "root-2"))
        days.carry_out(
            "key rotate freshness --status compromised", *days.people("root-1", "root-2")
        )
        days.hub(f"key rotate catalog {TARGETS}")
        days.carry_out("key rotate log", days.person("fleet-1"))
        self._builders()
        days.hub(f"export {SITE} --to medium {DISPATCHER}")
        self._site("import medium")

    def _builders(self) -> None:
        """A machine elsewhere is entered, and taken out."""
        days = self.days
        (days.folder / "builder.toml").write_text(BUILDER)
        days.hub("builder keys --settings builder.toml")
        cards = [days.folder / f"keys/{one}.card" for one in ("shop-2", "shop-2-scanner")]
        days.carry_out(f"builder add {cards[0]} {cards[1]}", days.person("fleet-1"))
        days.carry_out("builder remove shop-2", days.person("fleet-1"))

    def accounts(self) -> None:
        """People and programs that may sign in to the server."""
        days = self.days
        days.hub(f"account invite ursula --role viewer:team={TEAM}")
        days.hub("account grant ursula auditor")
        days.hub("account revoke ursula auditor")
        days.hub("account invite ci --service --role operator")
        made = days.hub("account token ci --scope job.read --note nightly")
        days.hub("account token ci --scope job.read")
        days.hub("account show ci")
        days.hub(f"account revoke-token ci {made['token']}")
        days.hub("account list")
        days.hub("account recover ursula")
        days.hub("account disable ursula")

    def memories(self) -> None:
        """What signers know is shared, compared and given back."""
        anna, ben = self.days.people("anna", "ben")
        ben.learns(anna.shares())
        anna("heads")
        anna("heads", "--at", "root=1")
        last = anna("signed")["signed"][-1]["sha256"]
        anna("again", last, "again.signed")
        anna("write", f"team.{TEAM}", "given-back")

    def jobs(self) -> None:
        """Jobs as workers leave them, and what people do about them."""
        root, here = self.days.folder / "hub", Host("0" * 32, "here")
        arguments = {"version": f"{MODEL}/1", "hardware_target": TARGET}
        problem = Problem("no-goldens", "It has none.", f"{MODEL}/1", "Add some.", False, 3)
        with closing(open_app(root, {})) as app:
            for _ in range(4):
                records.ask(app.hub, Wanted("convert", arguments, TARGET), "dora")
            done, failed, back = (records.begin(app.hub, n, "w", here) for n in (1, 2, 3))
            records.finish(app.hub, 1, "done", attempt=done, result={"artifacts": []})
            records.finish(app.hub, 2, "failed", attempt=failed, problem=problem)
            records.set_back(app.hub, back, problem)
        for line in ("list", "list --limit 1", *(f"show J-{n}" for n in (1, 2, 3, 4))):
            self._hub(f"job {line}")
        for line in ("cancel J-4", "cancel J-4", "retry J-2", "show J-2", "show J-5"):
            self._hub(f"job {line}")
        for line in ("watch J-1", "watch J-2", "watch J-4", "show J-9"):
            self._hub(f"job {line}")

    def looking(self) -> None:
        """Whoever only looks; and a release of a runtime, of which the hub knows that it is bad."""
        house(self.days.folder / "wheels", "1.25.0")
        known_bad = self.days.folder / "hub/runtimes/known-bad.toml"
        known_bad.parent.mkdir()
        known_bad.write_text('[[onnxruntime]]\nrelease = "1.25.0"\nreason = "it hangs"\n')
        for line in lines(LOOKING):
            self._hub(line)
        for line in lines(LOOKING_AT_SITE):
            self._site(line)

    def spoiled(self) -> None:
        """Somebody changed both logs, and what is submitted is nothing."""
        for home in ("hub", "site"):
            change(
                self.days.folder / home,
                (
                    "DROP TRIGGER log_entry_no_update",
                    "UPDATE log_entry SET body = replace(body, 'vision', 'visiom') WHERE seq = 3",
                ),
            )
        for name in ("one", "two"):
            (self.days.folder / f"{name}.signed").write_text("{}")
        self._hub("submit one.signed two.signed")
        for line in ("audit verify", "audit fsck", "fsck"):
            self._site(line)
            if line != "fsck":
                self._hub(line)
