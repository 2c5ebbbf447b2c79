"""The first two chapters: an organisation gives out keys; its models lie where they always did."""

from __future__ import annotations

import secrets
from pathlib import Path

from sealift_registry.demo.cast import (
    APPROVERS,
    CLERK,
    EIGHT_WORDS,
    HOLDERS,
    MEMBERS,
    ORGANISATION,
    PASSPHRASE,
    REQUESTER,
    SCIENTIST,
    STEWARDS,
    TARGETS,
    TEAM,
    card,
    first_match,
)
from sealift_registry.demo.commands import Hands
from sealift_registry.demo.folder import Folder
from sealift_registry.demo.signing import AGREED, DRAFTS, StoryAct, carry_out, lend
from sealift_registry.demo.story import DemoFailedError
from sealift_registry.demo.train import BOOSTED

REPOSITORY = "sources/models"
TAG = "v1.0"


def found_hub(hands: Hands) -> None:
    """Chapter: the hub, everybody's keys and memories, a team, and who may do what."""
    hands.story.chapter(
        "An organisation gives out keys",
        "Root and targets need two of three keys, made outside of the hub and handed out; the hub "
        "holds only what it must sign with by itself. Each person has a folder in people/, which "
        "stands for a machine of their own: their key, its card, and a memory of all that they "
        "verified. There they run sealift-sign; drafts/ is a stick that goes round.\n"
        f"Every other command is typed in {hands.folder.shown}/, at the hub with SEALIFT_HOME=hub "
        "and at the site with SEALIFT_SITE_HOME=site. SEALIFT_TRUST names the memory of whoever "
        "types. Models are being trained meanwhile.",
    )
    _write_passphrase(hands.folder)
    offline = ("--offline-keys", "people/offline")
    made = hands.hub(CLERK, "init", *offline, "--name", ORGANISATION, *PASSPHRASE, show=4)
    paper(hands.folder).write_text(first_match(EIGHT_WORDS, made.out), encoding="utf-8")
    _give_out(hands)
    _trust(hands)
    _found_team(hands)


def _give_out(hands: Hands) -> None:
    """Each offline key goes to its holder, and none stays."""
    for person in (CLERK, *MEMBERS):
        lend(hands.folder, person)
    with hands.working(CLERK, "hands each offline key to its holder, and keeps none"):
        offline = hands.folder.people / "offline"
        for file in sorted(offline.iterdir()):
            file.rename(lend(hands.folder, file.name.partition(".")[0]) / file.name)
        offline.rmdir()


def _trust(hands: Hands) -> None:
    """Members make keys; everybody types the fingerprint from paper, and begins a memory."""
    hands.story.tell(
        "\nWhoever set the hub up shares what they saw. Everybody else types the fingerprint from "
        "paper, and begins a memory of their own from it:"
    )
    hands.desk(CLERK, "share", f"{DRAFTS}/acme.memory", show=1)
    fingerprint = paper(hands.folder).read_text(encoding="utf-8")
    first, *others = MEMBERS
    keys = (
        ("key", "new", "{}.pem", *AGREED[1:]),
        ("card", "{}", "--key", "{}.pem", *AGREED[1:]),
    )
    trusts = ("trust", fingerprint, f"{DRAFTS}/acme.memory")
    for command, show in zip((*keys, trusts), (2, 2, 1), strict=True):
        hands.desks([first], *command, show=show)
    hands.likewise(others, *keys, trusts)
    hands.likewise(HOLDERS, trusts)


def _found_team(hands: Hands) -> None:
    """Two holders of targets add the team; its stewards say who may ask and approve."""
    cards = tuple(word for one in STEWARDS for word in ("--steward", card(one)))
    theirs = tuple(word for one in STEWARDS for word in ("--card", _from_owner(one)))
    team = StoryAct(
        f"add-team-{TEAM}", ("team", "add", TEAM, *cards), ("add-team", TEAM, *STEWARDS), theirs
    )
    carry_out(hands, team, TARGETS, show=20)
    hands.story.tell(
        "\nThe hub opens nobody's key: it drafts, people sign, and it takes in what they signed. "
        "The stewards now say who may ask, and who may approve:"
    )
    for office, person in (
        ("requester", REQUESTER),
        *(("approver", one) for one in (*APPROVERS, REQUESTER)),
    ):
        hub = ("team", office, TEAM, card(person))
        named, theirs = (f"add-{office}", TEAM, person), ("--card", _from_owner(person))
        carry_out(hands, StoryAct(f"{office}-{person}", hub, named, theirs), STEWARDS)
    hands.story.tell("\nDora may approve too, but never what she has asked for herself.")


