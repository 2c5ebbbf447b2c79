"""The two halves of `sealift-site init`: ask to be enrolled, then take in the answer."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from sealift_signing import file_access
from sealift_signing.canonical import Json
from sealift_signing.clock import check_possible
from sealift_signing.errors import RefusedError
from sealift_signing.keys import new_key, open_signer, variable
from sealift_signing.pkcs8 import ROUNDS, ROUNDS_RANDOM
from sealift_signing.transparency.checkpoint import site_origin
from sealift_signing.transparency.entry import new_entry
from sealift_signing.tuf_walk import Keep
from sealift_sync import durable
from sealift_sync.site.log.appending import SiteLog
from sealift_sync.site.setup.enrolment import (
    ANSWER,
    Enrolment,
    TypedWords,
    check_answer,
    check_typed,
    enrolment,
    make_request,
)
from sealift_sync.site.setup.home_folder import Home, find_home, make_home
from sealift_sync.site.setup.home_locks import only_one
from sealift_sync.site.setup.open_site import Clock, whoami
from sealift_sync.site.state.database import State


def begin_enrolment(
    root: Path, environment: Mapping[str, str], site: str, groups: Mapping[str, str], clock: Clock
) -> bytes:
    """Make the home at `root` and the site's key, if they are not there; returns the request.

    Raises:
        RefusedError: the home is enrolled already.
        ClockError: this machine's clock was never set.
        FailedError: it could not be made.
    """
    check_possible(clock())
    home = make_home(root, environment)
    with only_one(home, "init"):
        state = State(home.database)
        try:
            state.bring_forward()
            _make_key(home, environment)
            signer = open_signer(str(home.key), home.passphrases(environment))
            return make_request(state, signer, site, groups, clock())
        finally:
            state.close()


def finish_enrolment(
    root: Path,
    environment: Mapping[str, str],
    answer: bytes,
    clock: Clock,
    ask: Callable[[Enrolment], TypedWords],
) -> Enrolment:
    """Take in the hub's answer, once what is typed agrees with it.

    `ask` shows what the answer says and has fingerprint and words typed.

    Raises:
        RefusedError: not an answer to this site's request, or not the one that was spoken of.
        ClockError: this machine's clock was never set.
    """
    check_possible(clock())
    home = find_home(root, environment)
    with only_one(home, "init"):
        state = State(home.database)
        try:
            state.bring_forward()  # an earlier release may have asked
            known = check_answer(state, answer)
            if state.fact(ANSWER) == answer:
                return enrolment(state)
            if state.fact(ANSWER) is not None:
                raise RefusedError(
                    "already-enrolled",
                    "This site is enrolled already, by another answer.",
                    subject=known.site,
                    next_step="Enrol anew in a new home: sealift-site --home DIR init …",
                )
            check_typed(known, ask(known))
            _enrol(state, home, environment, known, clock)
            return known
        finally:
            state.close()


def _enrol(
    state: State, home: Home, environment: Mapping[str, str], known: Enrolment, clock: Clock
) -> None:
    """All of it and the log's first entry in one transaction."""
    signer = open_signer(str(home.key), home.passphrases(environment))
    log = SiteLog(state.connection, signer, site_origin(known.organisation, known.site))
    with state.transaction():
        state.set_fact(ANSWER, known.answer.envelope.data)
        state.set_floors(known.first_floors)
        for version, data in enumerate(known.roots, start=1):
            state.keep(Keep("root", "root", version, data))
        told: dict[str, Json] = {
            "organisation": known.organisation,
            "stage": known.stage,
            "enrolment": known.id,
            "groups": dict(known.groups),
        }
        log.append(new_entry("site.enrolled", whoami(), clock(), told, (), site=known.site))


def _make_key(home: Home, environment: Mapping[str, str]) -> None:
    """The site's key; its passphrase is a random one in a file, unless the environment has it."""
    aside = home.key.with_name(f"new{durable.PARTIAL}")
    shutil.rmtree(aside, ignore_errors=True)
    if home.key.exists():
        return
    said = environment.get(variable(home.key))
    if not said and not home.passphrase.exists():
        durable.write(home.passphrase, secrets.token_urlsafe(32).encode() + b"\n", mode=0o600)
    rounds = ROUNDS if said else ROUNDS_RANDOM
    # Made aside: a key that is there is whole, wherever this was cut.
    phrase = home.passphrases(environment).of(home.key)
    new_key(aside / home.key.name, phrase, rounds=rounds, public_mode=file_access.FILE)
    for half in (f"{home.key.name}.pub", home.key.name):
        (aside / half).replace(home.key.with_name(half))
    durable.flush_folder(home.key.parent)
    aside.rmdir()
