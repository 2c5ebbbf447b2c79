"""What goes wrong on the way to a server, each in a sentence with what to do."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from sealift_signing.drawing import drawn, word
from sealift_signing.errors import FailedError, MalformedError, RefusedError, SealiftError
from sealift_signing.vocabulary import counted, moment

if TYPE_CHECKING:
    from sealift_registry.client.address import ServerAddress

NOT_YET, EXPIRED, OTHER_HOST, OTHER_ADDRESS = 9, 10, 62, 64
"""OpenSSL's numbers of what is wrong with a certificate."""


class CutError(Exception):
    """Nobody knows what became of what was asked: it may be asked again.

    Attributes:
        error: what is told where it is not.
    """

    def __init__(self, error: SealiftError) -> None:
        super().__init__(error.what)
        self.error = error


@contextmanager
def told(server: ServerAddress) -> Iterator[None]:
    """Have what urllib3 raises be told in our words.

    Raises:
        CutError: it may be asked again.
        FailedError: it may not.
    """
    from urllib3 import exceptions

    try:
        yield
    except exceptions.SSLError as bad:
        raise _of_tls(server, bad) from bad
    except (exceptions.NewConnectionError, exceptions.ConnectTimeoutError) as bad:
        raise CutError(_unreachable(server, bad)) from bad
    except (exceptions.HTTPError, OSError) as bad:
        raise CutError(_cut(server)) from bad


def _unreachable(server: ServerAddress, bad: Exception) -> FailedError:
    unnamed = type(bad).__name__ == "NameResolutionError"
    why = "no such name is known here" if unnamed else "nobody answers there"
    return FailedError(
        "server-unreachable",
        f"The server {server} could not be reached: {why}.",
        subject=str(server),
        next_step="See whether the address is right, whether this machine is on the network, and "
        "whether the server runs.",
    )


def _cut(server: ServerAddress) -> FailedError:
    return FailedError(
        "server-cut",
        f"The connection to {server} ended before its answer was whole.",
        subject=str(server),
        next_step="Run the command again: what was done already is not done twice.",
    )


def _of_tls(server: ServerAddress, bad: Exception) -> FailedError:
    number = next(
        (one.verify_code for one in bad.args if isinstance(one, ssl.SSLCertVerificationError)), None
    )
    if number is None:
        return FailedError(
            "server-tls",
            f"No TLS connection to {server} came about.",
            subject=str(server),
            next_step="See whether this port speaks TLS, and whether the server asks for a "
            "certificate of yours: sealift login ACCOUNT --certificate FILE --certificate-key "
            "FILE --server URL",
        )
    why, step = _CERTIFICATES.get(number, _UNKNOWN)
    return FailedError(
        "server-certificate",
        f"{server} shows a certificate that is not believed here: {why}.",
        subject=str(server),
        next_step=step,
    )


_CLOCK = "Compare the clock of this machine with another; if it is right, tell whoever runs the "
_UNKNOWN = (
    "nobody whom this machine knows vouches for it",
    (
        "If your organisation has an authority of its own, name the file of its certificate: "
        "sealift login ACCOUNT --authorities FILE --server URL. Never "
        "go on without knowing who answers."
    ),
)
_OTHER = (
    "it is for another name",
    "Name the server as its certificate does, or tell whoever runs it.",
)
_CERTIFICATES = {
    NOT_YET: ("by the clock here it is not valid yet", f"{_CLOCK}server."),
    EXPIRED: ("by the clock here it has expired", f"{_CLOCK}server."),
    OTHER_HOST: _OTHER,
    OTHER_ADDRESS: _OTHER,
}


def redirected(server: ServerAddress, location: str) -> RefusedError:
    """A server that sends its callers elsewhere."""
    where = f" to {word(location, 200)}" if location else ""
    return RefusedError(
        "server-redirects",
        f"{server} sends its callers on{where}; nothing was asked there.",
        subject=str(server),
        next_step="If that is where your hub's server is, name it yourself.",
    )


def odd(server: str, how: str) -> MalformedError:
    """An answer that a hub's server does not give."""
    return MalformedError(
        "server-answer",
        f"{server} answered {how}.",
        subject=server,
        next_step="See whether a hub's server is at this address, and whether something on the "
        "way answers in its place.",
    )


def too_large(server: ServerAddress, most: int) -> MalformedError:
    """An answer without end."""
    return MalformedError(
        "server-answer-large",
        f"{server} answered more than {counted(most, 'byte')}.",
        subject=str(server),
        next_step="No answer of a hub is so large: see whether its server is at this address.",
    )


def too_slow(server: ServerAddress) -> FailedError:
    """An answer that takes for ever."""
    return FailedError(
        "server-slow",
        f"The answer of {server} did not come to an end in time.",
        subject=str(server),
        next_step="Run the command again; if it is so again, tell whoever runs the server.",
    )


def bad_certificate_file(file: str, bad: Exception) -> FailedError:
    """A file by which TLS is to be spoken, and which is none."""
    why = getattr(bad, "strerror", None) or "it holds no such thing"
    return FailedError(
        "certificate-file",
        f"The file {word(file)} cannot be used for TLS: {drawn(str(why), 120)}.",
        subject=file,
        next_step="Give files in PEM: certificates, and the key that belongs to yours; they are "
        "named when you sign in: sealift login --help",
    )


def not_installed() -> FailedError:
    """A registry that was installed without its client."""
    return FailedError(
        "client-not-installed",
        "What asks a server is not installed.",
        subject="urllib3",
        next_step="Install it: pip install 'sealift-registry[client]'",
    )


def clocks(theirs: datetime, ours: datetime) -> str:
    """That two clocks are apart."""
    return (
        f"The server's clock says {moment(theirs)[:16]}, and the one here {moment(ours)[:16]}: one "
        "is wrong, and what is signed by a wrong clock counts nowhere. Look at another clock."
    )
