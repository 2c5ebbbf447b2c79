"""The log file: one JSON object a line of what happens in a command, where somebody asked for it.

It is no evidence: the audit log is. It is appended to by any number of processes at once, a line by
one write each, and nobody but its owner can read it. Once it is open, no command fails or stops
because it cannot be written: what cannot be written down is not.

No secret gets into it. What tells events gives none (`events.tell`); and each text that comes here
is freed of what looks like one all the same, because some of it quotes a server or a library.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import re
from collections.abc import Mapping, Sequence
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
SHORTEST_SECRET = 4
"""Characters of a value in the environment that is struck out wherever it occurs."""

_SECRET_NAME = re.compile(
    r"pass(word|wd|phrase|_|$)|secret|token|credential|(access|private|api)_?key|signature|auth|dsn"
    r"|(^|_)(pin|pwd)(_?value)?$",
    re.IGNORECASE,
)
_NO_SECRET = re.compile(r"^(OLD)?PWD$|_(FILE|FOLDER|DIR|PATH|SOCK)$", re.IGNORECASE)
"""Names that would be taken for such, of what only says where something is."""
_PASSWORD = re.compile(r"://[^\s/:@]*:([^\s]+)@")
"""What stands in an address whose user has a password."""
_RULES = (
    (re.compile(r"-----BEGIN [^-]*-----.*?(-----END [^-]*-----|\Z)", re.DOTALL), HIDDEN),
    # Up to the last @ of the address: a password that nobody escaped may hold one, or a slash.
    (re.compile(r"(?<=://)[^\s'\"<>]*@"), f"{HIDDEN}@"),
    (re.compile(r"[^\s/:@'\"<>=]+:[^\s@'\"<>]+@(?=\S)"), f"{HIDDEN}@"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9+/=_.~-]+"), rf"\1 {HIDDEN}"),
    (re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{12,}"), HIDDEN),
    (
        re.compile(
            r"(?i)((?:pass(?:word|wd|phrase)?|secret|token|credential|signature|\bsig|"
            r"(?:access|api|private)[_-]?key|pin(?:-value)?|pwd))(['\"]?\s*[=:]\s*)"
            r"(\"[^\"]*\"|'[^']*'|[^\s&;,'\"]+)"
        ),
        rf"\1\2{HIDDEN}",
    ),
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
    named = given or environment.get(VARIABLE)
    if not named:
        return
    path = Path(named)
    try:
        descriptor = _opened(path)
    except OSError as bad:
        raise FailedError(
            "log-file-unusable",
            f"The log file {path} could not be opened: {bad.strerror or bad}. Nothing was done.",
            subject=str(path),
            next_step=f"Name a file that you may write by --log-file or {VARIABLE}, or neither.",
        ) from bad
    events.hear(_LogFile(descriptor, hidden_in(environment)))
    events.tell("command", "command-started", program=program, command=command)


def _opened(path: Path) -> int:
    """A descriptor to append by. What holds anything else than a log is somebody's data.

    Raises:
        OSError: it cannot be opened, or is none to be written to.
    """
    descriptor = disk.open_regular(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
    try:
        _check_is_ours(descriptor)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _check_is_ours(descriptor: int) -> None:
    if os.fstat(descriptor).st_uid not in {os.geteuid(), 0}:
        raise OSError(errno.EPERM, "it is another user's")
    if os.pread(descriptor, len(BEGINNING), 0) not in {b"", BEGINNING}:
        raise OSError(errno.EINVAL, "it holds something else than a log")


def hidden_in(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The values in `environment` that are secret by their names, the longest first."""
    found = {
        value
        for name, value in environment.items()
        if _SECRET_NAME.search(name) and not _NO_SECRET.search(name)
    }
    found |= {one for value in environment.values() for one in _PASSWORD.findall(value)}
    return tuple(sorted((one for one in found if len(one) >= SHORTEST_SECRET), key=len)[::-1])


def cleaned(value: Any, hidden: Sequence[str] = ()) -> Any:  # noqa: ANN401 - JSON
    """`value`, each text in it without what looks like a secret, and none of it too long."""
    if isinstance(value, Mapping):
        return {str(name): cleaned(one, hidden) for name, one in value.items()}
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
        self._cut = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write it down, if that can be."""
        with suppress(Exception):  # a full disk, say: the command goes on
            line = f"{self.format(record)}\n".encode()
            # What a full disk cut short before must not take this line with it.
            line = b"\n" + line if self._cut else line
            self._cut = True
            self._cut = os.write(self._descriptor, line) < len(line)

    def close(self) -> None:
        """Let go of the file."""
        with suppress(OSError):
            os.close(self._descriptor)
        super().close()


class _LogFile:
    """Hears events, and gives them to the loggers below `sealift`, which have this one file."""

    def __init__(self, descriptor: int, hidden: Sequence[str]) -> None:
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

    def close(self) -> None:
        """The file is let go of."""
        self._root.removeHandler(self._handler)
        self._handler.close()
