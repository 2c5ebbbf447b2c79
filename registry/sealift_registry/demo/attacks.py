"""What does not get through: a damaged copy, another site's bundle, and a stolen hub.

Each attack ends the demo with exit code 1 if it is not refused or held.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from sealift_registry.demo import hostile_hub
from sealift_registry.demo.cast import (
    APPROVERS,
    ATTACKER,
    DIGITS,
    GROUP,
    OTHER_SITE,
    PASSPHRASE,
    REQUESTER,
    SITE,
    STAGE,
    found,
    key,
    on_group,
)
from sealift_registry.demo.cast import DISPATCHER as DISPATCHER_KEY
from sealift_registry.demo.commands import Hands
from sealift_registry.demo.journey import enrol_other_site, export
from sealift_registry.demo.story import DemoFailedError, Ran
from sealift_sync.artifact import read_manifest
from sealift_sync.bundle import layout

HOME = f"tampered/{OTHER_SITE}"
STOLEN = "tampered/hub"
VERSION = f"{DIGITS}/3"
APPROVE = ("--meaning", "validated", "--yes", "--reason")
IMPATIENT = "I want it to go out"


def play(hands: Hands) -> None:
    """Chapter: everything that must not get through."""
    hands.story.chapter(
        "What does not get through",
        f"A second site, {OTHER_SITE}, is enrolled to be attacked; its home and all that is forged "
        "lie in tampered/.",
    )
    (hands.folder.tampered / "medium").mkdir()
    bundle = enrol_other_site(hands)
    carry_to_another_site(hands, bundle)
    flip_a_bit(hands, bundle)
    hands.site(OTHER_SITE, "import", bundle, home=HOME)
    promotion = ask_for_third(hands)
    assign_unapproved(hands, promotion)
    approve_own_request(hands, promotion)
    hands.story.tell("\nEvery refusal is an entry of the site's log, and nothing else has changed:")
    hands.site(SITE, "audit", "list", "--limit", "3")
    hands.site(OTHER_SITE, "status", home=HOME)


def carry_to_another_site(hands: Hands, bundle: str) -> None:
    """A bundle that is whole and signed, at the wrong site."""
    ran = hands.refused_site(SITE, "import", bundle)
    _refused(hands, "another-site", f"{OTHER_SITE}'s bundle, carried to {SITE}", ran, OTHER_SITE)


def flip_a_bit(hands: Hands, bundle: str) -> None:
    """One bit of the model's bytes, changed on the way."""
    copy = hands.folder.tampered / "flipped"
    shutil.copytree(hands.folder.root / bundle, copy)
    blob = _largest_blob(copy)
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 1
    blob.write_bytes(data)
    hands.story.tell(f"\nOne bit of {blob.name[:12]}…, the model in a copy of it, is flipped:")
    ran = hands.refused_site(OTHER_SITE, "import", "tampered/flipped", home=HOME)
    _refused(hands, "tampered-blob", "a blob with one flipped bit", ran, blob.name[:12])


def ask_for_third(hands: Hands) -> str:
    """The version that learned from spoiled labels is asked for; nobody has approved it."""
    hands.story.tell(
        "\nDora asks for the third version, whose labels were spoiled. Nobody has approved it."
    )
    reason = ("--reason", "No time to wait")
    asked = hands.hub(
        REQUESTER,
        *("promote", VERSION, "--to", STAGE, *reason, "--at-hub", *key(REQUESTER), *PASSPHRASE),
        show=1,
    )
    return found(r"P-\d{6}", asked.out)


