"""The disk that loses power: what is flushed stays, and everything else may go or stay."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from random import Random

import pytest

from tests.power.disk import (
    SECTOR,
    Also,
    Disk,
    Flush,
    Link,
    Make,
    Operation,
    Remove,
    Rename,
    Resize,
    Tree,
    Write,
    lay_out,
)

TOP = Path("/d")
ALWAYS = 10**9
CUTS = 300


def disk(*operations: Operation) -> Disk:
    made = Disk()
    made.mount(TOP)
    for one in operations:
        made.apply(one)
    return made


def outcomes(made: Disk) -> list[Tree]:
    """Every different thing that is found after a cut."""
    found: list[Tree] = []
    for number in range(CUTS):
        tree = made.cut(TOP, Random(number))  # noqa: S311 - chance that repeats
        if tree not in found:
            found.append(tree)
    return found


def file(path: str, data: bytes) -> list[Operation]:
    return [Make(path, "file"), Write(path, 0, data)]


def kept(path: str, data: bytes) -> list[Operation]:
    return [*file(path, data), Flush(path, ALWAYS), Flush(str(Path(path).parent), ALWAYS)]


def test_what_was_flushed_is_found_after_every_cut() -> None:
    made = disk(*kept("/d/a", b"one"), Make("/d/l", "link", "a"), Flush("/d", ALWAYS))
    assert outcomes(made) == [{"a": b"one", "l": PurePosixPath("a")}]


def test_a_name_needs_its_folders_flush() -> None:
    """A file that was flushed under a name that was not is there or not, and whole if it is."""
    made = disk(*file("/d/a", b"one"), Flush("/d/a", ALWAYS))
    assert sorted(outcomes(made), key=len) == [{}, {"a": b"one"}]


def test_data_needs_its_files_flush() -> None:
    """A name that was flushed over data that was not: empty, zeros or the data."""
    made = disk(*file("/d/a", b"one"), Flush("/d", ALWAYS))
    assert sorted(str(one["a"]) for one in outcomes(made)) == [
        "b''",
        "b'\\x00\\x00\\x00'",
        "b'one'",
    ]


def test_sectors_are_torn_apart_and_never_within() -> None:
    old, new = b"o" * SECTOR, b"n" * SECTOR
    made = disk(*kept("/d/a", old * 3), Write("/d/a", 0, new * 3))
    found = {one["a"] for one in outcomes(made)}
    sectors = {(a, b, c) for a in (old, new) for b in (old, new) for c in (old, new)}
    assert found == {b"".join(one) for one in sectors}


def test_a_sector_holds_all_that_was_written_to_it_by_then() -> None:
    made = disk(*kept("/d/a", b"...."), Write("/d/a", 0, b"1"), Write("/d/a", 1, b"2"))
    assert {one["a"] for one in outcomes(made)} == {b"....", b"1...", b"12.."}


def test_a_file_is_cut_short_or_not() -> None:
    made = disk(*kept("/d/a", b"1234"), Resize("/d/a", 2), Write("/d/a", 2, b"x"))
    assert {one["a"] for one in outcomes(made)} >= {b"1234", b"12", b"12x"}
    assert {len(bytes(one["a"])) for one in outcomes(made)} == {2, 3, 4}  # type: ignore[arg-type]


def test_a_flush_says_nothing_of_what_came_after_it_began() -> None:
    """Another thread's write while the flush was under way is not in it."""
    made = disk(*kept("/d/a", b"old"))
    made.apply(Write("/d/a", 0, b"new"))
    made.apply(Flush("/d/a", 0))
    assert {one["a"] for one in outcomes(made)} == {b"old", b"new"}


def test_a_rename_is_done_or_not_done() -> None:
    made = disk(*kept("/d/a", b"old"), *kept("/d/b", b"new"), Rename("/d/b", "/d/a"))
    before, after = {"a": b"old", "b": b"new"}, {"a": b"new"}
    found = outcomes(made)
    assert before in found
    assert after in found
    # In any part: the new name came, and the old one did not go.
    assert all(one in (before, after, {"a": b"new", "b": b"new"}, {"a": b"old"}) for one in found)


@pytest.mark.parametrize("flushed", ["/d", "/d/in"])
def test_a_rename_between_folders_is_durable_with_either(flushed: str) -> None:
    made = disk(Make("/d/in", "folder"), Flush("/d", ALWAYS), *kept("/d/in/a", b"one"))
    made.apply(Rename("/d/in/a", "/d/a"))
    made.apply(Flush(flushed, ALWAYS))
    assert outcomes(made) == [{"in": None, "a": b"one"}]


def test_what_was_renamed_away_durably_does_not_come_back() -> None:
    made = disk(Make("/d/in", "folder"), Flush("/d", ALWAYS), *file("/d/in/a", b"one"))
    made.apply(Flush("/d/in/a", ALWAYS))
    made.apply(Rename("/d/in/a", "/d/a"))
    made.apply(Flush("/d", ALWAYS))
    assert outcomes(made) == [{"in": None, "a": b"one"}]


def test_a_removed_file_may_come_back_whole() -> None:
    made = disk(*kept("/d/a", b"one"), Remove("/d/a"))
    assert sorted(outcomes(made), key=len) == [{}, {"a": b"one"}]


def test_links_are_names_of_one_file() -> None:
    made = disk(*kept("/d/a", b"one"), Link("/d/a", "/d/b"), Flush("/d", ALWAYS))
    made.apply(Write("/d/b", 0, b"two"))
    made.apply(Flush("/d/b", ALWAYS))
    assert outcomes(made) == [{"a": b"two", "b": Also("a")}]


def test_a_folder_comes_with_what_was_flushed_in_it() -> None:
    made = disk(Make("/d/in", "folder"), *kept("/d/in/a", b"one"))
    assert sorted(outcomes(made), key=len) == [{}, {"in": None, "in/a": b"one"}]


def test_changes_in_part_are_in_any_part() -> None:
    """Three new names: what a journal would keep in order, FAT need not."""
    made = disk(*(Make(f"/d/{name}", "folder") for name in "abc"))
    found = [set(one) for one in outcomes(made)]
    assert {"c"} in found
    assert {"a", "b"} in found
    assert len(found) == 8


def test_a_real_folder_goes_in_and_comes_out(tmp_path: Path) -> None:
    tree: Tree = {"a": b"one", "in": None, "in/b": Also("a"), "l": PurePosixPath("in/b")}
    lay_out(tree, tmp_path / "one")
    made = Disk()
    made.load(tmp_path / "one", TOP)
    assert outcomes(made) == [tree]
    assert made.tree(TOP) == tree
