"""What came of a conversion, as it is shown: when it was waited for, and later as a job's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sealift_registry.catalog.catalog import Catalog, newest
from sealift_registry.catalog.reference import VersionRef
from sealift_registry.promotion.promise_checks import untriable
from sealift_registry.shown.version import left_lines
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.repository import Repository
from sealift_registry.trust.teams import lets_check_rows_travel
from sealift_registry.views.versions import left_by
from sealift_signing.drawing import drawn, plain
from sealift_signing.more_member import LOOK, mark
from sealift_signing.statements import Evidence, Signed
from sealift_signing.vocabulary import CatalogPath, counted

IN_SHORT = ("expected", "proof")
"""What is printed of a proof that passed: how well it answers, and all of it in a sentence."""


def converted_lines(hub: Hub, made: Mapping[str, Any], *, verbose: bool = False) -> list[str]:
    """The variants of one version that were built, each with the newest evidence about it."""
    artifacts = made["artifacts"]
    first = dict.fromkeys(words for one in artifacts for words in one["told_first"])
    lines = [f"{LOOK}: {drawn(words)}" for words in first]
    for one in artifacts:
        lines += _of_one(hub, one, verbose=verbose)
    if not verbose and artifacts:
        version = CatalogPath.parse(artifacts[0]["path"]).full_version
        lines.append(f"Every check:  sealift show {version}")
    return lines


def _of_one(hub: Hub, made: Mapping[str, Any], *, verbose: bool) -> Iterator[str]:
    path = CatalogPath.parse(made["path"])
    with hub.reading() as connection:
        travel = lets_check_rows_travel(Repository(connection), path.team)
        evidence = newest(Catalog(connection).evidence(path))
    yield f"{path} {'built' if made['new'] else 'was there already'}  {made['sha256'][:12]}"
    for one in evidence:
        said = one.predicate
        yield from _whole(said) if verbose else _shortly(said)
        if said.kind == "parity":
            ref, left = VersionRef.parse(path.full_version), left_by(hub, said)
            yield from (f"    {text}" for text in left_lines(ref, left, travel=travel))
            yield from _untriable(path, one, travel=travel)
    yield from (f"  {plain(words)}" for words in made["untried"])


def _whole(said: Evidence) -> list[str]:
    """A piece of evidence with all its checks."""
    checks = [f"    {mark(one):4}  {drawn(one.words)}" for one in said.checks]
    return [f"  {said.kind}: {said.verdict}, on {drawn(said.machine)}", *checks]


def _shortly(said: Evidence) -> list[str]:
    """Its verdict, how well the model answers, all in a sentence, and what is not in order."""
    ordered = [one for name in IN_SHORT for one in said.checks if one.name == name]
    failed = [one for one in said.checks if one.verdict == "fail" and one not in ordered]
    shown = [f"    {mark(one):4}  {drawn(one.words)}" for one in (*ordered, *failed)]
    count = "" if shown else f", {counted(len(said.checks), 'check')}"
    return [f"  {said.kind}: {said.verdict}{count}", *shown]


def _untriable(path: CatalogPath, parity: Signed[Evidence], *, travel: bool) -> list[str]:
    """That it will not be promoted so: whoever converts can still do something about it."""
    bad = untriable(path, parity, travel=travel)
    return [] if bad is None else [f"  It cannot be promoted: {bad.what}", f"    {bad.advice}"]
