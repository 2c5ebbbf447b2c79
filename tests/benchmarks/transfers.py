"""Export, verify and import of a large model and of many small files, beside what people use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from tests.benchmarks import carrying, machine, workloads
from tests.benchmarks.carrying import (
    BY_HAND,
    EXPORT,
    IMPORT,
    OPENSSL,
    RECEIVE,
    RETURN,
    SIGNING,
    TAR,
    VERIFY,
    Carried,
    Made,
)
from tests.benchmarks.figures import MB, Claim, Line, Measured, over_rounds, ratio, shares
from tests.benchmarks.organisations import BIN
from tests.benchmarks.racing import Act, Contestant, Place, Step, race
from tests.benchmarks.workloads import GB

MEMORY = 128.0
"""Megabytes that a command may take, whatever it carries."""
PASSES: Mapping[str, Mapping[str, float]] = {
    EXPORT: {"read": 2, "written": 1, "hashed": 2},
    VERIFY: {"read": 1, "hashed": 1},
    IMPORT: {"read": 1, "written": 1, "hashed": 1},
}
"""How often each of our commands cannot but read, write and hash what it carries."""
HELP, TINY = "sealift export --help", f"{EXPORT} of next to nothing"
LOOSE = ", a blob for each file"
"""The end of a name: what it would take without packs."""


def exports(folder: Path, *, quick: bool) -> Iterator[Line]:
    """To a medium."""
    carried = workloads.large(folder.parent, quick=quick)
    yield from carrying.absent(carrying.EXPORTING)
    found = _race(carried, carrying.EXPORTING, folder, quick=quick)
    yield from _with_shares(found)
    ours = found[EXPORT]
    yield ratio("1", ours, found[BY_HAND], least=1.0, aim=1.3)
    yield from _against(ours, found, {"restic backup": ("1", 2.5)})
    yield memory(ours)


def verifies(folder: Path, *, quick: bool) -> Iterator[Line]:
    """Of a medium."""
    carried = workloads.large(folder.parent, quick=quick)
    yield from carrying.absent(carrying.VERIFYING)
    found = _race(carried, carrying.VERIFYING, folder, quick=quick)
    yield from _with_shares(found)
    ours = found[VERIFY]
    yield ratio("1", ours, found[OPENSSL], least=1.0)
    if SIGNING in found:
        yield ratio("1", ours, found[SIGNING], aim=1.2)
    yield memory(ours)


def imports(folder: Path, *, quick: bool) -> Iterator[Line]:
    """From a medium, and the receipt's way home."""
    carried = workloads.large(folder.parent, quick=quick)
    yield from carrying.absent(carrying.IMPORTING)
    found = _race(carried, carrying.IMPORTING, folder, quick=quick)
    home = {name: _by_processor(replace(found.pop(name), size=0)) for name in (RETURN, RECEIVE)}
    yield from _with_shares(found)
    yield from home.values()
    ours = found[IMPORT]
    yield ratio("1", ours, found[BY_HAND], least=1.0, aim=1.3)
    yield from _against(ours, found, {"restic restore --verify": ("1", 3.0)})
    yield memory(ours)
    for one in home.values():
        yield memory(one)


def small_files(folder: Path, *, quick: bool) -> Iterator[Line]:
    """A thousand files: what each costs beyond its bytes."""
    carried = workloads.small(folder.parent, quick=quick)
    loose = workloads.loose(folder.parent, quick=quick)
    yield from carrying.absent(carrying.SMALL_EXPORTING)
    rounds = workloads.rounds(quick=quick)
    exporting = [
        *carrying.contestants(carried, carrying.SMALL_EXPORTING),
        *_loose(loose, carrying.SMALL_EXPORTING[:1]),
        _help(),
        _tiny(folder.parent),
        *machine.small_writing(carried.model, carried.organisation.size),
        *machine.small_carrying(carried.model, carried.organisation.size),
    ]
    found = race(exporting, rounds, folder, keep=True)
    ours, files = found[EXPORT], {"files": found[machine.ONCE]}
    found[EXPORT] = replace(ours, shares=shares(ours, {}, {}, files))
    yield from found.values()
    yield beyond(found[TINY], found[EXPORT], found[TAR], line="3", most=1.2)
    yield beyond(found[TINY], found[EXPORT + LOOSE], found[TAR])
    yield beyond(found[HELP], found[EXPORT], found[TAR])
    for bare in (machine.BARE, machine.BARE_ONE):
        yield as_multiple(found[bare], found[TAR])
    yield from _against(found[EXPORT], found, {})
    importing = [
        *carrying.contestants(carried, carrying.SMALL_IMPORTING),
        *_loose(loose, carrying.SMALL_IMPORTING[:1]),
    ]
    found = race(importing, rounds, folder, keep=True)
    del found[RETURN], found[RECEIVE]
    yield from found.values()
    yield from _against(found[IMPORT], found, {})


