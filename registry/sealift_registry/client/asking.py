"""Asking a server over HTTP: with limits on all that it can make a desk wait for, or take.

A redirect is never followed: it would take what is asked, and who asks, to somebody else. What was
cut is asked again, a write by the same key, so that its effect is one. The time that the server's
answers bear is compared with the clock here, for signatures bear it.
"""

from __future__ import annotations

import re
import secrets
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from sealift_registry.client import faults
from sealift_registry.client.address import ServerAddress
from sealift_registry.client.answers import JSON, Answer
from sealift_signing.approvals import LARGEST_LEAD
from sealift_signing.errors import SealiftError

if TYPE_CHECKING:
    from sealift_registry.client.connections import Connections

CONNECT, READ = 10.0, 60.0
"""Seconds until a connection stands, and for each piece of an answer."""
LONGEST = 900.0
"""Seconds for one answer, all in all: a request has its versions compared before it is drafted."""
LARGEST = 96 << 20
"""Bytes of an answer: a draft of the largest kind, in base64."""
PIECE = 1 << 16
PAUSES = (0.2, 1.0)
"""Seconds before it is asked again; after the last of them, no more."""
LONGEST_PAUSE = 10.0
"""Seconds that a server may ask to be given, before that is left to the person."""
REDIRECTS = range(300, 400)
LATER = frozenset({429, 503})
TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e]{0,200}"')
"""By which a state is named (RFC 9110, section 8.8.3): it is sent back in a header."""

Query = list[tuple[str, str]]


@dataclass(frozen=True)
class Tls:
    """By what a server is believed to be itself, and this desk to be this desk.

    Attributes:
        authorities: a file of certificates, beside none of the system's; empty: the system's.
        certificate: a file of this desk's own, where the server asks for one.
        key: of that certificate.
    """

    authorities: str = ""
    certificate: str = ""
    key: str = ""

    def context(self) -> ssl.SSLContext:
        """For Python's TLS.

        Raises:
            UsageError: a file cannot be read, or is none.
        """
        try:
            made = ssl.create_default_context(cafile=self.authorities or None)
            if self.certificate:
                made.load_cert_chain(self.certificate, self.key or None)
        except (OSError, ssl.SSLError) as bad:
            named = self.certificate if self.certificate and _is_own(bad) else self.authorities
            raise faults.bad_certificate_file(named or self.certificate, bad) from bad
        return made


def _is_own(bad: Exception) -> bool:
    return isinstance(bad, ssl.SSLError) or "cafile" not in str(bad)


