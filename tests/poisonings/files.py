"""Poisonings of the files in a hub's home: settings, blobs, copies of metadata, public keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from tests.poisonings.poisoning import Poisoning
from tests.poisonings.world import THIEF, World

SKIPPED = ("sealift.db", "work")
"""The database is poisoned by its rows."""


def poisonings(world: World) -> Iterator[Poisoning]:
    """Each file changed, gone, and made what its neighbour is; each setting another."""
    root = world.acme.root
    for folder, found in sorted(_files(root).items()):
        for place, name in enumerate(found):
            other = found[place - 1] if len(found) > 1 else None
            yield Poisoning(f"file: {folder} {place}: changed", _change(name))
            yield Poisoning(f"file: {folder} {place}: gone", _remove(name))
            if other is not None:
                yield Poisoning(f"file: {folder} {place}: swapped", _swap(name, other))
    for place, line in enumerate((root / "settings.toml").read_text().splitlines()):
        if "=" in line:
            yield Poisoning(f"setting: {line.partition('=')[0].strip()}", _set(place))


def _files(root: Path) -> dict[str, list[str]]:
    """Paths below the home, by what they are; of those of many, the first and the last few."""
    found: dict[str, list[str]] = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        top = name.partition("/")[0]
        if top.startswith(SKIPPED) or path.is_symlink() or not path.is_file():
            continue
        if path.stat().st_size:
            found.setdefault(top, []).append(name)
    return {top: [*names[:2], *names[2:][-4:]] for top, names in found.items()}


def _change(name: str) -> Callable[[World], None]:
    def poison(world: World) -> None:
        path = world.acme.root / name
        data = path.read_bytes()
        path.chmod(0o600)
        middle = len(data) // 2
        path.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])

    return poison


def _remove(name: str) -> Callable[[World], None]:
    return lambda world: (world.acme.root / name).unlink()


def _swap(name: str, other: str) -> Callable[[World], None]:
    def poison(world: World) -> None:
        one, two = world.acme.root / name, world.acme.root / other
        aside = one.with_name("aside")
        one.rename(aside)
        two.rename(one)
        aside.rename(two)

    return poison


def _set(place: int) -> Callable[[World], None]:
    def poison(world: World) -> None:
        path = world.acme.root / "settings.toml"
        lines = path.read_text().splitlines()
        key, _, value = lines[place].partition("=")
        changed = value.strip()
        if changed.startswith('"'):
            changed = f'"{world.public(THIEF).text if ":" in changed else THIEF}"'
        elif changed.isdigit():
            changed = str(2 * int(changed))
        lines[place] = f"{key}= {changed}"
        path.write_text("\n".join(lines) + "\n")

    return poison