def beyond(
    begun: Measured, export: Measured, tar: Measured, *, line: str = "", most: float | None = None
) -> Claim:
    """What an export takes beyond what it begins with, as a multiple of an archive of the files."""
    rounds = zip(export.rounds, begun.rounds, tar.rounds, strict=True)
    each = [(ours.wall - start.wall) / theirs.wall for ours, start, theirs in rounds]
    what = f"{export.name} less {begun.name}, as a multiple of {tar.name}"
    return over_rounds(line, what, "x", each, most=most)


def as_multiple(bare: Measured, tar: Measured) -> Claim:
    """What no export can be faster than, as a multiple of an archive of the files."""
    rounds = zip(bare.rounds, tar.rounds, strict=True)
    each = [ours.wall / theirs.wall for ours, theirs in rounds]
    return over_rounds("", f"({bare.name}), as a multiple of {tar.name}", "x", each)


def memory(one: Measured) -> Claim:
    """The most memory that a command took, beside what it may take."""
    size = f" of {one.size / GB:.3g} GB" if one.size else ""
    return Claim("2", f"{one.name}{size}: peak memory", one.peak / MB, "MB", most=MEMORY)


def _race(
    carried: Carried, made: tuple[tuple[str, Made], ...], folder: Path, *, quick: bool
) -> dict[str, Measured]:
    """Those that can run here, among controls of the machine."""
    size = carried.organisation.size
    contestants = [
        *carrying.contestants(carried, made),
        machine.reading(carried.model, size),
        machine.writing(size),
        machine.hashing(size),
    ]
    return race(contestants, workloads.rounds(quick=quick), folder)


def _with_shares(found: Mapping[str, Measured]) -> Iterator[Measured]:
    """All, ours with what part of their time each of the machine's limits alone would take."""
    controls = {
        "read": found[machine.READ],
        "written": found[machine.WRITE],
        "hashed": found[machine.HASH],
    }
    for name, one in found.items():
        passes = PASSES.get(name)
        yield replace(one, shares=shares(one, passes, controls)) if passes else one


def _by_processor(one: Measured) -> Measured:
    """What carries no bytes to speak of, with how much of its time a core was at work."""
    return replace(one, shares=shares(one, {}, {}))


def _against(
    ours: Measured, found: Mapping[str, Measured], promised: Mapping[str, tuple[str, float]]
) -> Iterator[Claim]:
    """Ours against every other that was measured with it, beside what was promised."""
    for name, other in found.items():
        if other.control or not other.size or name in {ours.name, BY_HAND}:
            continue
        line, least = promised.get(name, ("", None))
        yield ratio(line, ours, other, least=least)


def _loose(carried: Carried, made: tuple[tuple[str, Made], ...]) -> Iterator[Contestant]:
    """Ours, of a model that has no packs."""
    for one in carrying.contestants(carried, made):
        yield replace(one, name=one.name + LOOSE)


def _help() -> Contestant:
    def steps(_place: Place) -> Iterator[Step | Act]:
        yield Step((BIN / "sealift", "export", "--help"))

    return Contestant(HELP, 0, steps)


def _tiny(top: Path) -> Contestant:
    """What an export does whatever it carries: keys, two commits of the log, signatures."""
    us = workloads.tiny(top).organisation

    def steps(place: Place) -> Iterator[Step | Act]:
        yield us.export(place / "medium")

    return Contestant(TINY, 0, steps)
