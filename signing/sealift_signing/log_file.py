"""The log file: one JSON object a line of what happens in a command, where somebody asked for it.

It is no evidence: the audit log is. It is appended to by any number of processes at once, a line by
one write each, and nobody but its owner can read it, also where it was there before. Once it is
open, no command fails or stops because it cannot be written: what cannot be written down is not,
and whoever ran the command is told so at its end.

No secret gets into it. What tells events gives none (`events.tell`); and each text that comes here
is freed of what looks like one all the same, because some of it quotes a server or a library.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sealift_signing import disk, events
from sealift_signing.errors import FailedError
from sealift_signing.events import Level
from sealift_signing.vocabulary import moment

VARIABLE = "SEALIFT_LOG"
ROOT = "sealift"
"""Above all loggers of ours; what libraries log is theirs, and not written down."""
BEGINNING = b'{"time": "'
"""How each line begins."""
HIDDEN = "***"
LONGEST_TEXT = 1000
"""Characters of a text in a field."""
LONGEST_LOOKED_AT = 4000
"""Characters of a text that is looked through for secrets; of a longer one nothing is written."""
LONGEST_LINE = 16_384
"""Bytes; of a longer one the fields are left out."""
WRITTEN = 0.002
"""Seconds in which a line that a process writes is there whole."""
SHORTEST_SECRET = 4
"""Characters of a value in the environment that is struck out wherever it occurs."""

_SECRET_NAME = re.compile(
    r"pass(word|wd|phrase|_|$)|secret|token|credential|key$|(access|private|api)_?key|signature"
    r"|auth|dsn|cookie|connection_?string|(^|_)(pat|sas)(_|$)|(^|_)(pin|pwd)(_?value)?$",
    re.IGNORECASE,
)
_NO_SECRET = re.compile(r"^(OLD)?PWD$|_(FILE|FOLDER|DIR|PATH|SOCK)$", re.IGNORECASE)
"""Names that would be taken for such, of what only says where something is."""
_PASSWORD = re.compile(r"://[^\s/:@]*:([^\s]+)@")
"""What stands in an address whose user has a password."""
_KEYED = re.compile(
    r"""(?ix)
    ( (?: pass(?:word|wd|phrase)? | secret | token | credential | signature | cookie
        | (?:proxy-)?authorization | connection[_ -]?string
        | (?:access|account|api|private|secret|shared|storage|encryption|master)[_ -]?key
        | (?<![a-z0-9]) (?:sig|sas|pat|pwd|pin|dsn|auth) | (?<!public)(?<=[a-z0-9])[_-]key )
      (?: s | [_-]\w{1,40} | \d{1,4} )?
      (?: \\?['"] )? \s* [=:] )
    \s* ( (?: "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' )? [^\r\n]* )
    """
)
"""A secret behind its name. Where it ends nobody can tell, so it goes to the end of its line."""
_RULES = (
    (re.compile(r"-----BEGIN [^-]*-----.*?(-----END [^-]*-----|\Z)", re.DOTALL), HIDDEN),
    # Up to the last @: a password that nobody escaped may hold one, a slash, a quote or a space.
    (re.compile(r"(?<=://)[^\s/:@]*:(?!\d+(?:[/\s]|\Z))[^\r\n]*@"), f"{HIDDEN}@"),
    (re.compile(r"(?<=://)\S*@"), f"{HIDDEN}@"),
    (re.compile(r"(?<![^\s/:@'\"<>=])[^\s/:@'\"<>=]+:\S+@(?=\S)"), f"{HIDDEN}@"),
    (re.compile(r"(?i)\b(bearer|basic|digest)\s+\S+"), rf"\1 {HIDDEN}"),
    (re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{12,}"), HIDDEN),
    (re.compile(r"\b(gh[a-z]_|github_pat_|glpat-|xox[a-z]-|hf_)[A-Za-z0-9_-]{10,}"), HIDDEN),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_.-]+"), HIDDEN),
    (
        re.compile(r"(?i)(?<!\S)(--?[a-z-]*(?:pass|secret|token|pin\b)[a-z-]*)\s+[^\r\n]+"),
        rf"\1 {HIDDEN}",
    ),
    (_KEYED, rf"\1 {HIDDEN}"),
)
"""What is struck out, and what stands in its place."""


def open_log_file(
    given: str | None, environment: Mapping[str, str], program: str, command: str
) -> None:
    """Have what happens from now on written to the file that `--log-file` or the variable names.

    Nothing happens where neither does.

    Raises:
        FailedError: it cannot be opened; nothing was done yet.
    """
    named = environment.get(VARIABLE) or None if given is None else given
    if named is None:
        return
    path = Path(named)
    try:
        descriptor = _opened(path)
    except OSError as bad:
        why = bad.strerror or bad
        raise FailedError(
            "log-file-unusable",
            f"The log file {named or '(no name)'} could not be opened: {why}. Nothing was done.",
            subject=named,
            next_step=f"Name a file that you may write by --log-file or {VARIABLE}, or neither.",
        ) from bad
    events.hear(_LogFile(path, descriptor, hidden_in(environment)))
    events.tell("command", "command-started", program=program, command=command)


def _opened(path: Path) -> int:
    """A descriptor to append by. What holds anything else than a log is somebody's data.

    Raises:
        OSError: it cannot be opened, or is none to be written to.
    """
    if path == Path():
        raise OSError(errno.ENOENT, "the name is empty, or that of a folder")
    if path.is_symlink():
        raise OSError(errno.ELOOP, "it is a link; name the file that it leads to")
    descriptor = disk.open_regular(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW)
    try:
        _check_is_ours(descriptor)
        _close_to_others(descriptor)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _check_is_ours(descriptor: int) -> None:
    if os.fstat(descriptor).st_uid not in {os.geteuid(), 0}:
        raise OSError(errno.EPERM, "it is another user's")
    if not _begins_a_log(os.pread(descriptor, 2 * len(BEGINNING) + 1, 0)):
        raise OSError(errno.EINVAL, "what it holds is not a log")


def _begins_a_log(data: bytes) -> bool:
    """Whether a log begins so, also one whose first line a full disk cut short or kept out."""
    cut_off, beginning, _ = data.partition(BEGINNING)
    if beginning and cut_off and not cut_off.endswith(b"\n"):
        return False
    return BEGINNING.startswith(cut_off.removesuffix(b"\n"))


def _close_to_others(descriptor: int) -> None:
    """Let nobody but its owner read or write it: somebody may have made it open to all."""
    if not _is_open_to_others(descriptor):
        return
    if os.fstat(descriptor).st_uid == os.geteuid():
        os.fchmod(descriptor, stat.S_IRUSR | stat.S_IWUSR)
    if _is_open_to_others(descriptor):  # it is root's, or its file system knows no modes
        raise OSError(errno.EPERM, "others than its owner may read or write it")


def _is_open_to_others(descriptor: int) -> bool:
    return bool(os.fstat(descriptor).st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def hidden_in(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The values in `environment` that are secret by their names, the longest first."""
    found = {value for name, value in environment.items() if _is_secret(name)}
    for value in environment.values():
        found |= {*_PASSWORD.findall(value), *_within(value)}
    return tuple(sorted((one for one in found if len(one) >= SHORTEST_SECRET), key=len)[::-1])


def _is_secret(name: str) -> bool:
    return bool(_SECRET_NAME.search(name) and not _NO_SECRET.search(name))


def _within(value: str) -> Iterator[str]:
    """The secrets in a value of several parts, such as a connection string, each alone."""
    if len(value) <= LONGEST_LOOKED_AT:
        for part in re.split(r"[;&\s]", value):
            yield from (secret.strip("'\"") for _, secret in _KEYED.findall(part))


def cleaned(value: Any, hidden: Sequence[str] = ()) -> Any:  # noqa: ANN401 - JSON
    """`value`, each text in it without what looks like a secret, and none of it too long."""
    if isinstance(value, Mapping):
        return {
            str(cleaned(str(name), hidden)): HIDDEN
            if _is_secret(str(name))
            else cleaned(one, hidden)
            for name, one in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [cleaned(one, hidden) for one in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    text = str(value)
    if len(text) > LONGEST_LOOKED_AT:
        return f"{HIDDEN} ({len(text):,} characters)"
    for secret in hidden:
        text = text.replace(secret, HIDDEN)
    for pattern, instead in _RULES:
        text = pattern.sub(instead, text)
    # Last: half a secret is one that is no longer found.
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"


class _Line(logging.Formatter):
    """A record as one JSON object. What text holds ends no line: JSON escapes it, in ASCII."""

    def __init__(self, hidden: Sequence[str]) -> None:
        super().__init__()
        self._hidden = hidden

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        said = {
            "time": moment(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            "pid": record.process,
        }
        fields = cleaned(getattr(record, "fields", {}), self._hidden)
        line = json.dumps({**said, "fields": fields})
        return line if len(line) < LONGEST_LINE else json.dumps({**said, "fields": {}})


class _File(logging.Handler):
    """Appends each record by one write, so that the lines of several processes stay whole."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self.lost = False
        """Whether a line is missing, or is cut short."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write it down, if that can be."""
        whole = False
        with suppress(Exception):  # a full disk, say: the command goes on
            line = self._end() + f"{self.format(record)}\n".encode()
            whole = os.write(self._descriptor, line) == len(line)
        self.lost |= not whole

    def go_on_in(self, descriptor: int) -> None:
        """Write what follows by this descriptor, and let go of the one before."""
        with self.lock:  # type: ignore[union-attr]
            old, self._descriptor = self._descriptor, descriptor
        os.close(old)

    def _end(self) -> bytes:
        """What ends a line that was cut short, by whichever process: it takes no other along."""
        size = -1
        while size != (now := os.fstat(self._descriptor).st_size):
            if now == 0 or os.pread(self._descriptor, 1, now - 1) == b"\n":
                return b""
            size = now
            time.sleep(WRITTEN)  # another process may be about to write the rest
        return b"\n"

    def close(self) -> None:
        """Let go of the file."""
        with suppress(OSError):
            os.close(self._descriptor)
        super().close()


class _LogFile:
    """Hears events, and gives them to the loggers below `sealift`, which have this one file."""

    def __init__(self, path: Path, descriptor: int, hidden: Sequence[str]) -> None:
        self._path = path
        self._handler = _File(descriptor)
        self._handler.setFormatter(_Line(hidden))
        self._root = logging.getLogger(ROOT)
        self._root.setLevel(logging.INFO)
        self._root.propagate = False  # whatever a library set up for a terminal
        self._root.addHandler(self._handler)

    def tell(self, level: Level, logger: str, event: str, fields: Mapping[str, Any]) -> None:
        """Write it down."""
        number = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}[level]
        logging.getLogger(f"{ROOT}.{logger}").log(number, event, extra={"fields": fields})

    def reopen(self) -> str:
        """Go on in the file that has this name now, which is made where there is none."""
        try:
            self._handler.go_on_in(_opened(self._path))
        except OSError as bad:
            return bad.strerror or str(bad)
        return ""

    def close(self) -> str:
        """The file is let go of. Returns what is to be told of it; nothing where it is whole."""
        self._root.removeHandler(self._handler)
        self._handler.close()
        if not self._handler.lost:
            return ""
        return (
            f"The log file {self._path} is not whole: lines could not be written. See whether its "
            "disk is full; the command was not stopped by it."
        )
