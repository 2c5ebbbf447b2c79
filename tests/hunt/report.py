"""What a hunt found, in tables: by converter and family, with the number of whatever is wrong."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

from tests.hunt.hunting import Mutant, Tried
from tests.hunt.mutants import MUTANTS

SHOWN = 12
"""Models that a list names."""

COLUMNS: Sequence[tuple[str, Callable[[Tried], bool]]] = (
    ("signed, right", lambda one: one.key == ("signed", "right")),
    ("signed, merged", lambda one: one.key == ("signed", "merged")),
    ("signed, WRONG", lambda one: one.key == ("signed", "wrong")),
    ("stopped, right", lambda one: one.key == ("stopped", "right")),
    ("stopped, merged", lambda one: one.key == ("stopped", "merged")),
    ("stopped, wrong", lambda one: one.key == ("stopped", "wrong")),
    ("either, open", lambda one: one.key in {("signed", "unknown"), ("stopped", "unknown")}),
    ("refused", lambda one: one.outcome == "refused"),
    ("broken", lambda one: one.outcome == "broken"),
    ("no model", lambda one: one.outcome == "unfit"),
)


def summary(tried: Sequence[Tried], mutants: Sequence[Mutant]) -> str:
    """The whole, for people."""
    parts = [
        _models(tried),
        _alarms(tried),
        _times(tried),
        _wrong(tried),
        _stopped(tried),
        _broken(tried),
    ]
    parts += [_refused(tried)]
    if mutants:
        parts += [_mutants(mutants), _missed(mutants)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _models(tried: Sequence[Tried]) -> str:
    lines = ["| converter | family | " + " | ".join(name for name, _ in COLUMNS) + " |"]
    lines.append("|---|---|" + "---|" * len(COLUMNS))
    for converter, family in sorted({(one.converter, one.family) for one in tried}):
        some = [one for one in tried if (one.converter, one.family) == (converter, family)]
        lines.append(f"| {converter} | {family} | {_counts(some)} |")
    lines.append(f"| all | {len(tried)} | {_counts(tried)} |")
    return "\n".join(lines)


def _counts(some: Iterable[Tried]) -> str:
    known = list(some)
    return " | ".join(str(sum(fits(one) for one in known)) for _, fits in COLUMNS)


def _alarms(tried: Sequence[Tried]) -> str:
    right = [one for one in tried if one.truth == "right" and one.outcome in ("signed", "stopped")]
    stopped = sum(one.outcome == "stopped" for one in right)
    return (
        f"Of {len(right)} models that the judge calls right, {_part(stopped, len(right))} stopped."
    )


def _times(tried: Sequence[Tried]) -> str:
    """What proofs cost, and the dearest."""
    found = sorted((one for one in tried if one.seconds), key=lambda one: one.seconds)
    if not found:
        return ""
    middle, most = found[len(found) // 2].seconds, found[-1]
    return (
        f"A proof takes {middle:.2f} s of the processor in the median, "
        f"{found[len(found) * 9 // 10].seconds:.2f} s at the 90th percentile, and at most "
        f"{most.seconds:.2f} s ({most.seed})."
    )


def _part(some: int, every: int) -> str:
    return f"{some} ({some / every:.1%})" if every else "0"


def _named(title: str, some: Sequence[Tried], *, every: bool = False) -> str:
    if not some:
        return f"{title}: none."
    lines = [f"{title}: {len(some)}."]
    for one in some if every else some[:SHOWN]:
        found = one.judgement or {}
        figures = ", ".join(
            f"{name} {found[name]}" for name in ("wrong", "labels", "merged", "rounded")
        )
        lines.append(f"- {one.seed} {one.converter}/{one.family}: {figures}; {one.words[:300]}")
        if one.outcome != "signed":
            lines.append(f"  said: {', '.join(one.seen)}; {one.said[:300]}")
    return "\n".join(lines)


def _wrong(tried: Sequence[Tried]) -> str:
    found = [one for one in tried if one.key == ("signed", "wrong")]
    return _named("Signed and wrong", found, every=True)


def _stopped(tried: Sequence[Tried]) -> str:
    found = [one for one in tried if one.key == ("stopped", "right")]
    return _named("Stopped and right", found, every=True)


def _broken(tried: Sequence[Tried]) -> str:
    return _grouped("Broken", [one for one in tried if one.outcome == "broken"])


def _refused(tried: Sequence[Tried]) -> str:
    return _grouped("Refused", [one for one in tried if one.outcome == "refused"])


def _grouped(title: str, some: Sequence[Tried]) -> str:
    """By what was said, the numbers left out."""
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for one in some:
        said = "".join("#" if letter.isdigit() else letter for letter in one.said)
        groups[said[:110].replace("\n", " ")].append(one.seed)
    if not groups:
        return f"{title}: none."
    lines = [f"{title}: {len(some)}."]
    for said, seeds in sorted(groups.items(), key=lambda group: -len(group[1])):
        lines.append(f"- {len(seeds)} times {said} ({', '.join(map(str, seeds[:4]))})")
    return "\n".join(lines)


def _mutants(mutants: Sequence[Mutant]) -> str:
    lines = [
        "| mutant | changes rows | seen | by its check | by goldens alone | changes none | seen |",
        "|---|---|---|---|---|---|---|",
    ]
    kinds = {kind: [one for one in mutants if one.kind == kind] for kind in MUTANTS}
    converters = dict.fromkeys(one.converter for one in mutants)
    parts = {
        f"all of {name}": [one for one in mutants if one.converter == name] for name in converters
    }
    every = kinds | parts | {"all": list(mutants)}
    return "\n".join([*lines, *(f"| {name} | {_seen(some)} |" for name, some in every.items())])


def _seen(some: Sequence[Mutant]) -> str:
    bad = [one for one in some if one.changes]
    idle = [one for one in some if not one.changes]
    caught = _part(sum(one.caught for one in bad), len(bad))
    without = _part(sum(one.without for one in bad), len(bad))
    by_it = _part(sum(one.by_its_check for one in bad), len(bad))
    also = sum(one.caught for one in idle)
    return f"{len(bad)} | {caught} | {by_it} | {without} | {len(idle)} | {also}"


def _missed(mutants: Sequence[Mutant]) -> str:
    lost = [one for one in mutants if one.changes and not one.caught]
    if not lost:
        return "Every mutant that changes ordinary rows was seen."
    lines = [f"Not seen, though ordinary rows change: {len(lost)}."]
    lines += [f"- {one.seed} {one.converter}: {one.kind}" for one in lost[: 4 * SHOWN]]
    checks = Counter(check for one in mutants if one.caught for check in one.seen)
    lines.append("Seen by: " + ", ".join(f"{name} {n}" for name, n in checks.most_common()) + ".")
    return "\n".join(lines)
