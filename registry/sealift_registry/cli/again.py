"""Commands that are printed carry what their reader has to give again: one place adds it.

Whoever names a store, a database or a home on the command line has it named nowhere else: a next
command without those options is about another one, or ends. A layer that prints `sealift blobs
check` knows of no command line, so the options are added where the sentence comes by. The home is
added to them whichever command printed them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click
from click.core import ParameterSource

from sealift_signing.drawing import pasted

if TYPE_CHECKING:
    from sealift_signing.errors import SealiftError

PRINTED = re.compile(
    r"\bsealift (?P<group>blobs|db|audit(?= fsck\b)) (?P<name>[a-z]+)"
    r"(?P<given>( --[a-z-]+( URL| postgresql://(?P<user>[^ @]+)@HOST/DATABASE)?)*)"
)
"""A command of these groups, with the options that the sentence names already.

Where it is to be given by another user than it was, that user stands in the address.
"""
SAYS_IT = frozenset({"blobs", "db", "migrate", "init"})
"""The commands and groups that are told where something is; all others are told of a home alone."""
STORES = ("blobs", "to_blobs", "from_blobs")
DATABASES = ("as", "database", "to_database")
ROLES = ("owner", "migrator", "application")
MIGRATOR = "sealift_migrator"
"""As `sealift db init` calls that role, unless it was told otherwise."""
_WORKER = re.compile(r"\bsealift worker --queue [\w.-]+(?! --home)(?![\w.-])")
_SECRET = re.compile(r"(?<=://)([^:/@?]*):[^?]*(?=@)|(?<=password=)[^&]*")
"""A password in an address, behind the user whom it is of or behind the `?`.

No command takes one (`postgres_address.of_argument`). What repeats an option does not count on
that.
"""


def again(text: str, subject: str = "") -> str:
    """`text`, with each command that it prints carrying the options that were given.

    Args:
        text: a sentence, or several.
        subject: what it is about; a store that is not the one which was named is left alone.
    """
    given = _given()
    if not given:
        return text

    def whole(found: re.Match[str]) -> str:
        named = re.findall(r" (--[a-z-]+)( [^- ]\S*)?", found["given"])
        if ("--help", "") in named:
            return found[0]
        added = dict(_of(found["group"], found["name"], given, subject))
        if found["user"] and "--as" in added:
            added["--as"] = _as(found["user"], added["--as"])
        kept = [f" {one}{value}" for one, value in named if one not in added]
        words = [f" {name} {pasted([value])}" for name, value in added.items()]
        return "".join((" ".join(("sealift", found["group"], found["name"])), *kept, *words))

    return PRINTED.sub(whole, text)


def told_again(error: SealiftError) -> None:
    """Have the next step of an error carry the options that were given."""
    if error.next_step:
        error.next_step = again(error.next_step, error.subject or "")


def at_home() -> str:
    """The option that names the home, where it was given: for a command of another group."""
    home = _given().get("home")
    return "" if home is None else f" --home {pasted([home])}"


def worker_here(text: str) -> str:
    """`text`, with a worker that it has started naming the home, where it was given."""
    return _WORKER.sub(lambda found: f"{found[0]}{at_home()}", text)


def _given() -> dict[str, str]:
    """What stands on the command line and says where something is."""
    context = click.get_current_context(silent=True)
    if context is None:
        return {}
    path = context.command_path.split()[1:2]
    says_it = bool({*path} & SAYS_IT)
    found = {}
    for one in (context.find_root(), context):
        for parameter in one.command.params:
            name = parameter.name or ""
            if not says_it and name != "home":
                continue
            value = one.params.get(name)
            source = one.get_parameter_source(name)
            if source is ParameterSource.COMMANDLINE and isinstance(value, str):
                option = max(parameter.opts, key=len).removeprefix("--").replace("-", "_")
                found[option] = _SECRET.sub(r"\1", value)
    return found


def _of(group: str, name: str, given: dict[str, str], subject: str) -> Iterator[tuple[str, str]]:
    """The options that this command has, and which were given, in whatever name."""
    context = click.get_current_context()
    there = context.find_root().command
    for word in (group, name):
        found = there.get_command(context, word) if isinstance(there, click.Group) else None
        if found is None:
            return
        there = found
    options = {one for parameter in there.params for one in parameter.opts}
    if group == "blobs" and "--blobs" in options:
        yield from _store(given, subject)
    if group == "db":
        if "--as" in options and name != "init" and (url := _database(name, given)):
            yield "--as", url
        yield from (
            (f"--{one}", given[one]) for one in ROLES if one in given and f"--{one}" in options
        )
    if "home" in given:
        yield "--home", given["home"]


def _store(given: dict[str, str], subject: str) -> Iterator[tuple[str, str]]:
    url = next((given[one] for one in STORES if one in given), "")
    if not url.startswith("s3://") or (subject.startswith("s3://") and not _is_at(subject, url)):
        return
    yield "--blobs", url
    for one in ("blobs_endpoint", "blobs_region"):
        if one in given:
            yield f"--{one.replace('_', '-')}", given[one]


def _is_at(subject: str, url: str) -> bool:
    from sealift_registry.storage.s3_address import place_named
    from sealift_signing.errors import UsageError

    try:
        return place_named(subject).url == url.removesuffix("/")
    except UsageError:
        return False


def _database(name: str, given: dict[str, str]) -> str:
    """The address to give this command: the same, but for the one that is the migrator's."""
    url = next((given[one] for one in DATABASES if one in given), "")
    if not url or name != "upgrade" or click.get_current_context().info_name == "upgrade":
        return url if "://" in url else ""
    return _as(given.get("migrator", MIGRATOR), url)


def _as(user: str, url: str) -> str:
    """The same address for another user."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    at = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{user}@{at}").geturl()