def assign_unapproved(hands: Hands, promotion: str) -> None:
    """At the hub, and with a stolen hub: an artifact that nobody approved."""
    signed = (*on_group(), *DISPATCHER_KEY, *PASSPHRASE)
    ran = hands.refused_hub("dispatcher", "assign", OTHER_SITE, VERSION, *signed)
    _refused(hands, "unapproved-at-the-hub", f"assigning {VERSION} at the hub", ran, VERSION)
    hands.story.tell(
        "\nMallory does not ask. He has the hub with every key that is on it, and has stolen the "
        "dispatcher's key as well (what he does stands in sealift_registry/demo/hostile_hub.py)."
    )
    with hands.working(ATTACKER, f"copies the hub to {STOLEN}"):
        shutil.copytree(hands.folder.root / "hub", hands.folder.root / STOLEN)
    _around_the_hub(hands, promotion, "unapproved", "an artifact that nobody approved")


def approve_own_request(hands: Hands, promotion: str) -> None:
    """At the hub, and around it: the requester approves what she asked for."""
    first, root = APPROVERS[0], hands.folder.root
    hands.story.tell(
        f"\n{first.capitalize()} approves, since the variant is faithful to its source: that its "
        "source is bad, parity cannot tell. One more is needed, and Dora is impatient."
    )
    said = (*APPROVE, "Faithful to its source", "--at-hub", *key(first), *PASSPHRASE)
    hands.hub(first, "approve", promotion, *said, show=1)
    said = (*APPROVE, IMPATIENT, "--at-hub", *key(REQUESTER), *PASSPHRASE)
    ran = hands.refused_hub(REQUESTER, "approve", promotion, *said)
    _refused(
        hands, "own-request-at-the-hub", "the requester's approval, at the hub", ran, REQUESTER
    )
    hands.story.tell("\nSo Dora and Mallory work together.")
    with hands.working(ATTACKER, "in his copy he files Carla's approval, and one that Dora signs"):
        hostile_hub.approve_anyway(
            root / STOLEN, hands.folder.people, root / "hub", promotion, (REQUESTER, IMPATIENT)
        )
    _around_the_hub(hands, promotion, "own-request", "the requester's approval, around the hub")


def _around_the_hub(hands: Hands, promotion: str, name: str, what: str) -> None:
    """Have the stolen hub ship `promotion`, and see that the site holds it and runs what it ran."""
    stolen, people = hands.folder.root / STOLEN, hands.folder.people
    with hands.working(ATTACKER, f"lists {VERSION} and assigns it, with the stolen keys"):
        hostile_hub.assign_anyway(stolen, people, promotion, OTHER_SITE, GROUP)
    folder = export(hands, OTHER_SITE, "tampered/medium", STOLEN, ATTACKER)
    ran = hands.site(OTHER_SITE, "import", folder, home=HOME)
    sentence = found(rf"held\s+{VERSION} in {GROUP}: .*", ran.out).partition(": ")[2]
    if not sentence or "/1-" not in _current(hands):
        raise DemoFailedError("demo-not-held", f"{what} was not held!", subject=VERSION)
    hands.story.refused(name, what, "held", sentence)


def _current(hands: Hands) -> str:
    link = hands.folder.root / HOME / "models" / GROUP / DIGITS / "current"
    return str(link.resolve())


def _refused(hands: Hands, name: str, what: str, ran: Ran, names: str) -> None:
    """Keep a refusal: the sentence that names the thing.

    Raises:
        DemoFailedError: there is none.
    """
    said = ran.err.splitlines()
    errors = [line for line in said if line.startswith("Error: ")] or said
    lines = [line.removeprefix("Error: ") for line in errors if names in line]
    if not lines:
        raise DemoFailedError("demo-sentence", f"The refusal does not name {names}.", subject=what)
    hands.story.refused(name, what, "refused", lines[0])


def _largest_blob(bundle: Path) -> Path:
    """The model's file: the largest of the files that a manifest names."""
    index = json.loads((bundle / layout.INDEX).read_bytes())
    digests = [one["digest"].removeprefix("sha256:") for one in index["manifests"]]
    manifests = [(bundle / layout.blob_file(one)).read_bytes() for one in digests]
    files = [file for data in manifests for file in read_manifest(data, what="a manifest").loose]
    return bundle / layout.blob_file(max(files, key=lambda file: file.size).sha256)
