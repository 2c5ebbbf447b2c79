"""The demo, whose commands are forked: their stand-ins lie in the folder that is given first."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from sealift_registry.demo import commands
from sealift_registry.demo.__main__ import main
from tests.forked_commands import PROGRAMS


def play(stand_ins: Path) -> None:
    """Play the demo. What is cut off from the network by a namespace is a process as ever."""
    programs = commands._programs

    def standing_in(command: Sequence[str]) -> list[str]:
        if command[0] in PROGRAMS:
            return [str(stand_ins / command[0]), *command[1:]]
        return programs(command)

    commands._programs = standing_in
    main()


if __name__ == "__main__":
    _folder = Path(sys.argv.pop(1))
    play(_folder)
