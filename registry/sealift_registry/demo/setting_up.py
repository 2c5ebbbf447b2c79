"""The first two chapters: an organisation gives out keys; its models lie where they always did."""

from __future__ import annotations

import secrets
from pathlib import Path

from sealift_registry.demo.cast import (
    APPROVERS,
    CLERK,
    EIGHT_WORDS,
    ORGANISATION,
    PASSPHRASE,
    REQUESTER,
    SCIENTIST,
    STEWARDS,
    TEAM,
    found,
    key,
)
from sealift_registry.demo.commands import Hands
from sealift_registry.demo.folder import Folder
from sealift_registry.demo.story import DemoFailedError
from sealift_registry.demo.train import BOOSTED

REPOSITORY = "sources/models"
TAG = "v1.0"


def found_hub(hands: Hands) -> None:
    """Chapter: the hub, its offline keys, a team, and who may do what."""
    hands.story.chapter(
        "An organisation gives out keys",
        "Root and targets need two of three keys, kept outside of the hub; so are the keys of the "
        "people who request and approve. The hub holds only what it must sign with by itself.\n"
        f"Every command is typed in {hands.folder.shown}/, at the hub with SEALIFT_HOME=hub and at "
        "the site with SEALIFT_SITE_HOME=site. Models are being trained meanwhile.",
    )
    _write_passphrase(hands.folder)
    offline = ("--offline-keys", "people/offline")
    made = hands.hub(CLERK, "init", *offline, "--name", ORGANISATION, *PASSPHRASE, show=4)
    paper(hands.folder).write_text(found(EIGHT_WORDS, made.out), encoding="utf-8")
    for person in (*STEWARDS, REQUESTER, *APPROVERS):
        hands.hub(person, "key", "new", f"people/{person}.pem", *PASSPHRASE, show=2)
        hands.hub(person, "key", "card", person, *key(person), "--out", _card(person), *PASSPHRASE)
    stewards = [word for one in STEWARDS for word in ("--steward", _card(one))]
    targets = [word for n in (1, 2) for word in ("--key", f"people/offline/targets-{n}.pem")]
    hands.hub(CLERK, "team", "add", TEAM, *stewards, "--at-hub", *targets, *PASSPHRASE)
    signed = ("--at-hub", *(word for one in STEWARDS for word in key(one)), *PASSPHRASE)
    hands.hub("anna+ben", "team", "requester", TEAM, _card(REQUESTER), *signed)
    for person in (*APPROVERS, REQUESTER):
        hands.hub("anna+ben", "team", "approver", TEAM, _card(person), *signed)
    hands.story.tell("\nDora may approve too, but never what she has asked for herself.")


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


def _card(person: str) -> str:
    return f"people/{person}.card"
