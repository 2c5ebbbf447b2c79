"""`python -m sealift_registry.demo.serving`: the demo's hub behind its server, to look at and use.

It plays the demo where none has been played to its end, and goes on with the one that is there.
Whoever looks is invited as the one approver who has not judged the last promotion yet; and a token
that may look is written to a file, for who asks with a program. Then this process becomes the
server: what ends it, such as Ctrl-C, ends nothing else.
"""

from __future__ import annotations

import json
import os
import shlex
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from sealift_registry.demo.__main__ import CHAPTERS, UNDECIDED, on_path, played, tell_error
from sealift_registry.demo.cast import CLERK, memory, place
from sealift_registry.demo.commands import Hands
from sealift_registry.demo.folder import Folder, found
from sealift_registry.demo.story import DemoFailedError, Story, Voice
from sealift_registry.demo.surroundings import environment
from sealift_registry.demo.training import Training
from sealift_registry.demo.voices import choose_voice, typed
from sealift_signing import file_access
from sealift_signing.errors import FailedError, SealiftError
from sealift_sync import durable

PORT = 8700
HERE = "127.0.0.1"
WIDTH = 96
READER = UNDECIDED
"""Whom the person who looks at it is."""
VISITOR = "visitor"
"""The program's account, whose token may look."""
MAY = ("version.read", "promotion.read", "site.read", "job.read")
ROLES = ("viewer", "auditor", "operator")
WAITS = 23 * 60 * 60
"""Seconds for which an invitation is shown again: it counts for an hour longer."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="Where the demo lies; it is played there, if none was.",
)
@click.option(
    "--port",
    type=click.IntRange(1, 65_535),
    default=PORT,
    show_default=True,
    help="Listen there, on this machine alone.",
)
def main(folder: Path, port: int) -> None:
    """Serve the demo's hub, with an account and a token for whoever wants to look."""
    story = Story(choose_voice(as_json=False), len(CHAPTERS))
    try:
        check_free(port)  # before a minute of playing
        there = found(folder)
    except SealiftError as bad:
        tell_error(bad, as_json=False)
        sys.exit(bad.exit_code)
    if there is None:
        code = played(folder, story, as_json=False)
        there = found(folder)
        if code or there is None:
            sys.exit(code or 1)
    try:
        guests = invite(Hands(there, story, Training(there)))
    except SealiftError as bad:
        tell_error(bad, as_json=False)
        sys.exit(bad.exit_code)
    say_how(there, f"http://{HERE}:{port}", guests, story.voice)
    sys.stdout.flush()
    become_server(there, port)


def check_free(port: int) -> None:
    """Check that a server could listen there.

    Raises:
        FailedError: something else does, or nobody may.
    """
    try:
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind((HERE, port))
    except OSError as bad:
        raise FailedError(
            "demo-port",
            f"Nothing can listen on port {port} of this machine: {bad.strerror}.",
            subject=str(port),
            next_step=f"End what listens there, or choose another: make serve "
            f"ARGS='--port {port + 1 if port < 2**16 - 1 else port - 1}'",
        ) from bad


@dataclass(frozen=True)
class Guests:
    """What whoever looks gets.

    Attributes:
        invitation: to the reader's account, as long as it was not taken.
        header: the file with what the program shows, below the demo's folder.
    """

    invitation: str
    header: Path


def invite(hands: Hands) -> Guests:
    """An account for whoever looks, and a token of a program's, good for a day.

    Raises:
        DemoFailedError: the hub refused it.
    """
    accounts = {one["account"]: one for one in _told(hands, "account", "list")["accounts"]}
    file = hands.folder.root / place(READER) / "invitation"
    if READER not in accounts:
        roles = [word for one in ROLES for word in ("--role", one)]
        _keep(file, _told(hands, "account", "invite", READER, *roles)["secret"])
    elif accounts[READER]["state"] != "open" and not _is_new(file):
        _keep(file, _told(hands, "account", "recover", READER)["secret"])
    if VISITOR not in accounts:
        _told(hands, "account", "invite", VISITOR, "--service", "--role", "viewer")
    scopes = [word for one in MAY for word in ("--scope", one)]
    made = _told(hands, "account", "token", VISITOR, *scopes, "--days", "1")
    header = hands.folder.people / "authorization"
    _keep(header, f"Authorization: Bearer {made['secret']}")
    is_in = accounts.get(READER, {}).get("state") == "open"
    return Guests("" if is_in else file.read_text("utf-8").strip(), header)


def _told(hands: Hands, *words: str) -> dict[str, Any]:
    """What a command at the hub's shell answers."""
    ran = hands.quietly(CLERK, ("sealift", *words, "--json"), SEALIFT_HOME="hub")
    if ran.exit_code:
        said = ran.said.strip() or "nothing"
        name = " ".join(("sealift", *words))
        raise DemoFailedError("demo-failed", f"`{name}` failed: {said}", subject=name)
    told: dict[str, Any] = json.loads(ran.out)
    return told


def _keep(file: Path, secret: str) -> None:
    durable.write(file, f"{secret}\n".encode(), mode=file_access.FILE)


def _is_new(file: Path) -> bool:
    return file.is_file() and time.time() - file.stat().st_mtime < WAITS


def say_how(folder: Folder, url: str, guests: Guests, voice: Voice) -> None:
    """What to open, and how to ask and to sign in: to be pasted."""
    shown, who = folder.shown, READER.capitalize()
    header = f"{shown}/{guests.header.relative_to(folder.root)}"
    voice.tell(f"\nThe demo's hub is served from {shown}/ in a moment. What it answers: {url}/docs")
    voice.tell("\nAsk as a program, whose token lies in a file and may look for a day:")
    voice.lines(["curl -H " + shlex.quote(f"@{header}") + f" {url}/api/v1/versions"])
    voice.tell(
        f"\nAnd sign in, as somebody of the story: {who} has not judged P-000004 yet. In another "
        "terminal:"
    )
    desk = f"export SEALIFT_SERVER={url} SEALIFT_TRUST={shlex.quote(f'{shown}/{memory(READER)}')}"
    voice.lines([*on_path(), desk])
    if guests.invitation:
        voice.lines(["sealift account take"])
        voice.tell(
            f"It asks for the invitation, which counts once: {guests.invitation}\n"
            "It shows a seed for an authenticator, whose codes sign you in."
        )
    for line in _as_reader(shown):
        voice.lines(typed(line, WIDTH))
    voice.tell("\nCtrl-C ends the server. The next `make serve` goes on with what is there.\n")


def _as_reader(shown: str) -> tuple[tuple[str, ...], ...]:
    """How they sign in, look, prove their key and judge what waits for them."""
    key = f"{shown}/{place(READER)}/{READER}.pem"
    signs = ("--key", key, "--passphrase-file", f"{shown}/people/passphrase")
    said = ("--meaning", "validated", "--reason", "I looked")
    return (
        ("sealift", "login", READER, "--bind", *signs),
        ("sealift", "next"),
        ("sealift", "approve", "P-000004", *said, *signs),
    )


def become_server(folder: Folder, port: int) -> None:
    """Be `sealift serve` from here on: signals reach it, and its end is ours."""
    program = str(Path(sys.executable).with_name("sealift"))
    at = ("--home", str(folder.root / "hub"), "--host", HERE, "--port", str(port))
    os.execve(program, [program, "serve", *at], environment(folder, {}))  # noqa: S606 - our own


if __name__ == "__main__":
    main()
