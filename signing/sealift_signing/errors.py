"""Every error a user can meet: what happened, to which thing, and what to do next.

One root serves the three distributions, so that a command line prints any of them the same way.
The five kinds are the five exit codes; the `code` is stable and documented in
docs/reference/errors.md.
"""

from __future__ import annotations

import re
from typing import ClassVar

from sealift_signing.drawing import LONGEST_PATH, QUOTES, drawn, plain, word

LONGEST_TOLD = 8192
"""Characters of a sentence; it may name two paths, and no list or stranger's string goes on for
pages."""

LONGEST_SUBJECT = LONGEST_PATH
"""Characters; a path on this machine is no longer, and a stranger's string is cut."""
_OURS = re.compile(r"(?:an?|the|The|this|statement)(?: [A-Za-z0-9'-]+){1,7}")
"""What we call things in words of our own, such as `this site's request`; anybody's words are not
taken for it, unless they begin like it and hold nothing but letters and digits."""
_PLACE = re.compile(r"[A-Za-z0-9_./-]+(?:\[[0-9]+\][A-Za-z0-9_./-]*)+")
"""Where in a document something stands: one word, and no sentence."""
_QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|“[^“”]*”""")
"""What stands between marks already; a mark at the beginning alone is no more than a letter."""
_BETWEEN = re.compile("(“[^“”]*”)")


class SealiftError(Exception):
    """What happened (`what`), to which thing (`subject`), and the next step (`next_step`).

    Args:
        code: stable, lower case, words joined by hyphens: `blob-damaged`.
        what: one sentence, without the final full stop where it reads better so.
        subject: the path, role, person or id that the sentence is about; may be empty.
        next_step: one sentence that tells the reader what to do now; empty where nothing better
            can be said than what `otherwise` says of every error of this kind.
    """

    exit_code: ClassVar[int] = 1
    otherwise: ClassVar[str] = ""

    def __init__(self, code: str, what: str, *, subject: str = "", next_step: str = "") -> None:
        super().__init__(what)
        self.code = code
        self.what = _bounded(_marked(what, subject))
        self.subject = plain(subject[:LONGEST_SUBJECT]) + "…" * (len(subject) > LONGEST_SUBJECT)
        self.next_step = _bounded(next_step)

    @property
    def advice(self) -> str:
        """What the reader is told to do now: the next step, or what is right for its kind."""
        return self.next_step or self.otherwise

    def __str__(self) -> str:
        """The sentence and the next step, as a person reads them."""
        return f"{self.what} {self.advice}".strip()

    def as_json(self) -> dict[str, dict[str, str]]:
        """The object that goes to standard error under `--json` (docs/reference/exit-codes.md)."""
        told = {"code": self.code, "what": self.what, "subject": self.subject}
        return {"error": told | {"next": self.advice}}


def _marked(what: str, subject: str) -> str:
    """`what` with its subject between marks, where that is a name or a path which is no one word.

    Whoever writes a medium names what lies on it, and whoever sends a file names that.
    """
    if not subject or subject not in what or word(subject[:LONGEST_SUBJECT]) == subject:
        return what
    if any(one.fullmatch(subject) for one in (_OURS, _PLACE, _QUOTED)):
        return what
    said = drawn(subject, LONGEST_SUBJECT)
    if said in what or repr(subject) in what:
        return what
    if QUOTES & set(subject):
        return what.replace(subject, said)
    parts = _BETWEEN.split(what)  # every other one is what stands between marks
    parts[::2] = [one.replace(subject, said) for one in parts[::2]]
    return "".join(parts)


def _bounded(text: str) -> str:
    """`text` on one line, and cut where it is too long, which it then says."""
    told = plain(text[: LONGEST_TOLD + 1])  # which is no shorter than what it is made of
    if len(told) <= LONGEST_TOLD:
        return told
    kept = told[:LONGEST_TOLD]
    closing = "”" if kept.rfind("“") > kept.rfind("”") else ""
    return f"{kept}…{closing} (cut: it is longer than {LONGEST_TOLD:,} characters)"


def shown(value: object, most: int = 60) -> str:
    """A stranger's value as an error may quote it: printable, and no longer than a line.

    What comes from a medium may be a megabyte long, or hold what rewrites a terminal.
    """
    text = repr(value[: most + 1]) if isinstance(value, str | bytes) else repr(value)
    return text if len(text) <= most else text[: most - 1] + "…"


class RefusedError(SealiftError):
    """A rule said no. Exit code 1."""


class UsageError(SealiftError):
    """The command was not understood. Exit code 2."""

    exit_code = 2


class NotFoundError(SealiftError):
    """The thing is not there, or not in the state the command needs. Exit code 3."""

    exit_code = 3


class FailedError(SealiftError):
    """Something could not be read, written or logged. Exit code 4."""

    exit_code = 4


class MalformedError(RefusedError):
    """Bytes that are not the document they claim to be."""

    otherwise = "Have whoever made it write it again: what is damaged or malformed is not read."


class BadSignatureError(RefusedError):
    """A signature was there and is wrong: somebody changed the bytes, or signed others."""

    otherwise = "Do not use it; ask the sender for a fresh copy."


class NotSignedEnoughError(RefusedError):
    """Every signature that counts is right, and there are too few of them."""

    otherwise = "Have more of its holders sign it."


class NoKeyError(RefusedError):
    """There is no trusted key to check with: nothing can be said about the signature."""

    otherwise = "Ask who signed it, and have that key entitled first."
