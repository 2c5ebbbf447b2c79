"""Questions to a large log: pages of a hundred, by each filter and by several at once.

What is asked for is drawn by chance from what the log holds, and so is where the page begins and
whether it is read from the newest or from the oldest entry.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta

from sealift_signing.transparency.entry import Term
from sealift_signing.transparency.question import Question
from sealift_signing.vocabulary import moment
from tests.benchmarks.figures import MS, Claim, Figure, Line, clocked, figure
from tests.benchmarks.large_log import (
    BEGAN,
    KINDS,
    MODELS_A_TEAM,
    PEOPLE,
    SITES,
    SPAN,
    TEAMS,
)
from tests.logs import HubSide

PAGE = 100
EACH = 40
"""Questions of each sort."""
MOST_MS = 50.0
"""Milliseconds that 95 of 100 pages take at most."""

Ask = Callable[[random.Random], Question]


def measure(hub: HubSide, size: int) -> Iterator[Line]:
    """Ask the log of `size` entries; the promise is of all the questions together."""
    chance = random.Random(1)  # noqa: S311 - what is asked, not secrets
    everything: list[float] = []
    found: list[Figure] = []
    for name, ask in PLAIN.items():
        plain = [ask(chance) for _ in range(EACH)]
        spans = [_in_a_span(chance, question) for question in plain]
        for label, questions in ((name, plain), (f"{name}, a span of time", spans)):
            took = [_timed(hub, question, chance, size) for question in questions]
            everything += took
            found.append(figure(f"page of {PAGE}: {label}", took))
    yield from found
    ordered = sorted(everything)
    slowest = max(found, key=lambda one: one.worst_ms)
    p95 = ordered[int(len(ordered) * 0.95)] * MS
    yield Claim("6", f"pages of {PAGE} at {size:,} entries, p95", p95, "ms", most=MOST_MS)
    yield Claim("", f"the slowest of all, {slowest.name}", slowest.worst_ms, "ms")


def _timed(hub: HubSide, question: Question, chance: random.Random, size: int) -> float:
    took: list[float] = []
    beyond = chance.choice([None, chance.randrange(size)])
    newest_first = chance.choice([True, False])
    with clocked(took):
        hub.reader.page(question, limit=PAGE, beyond=beyond, newest_first=newest_first)
    return took[0]


# -------------------------------------------------------------------- what is asked


def _type(chance: random.Random) -> str:
    return chance.choice(KINDS).type


def _family(chance: random.Random) -> str:
    return _type(chance).partition(".")[0] + ".*"


def _person(chance: random.Random) -> str:
    return f"person-{chance.randrange(PEOPLE):03d}"


def _actor(chance: random.Random) -> str:
    return chance.choice([_person(chance), _person(chance), "hub-builder", "hub", "nobody"])


def _site(chance: random.Random) -> str:
    return f"site-{chance.randrange(SITES):04d}"


def _model(chance: random.Random) -> Term:
    team, model = chance.randrange(TEAMS), chance.randrange(MODELS_A_TEAM)
    return Term("model", f"team-{team:03d}/model-{model}")


def _term(chance: random.Random) -> Term:
    site, person = Term("site", _site(chance)), Term("person", _person(chance))
    return chance.choice([_model(chance), site, person, Term("model", "no/such")])


def _in_a_span(chance: random.Random, question: Question) -> Question:
    """Of a day, a month or a year, before the log, in it or after it; open to one side at times."""
    length = timedelta(days=chance.choice([1, 30, 365]))
    begin = BEGAN + (SPAN + length) * chance.random() - length / 2
    since, until = moment(begin), moment(begin + length)
    ends = chance.choice([(since, until), (since, until), (since, None), (None, until)])
    return replace(question, since=ends[0], until=ends[1])


PLAIN: Mapping[str, Ask] = {
    "everything": lambda _: Question(),
    "a type": lambda chance: Question(type=_type(chance)),
    "a family of types": lambda chance: Question(type=_family(chance)),
    "an actor": lambda chance: Question(actor=_actor(chance)),
    "a site": lambda chance: Question(site=_site(chance)),
    "a term": lambda chance: Question(terms=(_term(chance),)),
    "two terms": lambda chance: Question(terms=(_model(chance), _term(chance))),
    "a type, an actor": lambda chance: Question(type=_type(chance), actor=_actor(chance)),
    "a family, a term": lambda chance: Question(type=_family(chance), terms=(_term(chance),)),
    "a site, a type": lambda chance: Question(site=_site(chance), type=_type(chance)),
    "a family, an actor, a term": lambda chance: Question(
        type=_family(chance), actor=_actor(chance), terms=(_term(chance),)
    ),
}
"""Each sort of question; each is asked once more of a span of time."""
