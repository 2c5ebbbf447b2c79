"""`sealift-site init`: asking to be enrolled, and what is read and typed before that counts."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sealift_signing.drawing import pasted
from sealift_signing.errors import UsageError, shown
from sealift_sync.cli import telling
from sealift_sync.cli.calling import Call

if TYPE_CHECKING:
    from sealift_signing.canonical import Json
    from sealift_signing.statements import Pins
    from sealift_sync.site.setup.enrolment import Enrolment, TypedWords

LARGEST_ANSWER = 16 * 1024 * 1024

FINGERPRINT = "Type your organisation's fingerprint from paper: eight words, or all 64 digits."
WORDS = "Type the eight words of this answer, as somebody at the hub reads them to you."


def write_request(
    call: Call, name: str, groups: tuple[str, ...], file: Path, *, as_json: bool
) -> None:
    """Make the site and write its request to `file`."""
    from sealift_signing import file_access, statements
    from sealift_signing.vocabulary import NAME
    from sealift_signing.words import eight_words
    from sealift_sync import durable
    from sealift_sync.site.setup.initialising import begin_enrolment

    if not NAME.matches(name):
        raise UsageError(
            "usage",
            f"{shown(name)} is not {NAME.words}.",
            subject=name,
            next_step="Choose a name of that form.",
        )
    envelope = begin_enrolment(call.home, call.environment, name, _groups(groups), call.clock)
    durable.write(file.absolute(), envelope, mode=file_access.SHOWN_FILE)
    said = statements.read(statements.SiteRequest, envelope, what="the request")
    words = eight_words(envelope)
    if as_json:
        told = {"site": name, "request": said.sha256, "key": said.predicate.key, "file": str(file)}
        telling.print_json("init", {**told, "words": words})
        return
    telling.good(f"This site is called {name}; its folder is {call.home}")
    telling.say(f"Carry {file} to the hub, and there: sealift site enroll {pasted([file.name])} …")
    telling.say("Whoever answers it reads you the eight words of what arrived. Yours are:")
    telling.say(f"  {words}")
    telling.say("Then take in the answer here: sealift-site init --answer FILE")


def take_answer(
    call: Call, file: Path, fingerprint: str | None, words: str | None, *, as_json: bool
) -> None:
    """Take in the hub's answer, once what is typed (or given as options) agrees with it."""
    from sealift_sync.bundle.medium import read_named
    from sealift_sync.site.setup.enrolment import TypedWords
    from sealift_sync.site.setup.initialising import finish_enrolment

    step = "Give the file that `sealift site enroll` wrote for this site."
    data = read_named(file, LARGEST_ANSWER, next_step=step)

    def ask(known: Enrolment) -> TypedWords:
        given = {"--fingerprint": fingerprint, "--words": words}
        missing = [option for option, text in given.items() if text is None]
        somebody = sys.stdin.isatty() and sys.stderr.isatty()
        if not as_json or (missing and somebody):
            _offered(known)
        if missing and not somebody:
            raise UsageError(
                "not-confirmed",
                "The organisation's fingerprint and the answer's eight words must be typed, and "
                "nobody can be asked here.",
                next_step=f"Run this on a terminal, or add {' and '.join(missing)}.",
            )
        return TypedWords(
            _typed("Fingerprint", FINGERPRINT) if fingerprint is None else fingerprint,
            _typed("Eight words", WORDS) if words is None else words,
        )

    _enrolled(finish_enrolment(call.home, call.environment, data, call.clock, ask), as_json=as_json)


def _offered(known: Enrolment) -> None:
    """All that the answer says, but nothing of what is to be typed: people would copy it."""
    telling.say_aside(f"By this answer, {known.site} would be enrolled:")
    telling.say_aside(f"  organisation  {known.organisation[:12]}…")
    telling.say_aside(f"  root          version {len(known.roots)}")
    telling.say_aside(f"  stage         {known.stage}")
    for group, hardware_target in sorted(known.groups.items()):
        telling.say_aside(f"  host group    {group}: {hardware_target}")
    for text in _pins(known.pins):
        telling.say_aside(f"  pinned        {text}")


def _pins(pins: Pins) -> list[str]:
    """What the site will insist on, whatever the hub says later."""
    from sealift_signing.vocabulary import counted

    least = pins.least_thresholds.items()
    said = [f"{kind}: at least {counted(count, 'signature')}" for kind, count in sorted(least)]
    said.append(f"each artifact: at least {counted(pins.least_approvals, 'approval')}")
    said += ["only these teams: " + ", ".join(pins.teams)] if pins.teams else []
    said += ["only these models: " + ", ".join(pins.models)] if pins.models else []
    return said


def _typed(what: str, asked: str) -> str:
    telling.say_aside("")
    telling.say_aside(asked)
    said: str = click.prompt(what, err=True)
    return said


def _enrolled(known: Enrolment, *, as_json: bool) -> None:
    from sealift_signing import shape
    from sealift_signing.words import words_of

    if as_json:
        told: dict[str, Json] = {
            "site": known.site,
            "organisation": known.organisation,
            "fingerprint": known.fingerprint,
            "stage": known.stage,
            "enrolment": known.id,
            "words": known.words,
            "pins": shape.to_json(known.pins),
        }
        telling.print_json("init", told)
        return
    telling.good(f"{known.site} is enrolled for {known.stage}.")
    telling.say(f"Answer         {known.words}")
    telling.say(f"Fingerprint    {words_of(known.fingerprint)}")
    telling.say(f"Organisation   {known.organisation}")
    telling.say("Next: sealift-site import DIR")


def _groups(given: tuple[str, ...]) -> dict[str, str]:
    from sealift_signing.vocabulary import NAME

    found: dict[str, str] = {}
    for text in given:
        match = re.fullmatch(r"([^=]+)=([^=]+)", text)
        if not match or not all(NAME.matches(part) for part in match.groups()):
            raise UsageError(
                "usage",
                f"{shown(text)} is not of the form NAME=HARDWARE-TARGET.",
                subject=text,
                next_step="For example: --group cpu=cpu-x86_64",
            )
        if match[1] in found:
            raise UsageError(
                "usage",
                f"The host group {match[1]} is given twice.",
                subject=match[1],
                next_step="Name each host group once.",
            )
        found[match[1]] = match[2]
    return found
