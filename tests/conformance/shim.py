"""The walk as a command, by the contract of TUF's conformance suite (its CLIENT-CLI.md).

    client --metadata-dir D init ROOT
    client --metadata-dir D --metadata-url U refresh
    client --metadata-dir D --metadata-url U --target-name P … --target-base-url T --target-dir X \
        download

It leaves with 0 or 1, and what it trusts lies in D as `<role>.json`. The environment variable
SEALIFT_STRICT says by which rules it walks: unset, by TUF's letter; `1`, by those of hub and site;
`NAME,NAME`, by the letter and these rules of the layer (to measure each by itself).

It is no client for use: a site has no network, and its own driver keeps all or nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, unquote
from urllib.request import HTTPDefaultErrorHandler, HTTPErrorProcessor, HTTPHandler, OpenerDirector

from tuf.api.exceptions import LengthOrHashMismatchError
from tuf.api.metadata import Metadata, Root, Snapshot, TargetFile, Targets, Timestamp

from sealift_signing import tuf_walk
from sealift_signing.errors import NotFoundError, SealiftError, UsageError
from sealift_signing.walk import counting, reading
from sealift_signing.walk.layer import STRICT, Rules
from sealift_signing.walk.letter import LetterWalk
from sealift_signing.walk.steps import MOST_ROOTS, Keep, Need, RoleKey, drive

KINDS: Mapping[str, Any] = {"root": Root, "timestamp": Timestamp, "snapshot": Snapshot}
ABSENT = {403, 404}
"""What a server answers of a file that it does not have (TUF specification §5.3.3)."""
MOST_ROLES = 32
"""Roles that are searched for one target (§5.6.7's bound against an endless graph)."""
SECONDS = 30
"""How long a server may stay silent."""


class Folder:
    """What is trusted, a file for each role."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def get(self, role: str) -> bytes | None:
        file = self._file(role)
        return file.read_bytes() if file.exists() else None

    def put(self, role: str, data: bytes) -> None:
        replace(self._file(role), data)

    def before(self) -> dict[RoleKey, bytes]:
        """What the walk takes as kept, by (delegator, role)."""
        kept = {unquote(file.stem): file.read_bytes() for file in self.path.glob("*.json")}
        pairs = [("root", role) for role in ("timestamp", "snapshot", "targets")]
        for role, data in kept.items():
            if role not in KINDS:
                signed: Targets = Metadata[Targets].from_bytes(data).signed
                below = (signed.delegations.roles or {}) if signed.delegations else {}
                pairs += [(role, name) for name in below]
        return {pair: kept[pair[1]] for pair in pairs if pair[1] in kept}

    def _file(self, role: str) -> Path:
        return self.path / f"{quote(role, safe='')}.json"


def replace(file: Path, data: bytes) -> None:
    """Write `file` whole or not at all."""
    beside = file.with_name(f"{file.name}.new")
    beside.write_bytes(data)
    beside.replace(file)


class Web:
    """A server's files. It follows no redirect, asks no proxy, and opens nothing but http."""

    def __init__(self) -> None:
        self._opener = OpenerDirector()
        for handler in (HTTPHandler, HTTPDefaultErrorHandler, HTTPErrorProcessor):
            self._opener.add_handler(handler())

    def get(self, url: str, limit: int) -> bytes | None:
        """At most one byte more than `limit`, so that more is seen; None where there is no file."""
        try:
            answer = self._opener.open(url, timeout=SECONDS)
        except HTTPError as error:
            with error:
                if error.code in ABSENT:
                    return None
            raise
        if answer is None:
            raise UsageError("bad-url", f"{url} is no http address.", subject=url)
        with answer:
            data: bytes = answer.read(limit + 1)
            return data


class Client:
    """One run: a walk that keeps as it goes."""

    def __init__(self, folder: Folder, url: str, rules: Rules, walk: LetterWalk) -> None:
        self._folder = folder
        self._url = url
        self._rules = rules
        self.walk = walk
        self._web = Web()
        self._walked: set[RoleKey] = set()

    def refresh(self) -> None:
        self._go("root", self.walk.top())
        self._walked.add(("root", "targets"))

    def download(self, path: str, base: str, folder: Path) -> None:
        """Fetch one target into `folder`, unless it lies there."""
        target = self._find(path)
        if target is None:
            raise NotFoundError("no-target", f"No role lists {path}.", subject=path)
        for rule in self._rules:
            rule.check_hashes(target.hashes, path)
        file = folder / quote(path, safe="")
        if file.exists() and _is(target, file.read_bytes()):
            return
        data = self._web.get(f"{base.rstrip('/')}/{self._name(target)}", target.length)
        if data is None:
            raise NotFoundError("no-target", f"{path} is not there.", subject=path)
        target.verify_length_and_hashes(data)
        replace(file, data)

    def _find(self, path: str) -> TargetFile | None:
        """The target that is listed first, in preorder, depth first (§5.6.7)."""
        waiting = [("root", "targets")]
        seen: set[str] = set()
        while waiting and len(seen) < MOST_ROLES:
            delegator, name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            signed = self._role(delegator, name)
            if path in signed.targets:
                return signed.targets[path]
            below = []
            for child, terminating in _delegated(signed, path):
                below.append((name, child))
                if terminating:
                    waiting.clear()
                    break
            waiting += reversed(below)
        return None

    def _role(self, delegator: str, name: str) -> Targets:
        if (delegator, name) not in self._walked:
            self._go(delegator, self.walk.delegated(delegator, name))
            self._walked.add((delegator, name))
        return self.walk.role(delegator, name)

    def _go(self, delegator: str, steps: tuf_walk.Steps) -> None:
        drive(steps, partial(self._fetch, delegator), self._keep)

    def _fetch(self, delegator: str, need: Need) -> bytes | None:
        """What is kept of that version and still vouched for; else what the server has."""
        if need.version is not None and need.role != "root":
            kind = KINDS.get(need.role, Targets)
            kept = self.walk._earlier(delegator, need.role, kind)
            if kept is not None and kept.metadata.signed.version == need.version:
                return kept.data
        numbered = need.role == "root" or self.walk.root.consistent_snapshot
        prefix = f"{need.version}." if need.version is not None and numbered else ""
        name = f"{prefix}{quote(need.role, safe='')}.json"
        return self._web.get(f"{self._url.rstrip('/')}/{name}", need.limit)

    def _keep(self, step: Keep) -> None:
        self._folder.put(step.role, step.data)
        tell(f"{step.role} is at version {step.version}.")

    def _name(self, target: TargetFile) -> str:
        """Where the server has it (§6.2): named by a hash, where snapshots are consistent."""
        folder, slash, name = target.path.rpartition("/")
        if self.walk.root.consistent_snapshot:
            digest = target.hashes.get("sha256") or next(iter(target.hashes.values()))
            name = f"{digest}.{name}"
        return quote(f"{folder}{slash}{name}")


def _delegated(signed: Targets, path: str) -> list[tuple[str, bool]]:
    found = signed.delegations
    return list(found.get_roles_for_target(path)) if found else []


def _is(target: TargetFile, data: bytes) -> bool:
    try:
        target.verify_length_and_hashes(data)
    except LengthOrHashMismatchError:
        return False
    return True


def begin(folder: Folder, url: str, strict: str, now: datetime) -> Client:
    """A client that walks by the rules that `strict` names, from the root in `folder`.

    Raises:
        SealiftError: there is no such rule; no root, or one that did not sign itself.
    """
    rules = rules_of(strict)
    root = folder.get("root")
    if root is None:
        raise NotFoundError("no-root", f"No root is trusted in {folder.path}.", subject="root")
    before = folder.before()
    if strict == "1":
        walk: LetterWalk = tuf_walk.Walk(root, before, now)
    else:
        walk = LetterWalk(root, before, now, rules=rules, most_roots=MOST_ROOTS)
    found = reading.read(root, "root", Root, rules)
    counting.check_signed(walk.root, "root", found.metadata, rules, payload=found.payload)
    return Client(folder, url, rules, walk)


def rules_of(strict: str) -> Rules:
    """The rules that SEALIFT_STRICT names.

    Raises:
        UsageError: one that the layer does not have.
    """
    if not strict:
        return ()
    if strict == "1":
        return STRICT
    names = strict.split(",")
    unknown = set(names) - {rule.name for rule in STRICT}
    if unknown:
        raise UsageError(
            "no-such-rule",
            f"The layer has no rule {', '.join(sorted(unknown))}.",
            next_step=f"Name of these: {', '.join(rule.name for rule in STRICT)}.",
        )
    return tuple(rule for rule in STRICT if rule.name in names)


def main(arguments: list[str]) -> int:
    """Run one command; 0 if it succeeded, 1 if not."""
    said = _parsed(arguments)
    folder = Folder(said.metadata_dir)
    try:
        if said.command == "init":
            folder.put("root", said.root.read_bytes())
            return 0
        strict = os.environ.get("SEALIFT_STRICT", "")
        client = begin(folder, said.metadata_url, strict, datetime.now(UTC))
        client.refresh()
        for name in said.target_name if said.command == "download" else ():
            client.download(name, said.target_base_url, said.target_dir)
    except SealiftError as error:
        tell(f"{error.code}: {error}")
        return 1
    except (OSError, LookupError, ValueError, LengthOrHashMismatchError) as error:
        tell(f"failed: {error!r}")
        return 1
    return 0


def _parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="client")
    parser.add_argument("--metadata-dir", type=Path, required=True)
    parser.add_argument("--metadata-url", default="")
    parser.add_argument("--target-name", action="append", default=[])
    parser.add_argument("--target-base-url", default="")
    parser.add_argument("--target-dir", type=Path)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("init").add_argument("root", type=Path)
    commands.add_parser("refresh")
    commands.add_parser("download")
    return parser.parse_args(arguments)


def tell(text: str) -> None:
    """What whoever reads the suite's report wants to know."""
    sys.stderr.write(f"{text}\n")