@dataclass(frozen=True)
class Sent:
    """What is sent along with what is asked."""

    body: bytes = b""
    kind: str = JSON
    once: str = ""
    match: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class Asking:
    """One server that is asked; it tells where its clock and the one here differ."""

    def __init__(
        self,
        address: ServerAddress,
        tls: Tls,
        secret: str = "",
        told: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.address = address
        self._connections = _connections(address, tls)
        self._secret = secret
        self._told = told
        self._has_told = False

    def read(self, path: str, kind: str = JSON, query: Query | None = None) -> Answer:
        """What there is at `path`, as `kind`.

        Raises:
            SealiftError: the server's problem; or it cannot be reached, or answers what it is not.
        """
        asked = f"{path}?{urlencode(query)}" if query else path
        return self._answered("GET", asked, kind, None)

    def write(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        kind: str = JSON,
        match: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Have the server do something, once: asked again, it answers what it did.

        `match` is the tag of the state that is to be changed, where that is asked for; `headers`
        are those that this alone has.

        Raises:
            SealiftError: as `read`.
        """
        sent = Sent(body, kind, secrets.token_hex(16), match, headers or {})
        return self._answered(method, path, JSON, sent)

    def close(self) -> None:
        """Let go of the connections."""
        self._connections.pool.clear()

    # ------------------------------------------------------------------ one after the other

    def _answered(self, method: str, path: str, kind: str, sent: Sent | None) -> Answer:
        until = time.monotonic() + LONGEST
        for wait in PAUSES:
            try:
                answer, pause = self._once(method, path, kind, sent, until)
            except faults.CutError:
                time.sleep(wait)
                continue
            if pause is None or pause > LONGEST_PAUSE:
                answer.check()
                return answer
            time.sleep(pause)
        try:
            answer, _ = self._once(method, path, kind, sent, until)
        except faults.CutError as cut:
            raise cut.error from cut
        answer.check()
        return answer

    def _once(
        self, method: str, path: str, kind: str, sent: Sent | None, until: float
    ) -> tuple[Answer, float | None]:
        """An answer, and after how many seconds it may be asked again, where it said so."""
        headers = {"accept": f"{kind}, application/problem+json", "accept-encoding": "identity"}
        if self._secret:
            headers["authorization"] = f"Bearer {self._secret}"
        if sent is not None:
            headers |= {"content-type": sent.kind, "idempotency-key": sent.once}
            headers |= {"if-match": sent.match} if sent.match else {}
            headers |= sent.headers
        try:
            with faults.told(self.address):
                response, body = self._exchanged(method, path, headers, sent, until)
        except (faults.CutError, SealiftError) as bad:
            if time.monotonic() < until:
                raise
            raise faults.too_slow(self.address) from bad
        self._compare_clocks(response.headers.get("date"))
        media_type = (response.headers.get("content-type") or "").partition(";")[0].strip().lower()
        tag = response.headers.get("etag") or ""
        if tag and not TAG.fullmatch(tag):
            raise faults.odd(str(self.address), "a tag that is none")
        answer = Answer(response.status, media_type, body, str(self.address), tag)
        return answer, _pause(response.status, response.headers)

    def _exchanged(
        self, method: str, path: str, headers: Mapping[str, str], sent: Sent | None, until: float
    ) -> tuple[Any, bytes]:
        """An answer and its body; of urllib3's errors, and of ours."""
        with self._connections.ends_within(until - time.monotonic()):
            response: Any = self._connections.pool.request(
                method,
                f"{self.address}{path}",
                body=None if sent is None else sent.body,
                headers=headers,
                redirect=False,
                retries=False,
                preload_content=False,
            )
            try:
                self._check_head(response)
                body = b"".join(self._pieces(response, until))
            except BaseException:
                response.close()
                raise
            response.release_conn()
            return response, body

    def _check_head(self, response: Any) -> None:  # noqa: ANN401 - urllib3's own
        if response.status in REDIRECTS:
            raise faults.redirected(self.address, response.headers.get("location") or "")
        if (response.headers.get("content-encoding") or "identity") != "identity":
            raise faults.odd(str(self.address), "in an encoding that was not asked for")
        framed = "content-length" in response.headers or "transfer-encoding" in response.headers
        if not framed and response.status not in {204, 304}:
            raise faults.odd(str(self.address), "without saying where its answer ends")

    def _pieces(self, response: Any, until: float) -> Iterator[bytes]:  # noqa: ANN401 - as above
        taken = 0
        for piece in response.stream(PIECE, decode_content=False):
            taken += len(piece)
            if taken > LARGEST:
                raise faults.too_large(self.address, LARGEST)
            if time.monotonic() > until:
                raise faults.too_slow(self.address)
            yield piece

    def _compare_clocks(self, date: str | None) -> None:
        """Tell where the server's clock and the one here are so far apart that signing suffers."""
        if date is None or self._has_told:
            return
        try:
            theirs = parsedate_to_datetime(date)
            theirs = (theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, TypeError, OverflowError):  # what is no date, or of no year that is one
            return
        if abs(theirs - datetime.now(UTC)) > LARGEST_LEAD:
            self._has_told = True
            self._told(faults.clocks(theirs, datetime.now(UTC)))


def _connections(address: ServerAddress, tls: Tls) -> Connections:
    try:
        import urllib3

        from sealift_registry.client.connections import Connections
    except ImportError as bad:
        raise faults.not_installed() from bad
    return Connections(
        num_pools=1,
        timeout=urllib3.Timeout(connect=CONNECT, read=READ),
        ssl_context=tls.context() if address.is_encrypted else None,
    )


def _pause(status: int, headers: Mapping[str, str]) -> float | None:
    said = headers.get("retry-after", "")
    known = status in LATER and said.isascii() and said.isdigit() and len(said) < 6  # noqa: PLR2004
    return float(said) if known else None
