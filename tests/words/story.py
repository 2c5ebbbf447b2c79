"""A whole journey in which every free text is hostile, told by every command that people run."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from sealift_registry.cli.run import run as run_hub
from sealift_registry.jobs import records
from sealift_registry.jobs.job import Problem
from sealift_registry.storage.host import Host
from sealift_registry.trust.repository import Change, Repository
from sealift_signing import documents, publishing, roles, shape
from sealift_signing.documents import Recall, RecallList, Withdrawal
from sealift_signing.vocabulary import moment, sentence
from sealift_sync.cli.run import run as run_site
from tests import models
from tests.desk import days as commands
from tests.desk.days import Days, Drafted, Person
from tests.desk.test_what_was_seen import changed
from tests.registry.hub_fixture import GROUP, MODEL, SITE, STAGE, STEWARDS, TARGET, copied
from tests.registry.signing_people import sign_enough
from tests.words import building
from tests.words.listening import Words

PEOPLE = ("dora", "carla", "emil", "dispatcher-1")
KEY = ("--key", "offline/dispatcher-1.pem")
ANY_SOFTWARE = "--any-software"
SHOWN = [
    *(("show", what) for what in (f"{MODEL}/1", f"{MODEL}/2", "P-1", "P-2", SITE)),
    *(("show", f"{SITE}-{number:06}") for number in (1, 2, 3)),
    *(("list", kind) for kind in ("versions", "promotions", "sites", "hardware-targets")),
    *(("team", "list"), ("next",), ("fingerprint",), ("job", "list")),
    *(("job", "show", f"J-{number}") for number in (1, 2, 3, 4)),
    *(("audit", "list"), ("audit", "verify"), ("audit", "fsck")),
]
"""What only shows, at the hub."""
SHOWN_AT_SITE = [
    *(("status",), ("check",), ("fsck",), ("return", "--print")),
    *(("audit", "list"), ("audit", "verify"), ("audit", "fsck")),
]
KNOWN = [("heads",), ("signed",), ("write", "team.vision", "it"), ("heads", "--at", "root=1")]
"""What only shows, at a desk."""


LOOKS: Mapping[tuple[str, ...], tuple[str, ...]] = {
    ("Entry.actor", "Term.value"): ("log",),
    ("Draft.object", "Draft.details", "Draft.facts"): ("draft", "renewal"),
    ("DraftPart.name",): ("renewal",),
    ("Evidence.tools", "Check.words"): ("draft", "show"),
    ("CheckpointSeen.origin", "Receipt.log", "Transfer.log", "Transfer.site_log"): (
        "show",
        "carry",
    ),
    ("Extract.checkpoint", "Extract.entries", "_Envelope.payloadType"): ("show", "carry"),
}
"""Texts that are compared, and where somebody then only looks."""
BUILDS: Mapping[tuple[str, ...], tuple[str, ...]] = {
    ("Recipe.toolchain",): ("recipe",),
    ("Recipe.opsets", "Recipe.shapes"): ("recipe",),
}
"""Likewise, of what is built, which takes a while."""


class Shell:
    """Splits a line as the shell does into which it is pasted; `shlex` knows no $'…'."""

    @staticmethod
    def split(line: str) -> list[str]:
        done = subprocess.run(
            ["bash", "-c", f"printf '%s\\0' {line}"],
            capture_output=True,
            check=True,
            env=os.environ | {"LC_ALL": "C.UTF-8"},
        )
        return done.stdout.decode().split("\0")[:-1]


SHELL = Shell()


class Story:
    """The journey, over a hub whose site is to run version 1."""

    def __init__(self, assigned: Path, folder: Path, words: Words) -> None:
        copied(assigned, folder).close()
        (folder / "medium").mkdir(exist_ok=True)
        self.days = Days(folder)
        self.words = words
        self.reason = words("typed")
        self.meaning = words("Approval.meaning", "validated")

    # ------------------------------------------------------------------ as people type

    def hub(self, *words: str, code: int | None = 0) -> None:
        """Run `sealift`, for people."""
        home = ("--home", str(self.days.folder / "hub"))
        word = ("--passphrase-file", str(self.days.folder / "pass"))
        trust = {"SEALIFT_TRUST": str(self.days.folder / "trust")}
        self._run(run_hub, (*words, *home, *word), trust, code)

    def site(self, *words: str, code: int | None = 0) -> None:
        """Run `sealift-site`, for people."""
        home = ("--home", str(self.days.folder / "site"))
        self._run(run_site, (*home, *words), {}, code)

    def _run(
        self,
        program: Callable[[list[str]], int],
        words: Sequence[str],
        environment: Mapping[str, str],
        code: int | None,
    ) -> None:
        out, err, found = commands.said(program, words, self.days.folder, environment)
        assert code in {None, found}, (words, out, err)

    # ------------------------------------------------------------------ what happens

    def play(self, *, whole: bool) -> None:
        """All of it; `whole`: also what takes a while."""
        self.team()
        if whole:
            self.intake()
        self.jobs()
        self.promotion()
        self.delivery()
        self.home()
        self.looking()

    def team(self) -> None:
        """Stewards take somebody in, and withdraw what they will ask for all the same."""
        self.days.trusting(*STEWARDS, *PEOPLE)
        self.days.person("gina").card()
        self._signed(self.days.draft("team approver vision gina.card"), *STEWARDS)
        gone = Withdrawal("w-1", STAGE, None, MODEL, 2, "It is wrong.", moment(self.days.now))
        changed(self.days, withdrawn=(gone,))
        recall(self.days, "9" * 64)

    def intake(self) -> None:
        """A file of a hostile name is taken in, and built for another class of machine."""
        goldens = models.tiny_goldens(self.days.folder / "new.npz", 1)
        path = models.tiny_onnx(self.days.folder / self.words.named("file", ".onnx"), 3)
        self.hub("ingest", "onnx", str(path), "--as", "vision/named", code=None)
        path = models.tiny_onnx(self.days.folder / "new.onnx", 3)
        self.hub("ingest", "onnx", str(path), "--as", MODEL, "--goldens", str(goldens))
        self.hub("ingest", "onnx", str(path), "--as", MODEL)
        self.hub("ingest", "onnx", str(goldens), "--as", MODEL, code=1)
        self.hub("convert", f"{MODEL}/3", "--for", TARGET)
        building.gpu(self.days.folder / "hub/hardware-targets")

    def wordy(self) -> None:
        """Models are taken in that say hostile things themselves."""
        goldens = models.tiny_goldens(self.days.folder / "new.npz", 1)
        given = ("--goldens", str(goldens))
        for path in building.wordy(self.days.folder, self.words):
            name = f"vision/{path.stem}"
            self.hub("ingest", "onnx", str(path), "--as", name, *given, code=None)
            self.hub("convert", f"{name}/1", "--for", TARGET, code=None)
            self.hub("show", f"{name}/1", code=None)

    def jobs(self) -> None:
        """What was asked for by whom, tried where, and ended: with hostile words in every text."""
        acme, words = self.days.acme, self.words
        by, here = words("JobOrder.asked_by"), Host("0" * 32, sentence(words("JobEnd.host_name")))
        what, subject, then = (words(f"Problem.{one}") for one in ("what", "subject", "next"))
        wrong = Problem("no", what, subject, then, final=False)
        version = {"version": words("ConvertArguments.version"), "hardware_target": TARGET}
        taken = {one: words(f"IngestArguments.{one}") for one in ("model", "onnx", "goldens")}
        written = {one: words(f"ExportArguments.{one}") for one in ("medium", "draft")}
        other = {words("JobOrder.arguments"): words("JobOrder.arguments")}
        wanted = (
            records.Wanted("convert", version),
            records.Wanted("ingest", taken, host=here),
            records.Wanted("export", {"site": SITE, **written}, host=here),
            records.Wanted("other", other),
        )
        for one in wanted:
            job = records.ask(acme.app.hub, one, by)
            attempt = records.begin(acme.app.hub, job.number, "w", here)
            records.set_back(acme.app.hub, attempt, wrong)
        records.finish(acme.app.hub, 2, "cancelled", attempt=None, by=by)
        acme.close()

    def promotion(self) -> None:
        said, approve = ("--reason", self.reason), ("approve", "P-2", "--meaning", self.meaning)
        asked = ("promote", f"{MODEL}/2", "--to", STAGE, *said, "--despite", "w-1")
        self._signed(self.days.draft(asked), "dora")
        for who, words in (("carla", approve), ("emil", ("object", "P-2")), ("emil", approve)):
            self._signed(self.days.draft((*words, *said)), who)

    def delivery(self) -> None:
        """Version 1 is carried, then 2; then back to 1, and then nothing runs any more."""
        said, group = ("--reason", self.reason), ("--for", f"{GROUP}={TARGET}")
        self._carried()
        self.hub("assign", SITE, f"{MODEL}/2", *group, *KEY)
        self._hooked()
        self._strewn()
        self._carried()
        (self.days.folder / "site/settings.toml").unlink()
        for words in (("rollback", MODEL, *said), ("activate", MODEL, *said), *SHOWN_AT_SITE):
            self.site(*words, code=None)
        back = ("assign", SITE, f"{MODEL}/1", *group, "--back", *said, *KEY)
        self.hub(*back, code=None)  # the site may have said anything of its software
        self.hub(*back, ANY_SOFTWARE)
        self._carried()
        self.home()
        self.hub("unassign", SITE, MODEL, *said, *KEY, ANY_SOFTWARE)
        self.hub("show", SITE)
        self._carried()

    def home(self) -> None:
        self.site("return", "--to", "medium")
        self.hub("receive", "medium")

    def looking(self) -> None:
        """Whoever only looks."""
        for words in SHOWN:
            self.hub(*words, code=None)
        for words in SHOWN_AT_SITE:
            self.site(*words, code=None)
        anna, ben = self.days.people(*STEWARDS)
        for words in KNOWN:
            anna(*words)
        self.days.person("carla")("signed")
        asked = ("promote", f"{MODEL}/2", "--to", "staging", "--reason", self.reason)
        self.days.draft(asked).file.rename(self.days.folder / "last.draft")
        self.days.person("dora").takes(self.days.folder / "last.draft")
        self.renewal = self.days.draft("renew team.vision")
        file = ben.shares()
        named = self.days.folder / self.words.named("memory", ".memory")
        anna.types("learn", str(file.rename(named)), "--colleague")
        anna.types("heads")

    def look(self, where: Iterable[str]) -> None:
        """Look at something, whatever comes of it."""
        for one in where:
            if one == "log":
                self.hub("audit", "list", code=None)
                self.site("audit", "list", code=None)
            elif one == "draft":
                asked = ("request", f"{MODEL}/2", "staging", "last.draft", "--reason", self.reason)
                self.days.person("dora").types(*asked, "--key", "dora.pem")
                self.hub("submit", "last.draft", code=None)
            elif one == "renewal":
                self.days.person("anna").says(self.renewal)
                self.hub("submit", self.renewal.file.name, code=None)
            elif one == "recipe":
                path = self.days.folder / "model.skops"
                if not path.exists():
                    models.digits_logreg_skops(path)
                self._run(building.converting, (str(path),), {}, None)
            elif one == "show":
                for words in (("show", "P-2"), ("show", SITE), ("next",)):
                    self.hub(*words, code=None)
                self.site("status", code=None)
            else:
                self.site("import", "medium", code=None)
                self.hub("receive", "medium", code=None)

    def _signed(self, made: Drafted, *names: str) -> None:
        people: list[Person] = self.days.people(*names)
        people[0].says(made)
        self.days.submit(*(one.sign(made) for one in people))

    def _hooked(self) -> None:
        """The site's hook fails, and prints what a server sent it."""
        settings = self.days.folder / "site/settings.toml"
        said = self.words("hook")
        (self.days.folder / "said").write_text(said)
        command = ["/bin/sh", "-c", f"cat {self.days.folder}/said; exit 1"]
        settings.write_text(f"[groups.{GROUP}]\nhook = {json.dumps(command)}\n")

    def _strewn(self) -> None:
        """Others' files and folders lie on the medium, each with a hostile name."""
        for number, place in enumerate(("", "sealift", "sealift/returns")):
            folder = self.days.folder / "medium" / place
            folder.mkdir(exist_ok=True)
            (folder / self.words.named(f"file{number}")).touch()
            (folder / self.words.named(f"folder{number}")).mkdir()

    def _carried(self) -> None:
        self.days.later(hours=1)
        self.hub("export", SITE, "--to", "medium", *KEY, ANY_SOFTWARE)
        self.site("verify", "medium")
        self.site("import", "medium", code=None)
        self.site("status")


def recall(days: Days, digest: str) -> None:
    """A safety officer recalls an artifact."""
    acme = days.acme
    hub = acme.app.hub
    with hub.reading() as connection:
        repository = Repository(connection)
        one = Recall("r-1", digest, "It is wrong.", moment(days.now))
        data = shape.write(RecallList(1, (), (one,)))
        expires = publishing.expiry(days.now, repository.lifetime(roles.RECALL))
        metadata = publishing.following(repository.targets(roles.RECALL), expires=expires)
        publishing.list_document(metadata.signed, documents.RECALL_PATH, data)
        owner = repository.targets().signed
        sign_enough(metadata, roles.RECALL, [acme.signer("recall-1")], owner)
    change = Change({roles.RECALL: metadata}, {documents.RECALL_PATH: data})
    hub.commit_change(change, hub.entry("recall.made", "recall-1", {"sha256": one.sha256}))
    acme.close()
