"""What happens in a command, told to whoever operates it: to nobody, unless a log file is open.

The audit log is what is signed and what an auditor believes. Here is what an operator looks at:
what ran, how long it took, what it waited for, how it ended. `log_file` writes it down. Whatever
tells something calls `tell` and loads nothing for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

from sealift_signing.errors import SealiftError

Level = Literal["info", "warning", "error"]
OPTIONS_WITH_VALUES = frozenset({"--home", "--today", "--log-file"})
"""What may stand before a command, each with a value behind it."""
OWN_WORDS = 2
"""The exit code of errors that quote what somebody typed, which may be a passphrase."""


class Hearer(Protocol):
    """Who is told."""

    def tell(self, level: Level, logger: str, event: str, fields: Mapping[str, Any]) -> None:
        """`event` happened. Nothing is raised: no command fails because nobody hears it."""

    def reopen(self) -> str:
        """Go on in the place that has the name now. Returns why that cannot be; else nothing."""

    def close(self) -> str | None:
        """There is no more. Returns what whoever ran the command is to be told, if anything."""


class _Told:
    hearer: Hearer | None = None
    about: Mapping[str, str] = {}


def hear(hearer: Hearer) -> None:
    """Have `hearer` told of all that happens from now on."""
    _Told.hearer, _Told.about = hearer, {}


def about(*, site: str | None = None, transfer: str | None = None) -> None:
    """Have all that happens from now on, to the command's end, name its site and its transfer.

    What is None is as it was before. Neither is a secret; both are names.
    """
    if _Told.hearer is not None:
        given = {"site": site, "transfer": transfer}
        _Told.about = {**_Told.about, **{name: one for name, one in given.items() if one}}


def tell(logger: str, event: str, level: Level = "info", /, **fields: Any) -> None:  # noqa: ANN401 - JSON
    """Tell that `event` happened in the part that is called `logger`.

    `fields` are JSON. No secret is among them: no passphrase, PIN, key or token, nothing of the
    environment, and no argument of a command.
    """
    if _Told.hearer is not None:
        _Told.hearer.tell(level, logger, event, {**_Told.about, **fields})


def tell_problem(problem: SealiftError) -> None:
    """Tell why a command ended otherwise than it was meant to: refused by a rule, or failed."""
    if _Told.hearer is None:
        return
    fields = {**_Told.about, "code": problem.code, "exit_code": problem.exit_code}
    if problem.exit_code != OWN_WORDS:
        fields["what"] = problem.what
    if problem.exit_code == 1:
        _Told.hearer.tell("warning", "command", "command-refused", fields)
    else:
        _Told.hearer.tell("error", "command", "command-failed", fields)


def reopen() -> str:
    """Go on in a new file, where the old one was renamed. Returns why that cannot be, if so."""
    return "" if _Told.hearer is None else _Told.hearer.reopen()


def end() -> str:
    """Tell nobody any more. Returns what whoever ran the command is to be told, if anything."""
    hearer, _Told.hearer = _Told.hearer, None
    return "" if hearer is None else hearer.close() or ""


def called(given: Sequence[str], names: Any) -> str:  # noqa: ANN401 - a group of click's
    """The command in the words `given`, such as `key rotate`: none of its arguments.

    `names` is the group of all commands.
    """
    found, words = [], iter(given)
    for word in words:
        if word in OPTIONS_WITH_VALUES:
            next(words, None)
        elif not word.startswith("-"):
            names = getattr(names, "commands", {}).get(word)
            if names is None:
                break
            found.append(word)
    return " ".join(found)