def _from_owner(person: str) -> str:
    """A card as its owner gave it, for whoever signs in a folder of their own."""
    return f"../{person}/{person}.card"


def show_sources(hands: Hands) -> None:
    """Chapter: MLflow's store, and a Git repository with DVC."""
    story, training = hands.story, hands.training
    story.chapter(
        "Models lie where they always did: in MLflow, and in Git with DVC",
        "One process trains real models of scikit-learn's handwritten digits. The newest rows are "
        "held out: some serve as goldens, the others will measure accuracy.",
    )
    boosted = training.wait_for("boosted")["accuracy"]
    story.tell(f"\nxgboost has learned {BOOSTED}, accuracy {boosted:.4f}. It goes to DVC:")
    _make_repository(hands)
    story.started(SCIENTIST, ("(trains for MLflow, in the background since the beginning)",))
    last = training.wait_for("v3")
    lines = [
        f"digits v{n}: scaler + logistic regression, learned from {told['rows']} rows, "
        f"accuracy {told['accuracy']:.4f}"
        for n, told in ((n, training.wait_for(f"v{n}")) for n in (1, 2, 3))
    ]
    lines[2] += " (labels spoiled)"
    lines.append("alias champion: v1")
    story.worked(SCIENTIST, "training", last["after"], lines)


def _make_repository(hands: Hands) -> None:
    """A Git repository whose model is kept by DVC, pushed to a remote that is a directory."""
    folder = hands.folder.sources / "models"
    folder.mkdir()
    (hands.folder.sources / "dvc-remote").mkdir()
    git = ("git", "-C", REPOSITORY)
    dvc = ("dvc", "--cd", REPOSITORY)
    _quietly(
        hands,
        f"makes a Git repository, {REPOSITORY}, with a DVC remote",
        (*git, "init", "--quiet", "--initial-branch", "main"),
        (*git, "config", "user.name", "A scientist"),
        (*git, "config", "user.email", "scientist@acme.example"),
        (*dvc, "init", "--quiet"),
        (*dvc, "remote", "add", "--quiet", "--default", "store", "../dvc-remote"),
    )
    (hands.folder.sources / BOOSTED).rename(folder / BOOSTED)
    hands.run(SCIENTIST, (*dvc, "add", BOOSTED, "--quiet"))
    hands.run(SCIENTIST, (*git, "add", "."))
    commit = ("commit", "--quiet", "--message", "Boosted digits")
    hands.run(SCIENTIST, (*git, *commit))
    hands.run(SCIENTIST, (*git, "tag", "--annotate", TAG, "--message", "First"))
    hands.run(SCIENTIST, (*dvc, "push", "--quiet"))


def _quietly(hands: Hands, what: str, *commands: tuple[str, ...]) -> None:
    """Several commands that nobody needs to see one by one."""
    with hands.working(SCIENTIST, what):
        for command in commands:
            ran = hands.quietly(SCIENTIST, command)
            if ran.exit_code:
                name = " ".join(command)
                raise DemoFailedError("demo-failed", f"`{name}` failed: {ran.said}", subject=name)


def paper(folder: Folder) -> Path:
    """What somebody copied by hand: the organisation's fingerprint."""
    return folder.people / "fingerprint"


def _write_passphrase(folder: Folder) -> None:
    """One passphrase for every key of the story; in earnest each person has their own."""
    path: Path = folder.people / "passphrase"
    path.touch(mode=0o600)
    path.write_text(secrets.token_urlsafe(24) + "\n", encoding="utf-8")
