"""How a signature comes to be: the hub drafts, people sign where their keys are, the hub takes in.

`drafts/` is a stick that goes round; each person has it in their own folder as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sealift_registry.demo.cast import CLERK
from sealift_registry.demo.commands import Hands
from sealift_registry.demo.folder import Folder
from sealift_registry.demo.story import Ran

DRAFTS = "drafts"
AGREED = ("--yes", "--passphrase-file", "../passphrase")
"""What replaces a terminal at a desk: consent, and somebody who types a passphrase."""


@dataclass(frozen=True)
class StoryAct:
    """Something that people sign.

    Attributes:
        name: of the draft's file.
        hub: what is typed at the hub to have it drafted.
        named: how whoever signs names it.
        options: what else they say; `{}` stands for whoever says it.
    """

    name: str
    hub: tuple[str, ...]
    named: tuple[str, ...]
    options: tuple[str, ...] = ()

    @property
    def draft(self) -> str:
        """The draft's file."""
        return f"{DRAFTS}/{self.name}.draft"

    def signed(self, person: str) -> str:
        """The file that `person` signed."""
        return f"{DRAFTS}/{self.name}.{person}.signed"


def draft(hands: Hands, act: StoryAct, *, who: str = CLERK, show: int = 1) -> None:
    """Have the hub draft it."""
    hands.hub(who, *act.hub, "--draft", act.draft, show=show)


def sign(
    hands: Hands, act: StoryAct, people: Sequence[str], *, show: int = 1, expect: int = 0
) -> list[Ran]:
    """Have people sign it, each where their key is, at the same time."""
    typed = (*act.named, act.draft, *act.options, "--key", "{}.pem", *AGREED)
    return hands.desks(people, *typed, show=show, expect=expect)


def submit(hands: Hands, files: Sequence[str], *, show: int = 20) -> Ran:
    """Have the hub take in what was signed."""
    return hands.hub(CLERK, "submit", *files, show=show)


def carry_out(hands: Hands, act: StoryAct, people: Sequence[str], *, show: int = 1) -> Ran:
    """Draft it, have people sign it, and take it in; `show` of what each command says."""
    draft(hands, act, show=show)
    sign(hands, act, people, show=max(show, 2))
    return submit(hands, [act.signed(one) for one in people])


def lend(folder: Folder, person: str) -> Path:
    """A folder for `person`, in which they find the stick; it is made where it is not there."""
    path = folder.people / person
    path.mkdir(exist_ok=True)
    stick = path / DRAFTS
    if not stick.is_symlink():
        stick.symlink_to(Path("..", "..", DRAFTS))
    return path
