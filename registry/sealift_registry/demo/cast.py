"""Who and what the story is about."""

from __future__ import annotations

import platform
import re

ORGANISATION = "Acme"
TEAM = "vision"
DIGITS = f"{TEAM}/digits"
BOOSTED = f"{TEAM}/digits-boosted"
STAGE = "production"
SITE = "plant-7"
OTHER_SITE = "ship-2"
GROUP = "line-1"

STEWARDS = ("anna", "ben")
REQUESTER = "dora"
APPROVERS = ("carla", "emil")
CLERK = "hub"
"""Whoever runs the hub; the other commands are typed by the people above."""

SCIENTIST = "scientist"
ATTACKER = "mallory"

PASSPHRASE = ("--passphrase-file", "people/passphrase")
DISPATCHER = ("--key", "people/offline/dispatcher-1.pem")
DISPATCHER_CARD = "people/offline/dispatcher-1.card"


def key(person: str) -> tuple[str, ...]:
    """The options with which a person signs."""
    return ("--key", f"people/{person}.pem")


def hardware_target() -> str:
    """The hardware target that this machine is of."""
    return "cpu-aarch64" if platform.machine() in {"aarch64", "arm64"} else "cpu-x86_64"


def on_group() -> tuple[str, ...]:
    """The option that names the site's host group with its hardware target."""
    return ("--for", f"{GROUP}={hardware_target()}")


EIGHT_WORDS = r"\b(?:[a-z]{5} ){7}[a-z]{5}\b"


def found(pattern: str, text: str) -> str:
    """The first match of `pattern` in what a command said; an empty text where there is none."""
    match = re.search(pattern, text)
    return match.group(0) if match else ""
