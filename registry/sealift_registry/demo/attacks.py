"""What does not get through: a damaged copy, another site's bundle, and a stolen hub.

Each attack ends the demo with exit code 1 if it is not refused or held.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from sealift_registry.demo import hostile_drafts, hostile_hub
from sealift_registry.demo.cast import (
    APPROVERS,
    ATTACKER,
    CLERK,
    DIGITS,
    DISPATCHER,
    GROUP,
    OTHER_SITE,
    REQUESTER,
    SITE,
    STEWARDS,
    TEAM,
    first_match,
    on_group,
    signed_at_hub,
)
from sealift_registry.demo.commands import LONGEST, Hands
from sealift_registry.demo.journey import OTHER_MEDIUM, approval, ask_for, export, keep_refusal
from sealift_registry.demo.signing import StoryAct, carry_out, sign
from sealift_registry.demo.story import DemoFailedError
from sealift_sync.artifact import read_manifest
from sealift_sync.bundle import layout

HOME = f"tampered/{OTHER_SITE}"
BUNDLE = f"{OTHER_MEDIUM}/sealift/{OTHER_SITE}-000001"
STOLEN = "tampered/hub"
VERSION = f"{DIGITS}/3"
INVENTED = "viktor"
IMPATIENT = "I want it to go out"


def play(hands: Hands) -> None:
    """Chapter: everything that must not get through."""
    hands.story.chapter(
        "What does not get through",
        f"The second site, {OTHER_SITE}, is attacked; all that is forged lies in tampered/.",
    )
    with hands.beside(ask_for_third) as asked:
        carry_to_another_site(hands)
        flip_a_bit(hands)
        hands.site(OTHER_SITE, "import", BUNDLE, home=HOME)
    promotion = asked.result()
    assign_unapproved(hands, promotion)
    approve_own_request(hands, promotion)
    hands.story.tell(
        "\nWhat a site refused is an entry of its log; nothing else has changed there:"
    )
    hands.site(SITE, "audit", "list", "--limit", "3")
    hands.site(OTHER_SITE, "status", home=HOME)
    poison_what_is_signed(hands)


def carry_to_another_site(hands: Hands) -> None:
    """A bundle that is whole and signed, at the wrong site."""
    ran = hands.refused_site(SITE, "import", BUNDLE)
    keep_refusal(
        hands, "another-site", f"{OTHER_SITE}'s bundle, carried to {SITE}", ran, OTHER_SITE
    )


def flip_a_bit(hands: Hands) -> None:
    """One bit of the model's bytes, changed on the way."""
    copy = hands.folder.tampered / "flipped"
    shutil.copytree(hands.folder.root / BUNDLE, copy)
    blob = _largest_blob(copy)
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 1
    blob.write_bytes(data)
    hands.story.tell(f"\nOne bit of {blob.name[:12]}…, the model in a copy of it, is flipped:")
    ran = hands.refused_site(OTHER_SITE, "import", "tampered/flipped", home=HOME)
    keep_refusal(hands, "tampered-blob", "a blob with one flipped bit", ran, blob.name[:12])


def ask_for_third(hands: Hands) -> str:
    """The version that learned from spoiled labels is asked for; nobody has approved it."""
    hands.story.tell(
        "\nDora asks for the third version, whose labels were spoiled. Nobody has approved it."
    )
    return ask_for(hands, VERSION, "No time to wait")


def assign_unapproved(hands: Hands, promotion: str) -> None:
    """At the hub, and with a stolen hub: an artifact that nobody approved."""
    signed = (*on_group(), *signed_at_hub())
    ran = hands.refused_hub(DISPATCHER, "assign", OTHER_SITE, VERSION, *signed)
    keep_refusal(hands, "unapproved-at-the-hub", f"assigning {VERSION} at the hub", ran, VERSION)
    hands.story.tell(
        "\nMallory does not ask. He has the hub with every key that is on it, and has stolen the "
        "dispatcher's key and memory as well (what he does stands in "
        "sealift_registry/demo/hostile_hub.py)."
    )
    with hands.working(ATTACKER, f"copies the hub to {STOLEN}, and what the dispatcher has"):
        shutil.copytree(hands.folder.root / "hub", hands.folder.root / STOLEN)
        people = hands.folder.people
        shutil.copytree(people / DISPATCHER, people / ATTACKER, symlinks=True)
    with hands.beside(lambda other: approve_once(other, promotion)):
        _around_the_hub(hands, promotion, "unapproved", "an artifact that nobody approved")


