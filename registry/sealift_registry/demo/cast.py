"""Who and what the story is about."""

from __future__ import annotations

import platform
import re

ORGANISATION = "Acme"
TEAM = "vision"
DIGITS = f"{TEAM}/digits"
BOOSTED = f"{TEAM}/digits-boosted"
LAMP = f"{TEAM}/lamp"
STAGE = "production"
SITE = "plant-7"
OTHER_SITE = "ship-2"
GROUP = "line-1"

STEWARDS = ("anna", "ben")
REQUESTER = "dora"
APPROVERS = ("carla", "emil")
MEMBERS = (*STEWARDS, REQUESTER, *APPROVERS)
"""They make their keys themselves."""
TARGETS = ("targets-1", "targets-2")
FLEET = "fleet-1"
DISPATCHER = "dispatcher-1"
HOLDERS = (*TARGETS, FLEET, DISPATCHER)
"""They were handed theirs; the other offline keys are handed out too, and rest."""
CLERK = "hub"
"""Whoever set the hub up and runs it; the other commands are typed by the people above."""

SCIENTIST = "scientist"
ATTACKER = "mallory"

PASSPHRASE = ("--passphrase-file", "people/passphrase")


def place(person: str) -> str:
    """Where a person keeps their key, their card and their memory."""
    return f"people/{person}"


def memory(person: str) -> str:
    """Where they remember what they verified."""
    return f"{place(person)}/memory"


def card(person: str) -> str:
    """The card of a person's key."""
    return f"{place(person)}/{person}.card"


def signed_at_hub(whose: str = DISPATCHER) -> tuple[str, ...]:
    """The options with which the dispatcher signs at the hub, or whoever stole the key."""
    return ("--key", f"{place(whose)}/{DISPATCHER}.pem", *PASSPHRASE)


def hardware_target() -> str:
    """The hardware target that this machine is of."""
    return "cpu-aarch64" if platform.machine() in {"aarch64", "arm64"} else "cpu-x86_64"


def on_group() -> tuple[str, ...]:
    """The option that names the site's host group with its hardware target."""
    return ("--for", f"{GROUP}={hardware_target()}")


EIGHT_WORDS = r"\b(?:[a-z]{5} ){7}[a-z]{5}\b"


def first_match(pattern: str, text: str) -> str:
    """The first match of `pattern` in what a command said; an empty text where there is none."""
    match = re.search(pattern, text)
    return match.group(0) if match else ""