def approve_once(hands: Hands, promotion: str) -> None:
    """At the hub that was not stolen: one of the two approvals that are needed."""
    first = APPROVERS[0]
    hands.story.tell(
        f"\nMeanwhile, at the real hub, {first.capitalize()} approves, since the variant is "
        "faithful to its source: that its source is bad, parity cannot tell."
    )
    carry_out(hands, approval(promotion, "Faithful to its source"), [first])


def approve_own_request(hands: Hands, promotion: str) -> None:
    """At a desk, and around the hub: the requester approves what she asked for."""
    root = hands.folder.root
    hands.story.tell("\nOne more approval is needed, and Dora is impatient.")
    own = approval(promotion, IMPATIENT)
    (ran,) = sign(hands, own, [REQUESTER], show=LONGEST, expect=1)
    keep_refusal(hands, "own-request-at-a-desk", "the requester's approval", ran, REQUESTER)
    hands.story.tell("\nSo Dora and Mallory work together.")
    with hands.working(ATTACKER, "in his copy he files Carla's approval, and one that Dora signs"):
        hostile_hub.approve_anyway(
            root / STOLEN, hands.folder.people, root / "hub", promotion, (REQUESTER, IMPATIENT)
        )
    _around_the_hub(hands, promotion, "own-request", "the requester's approval, around the hub")


def poison_what_is_signed(hands: Hands) -> None:
    """A team list that nobody signed, under a steward's routine renewal; and a swapped draft."""
    steward, role = STEWARDS[0], f"team.{TEAM}"
    hands.story.tell(
        f"\nLast, Mallory wants an approver of his own. In the hub that he has he enters "
        f"{INVENTED.capitalize()}, and waits for a steward's routine renewal to sign the list "
        "(hostile_drafts.py)."
    )
    forged, swapped = (StoryAct(f"renewal-{n}", ("renew", role), ("renew", role)) for n in (1, 2))
    into = {"forged": forged.draft, "swapped": swapped.draft}
    with hands.working(ATTACKER, f"enters {INVENTED} in {role}, and writes drafts of his own"):
        root = hands.folder.root
        paths = {name: root / path for name, path in into.items()}
        hostile_drafts.forge(root / STOLEN, TEAM, INVENTED, paths)
    ran = hands.refused_hub(CLERK, *forged.hub, home=STOLEN)
    keep_refusal(hands, "forged-list-at-the-hub", "a forged list of people, at the hub", ran, role)
    hands.story.tell(
        f"\nSo {steward.capitalize()} gets a draft of his own making, above that list:"
    )
    (ran,) = sign(hands, forged, [steward], show=LONGEST, expect=1)
    keep_refusal(hands, "forged-list", "a renewal of a forged list", ran, role)
    hands.story.tell("\nAnd another, above the real list, in which the forged one is to be signed:")
    (ran,) = sign(hands, swapped, [steward], show=LONGEST, expect=1)
    keep_refusal(hands, "swapped-draft", "a renewal that holds another act", ran, "renew")


def _around_the_hub(hands: Hands, promotion: str, name: str, what: str) -> None:
    """Have the stolen hub ship `promotion`, and see that the site holds it and runs what it ran."""
    stolen, people = hands.folder.root / STOLEN, hands.folder.people
    with hands.working(ATTACKER, f"lists {VERSION} and assigns it, with the stolen keys"):
        hostile_hub.assign_anyway(stolen, people, promotion, OTHER_SITE, GROUP)
    folder = export(hands, OTHER_SITE, OTHER_MEDIUM, STOLEN, ATTACKER)
    ran = hands.site(OTHER_SITE, "import", folder, home=HOME)
    sentence = first_match(rf"held\s+{VERSION} in {GROUP}: .*", ran.out).partition(": ")[2]
    if not sentence or "/1-" not in _current(hands):
        raise DemoFailedError("demo-not-held", f"{what} was not held!", subject=VERSION)
    hands.story.refused(name, what, "held", sentence)


def _current(hands: Hands) -> str:
    link = hands.folder.root / HOME / "models" / GROUP / DIGITS / "current"
    return str(link.resolve())


def _largest_blob(bundle: Path) -> Path:
    """The model's file: the largest of the files that a manifest names."""
    index = json.loads((bundle / layout.INDEX).read_bytes())
    digests = [one["digest"].removeprefix("sha256:") for one in index["manifests"]]
    manifests = [(bundle / layout.blob_file(one)).read_bytes() for one in digests]
    files = [file for data in manifests for file in read_manifest(data, what="a manifest").loose]
    return bundle / layout.blob_file(max(files, key=lambda file: file.size).sha256)
