"""Asking an S3 server: with time limits, and again while it is busy; how it behaves is found out.

botocore asks a few times by itself, within seconds. A server that is restarted, or that is asked by
too many, is busy for longer: so calls are tried again here until `Patience` is at its end, which
all calls to one server share while it answers none of them. No credentials are named anywhere: they
are what boto3's own chain finds.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sealift_registry.storage import s3_answers, s3_credentials, s3_faults
from sealift_registry.storage.s3_address import S3Address, bad_endpoint
from sealift_signing.errors import FailedError

HANDS = 4
"""Parts of one object that are under way at once."""
ASKED = 16
"""Small questions that are under way at once."""


def session_of_boto3() -> Any:  # noqa: ANN401 - botocore makes its classes while it runs
    """boto3's session, with its own chain of credentials.

    A command keeps boto3 from being loaded along the way (`sealift_signing.command_start`), by an
    empty place among the modules: here it is wanted.

    Raises:
        FailedError: it is not installed.
    """
    if sys.modules.get("boto3", sys) is None:
        del sys.modules["boto3"]
    try:
        from boto3.session import Session
    except ModuleNotFoundError as bad:
        raise FailedError(
            "no-s3-client",
            "Blobs on an S3 server need the package boto3, which is not installed here.",
            subject="boto3",
            next_step="Install it: pip install 'sealift-registry[s3]'.",
        ) from bad

    return Session()


@dataclass(frozen=True)
class Patience:
    """How long a server may be busy.

    Attributes:
        seconds: how long calls are tried again; of a server that answers nobody, all of them
            together.
        first: the seconds before the second attempt; each further wait is up to twice as long.
        longest: the most seconds between two attempts.
        unanswered: how long calls are tried again of a server that this process never reached.
        attempts: those of botocore's own, for each of ours.
        connect, read: seconds without a word after which a connection is given up.
        clock, sleep: the machine's; tests have their own.
    """

    seconds: float = 90.0
    first: float = 0.2
    longest: float = 8.0
    unanswered: float = 5.0
    attempts: int = 3
    connect: float = 10.0
    read: float = s3_faults.SILENCE
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def waiting(self) -> Waiting:
        """One call's share of it."""
        return Waiting(self)

    @property
    def one_attempt(self) -> float:
        """The most seconds that one of our attempts takes."""
        return (self.connect + self.read) * self.attempts


class Waiting:
    """How long one call has waited already."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._begun = patience.clock()
        self._ends = self._begun + patience.seconds
        self._next = patience.first

    def waited(self) -> float:
        """Seconds since the call began."""
        return self._patience.clock() - self._begun

    def goes_on(self) -> bool:
        """Wait a while; False where there is no patience left.

        Not all who wait come back at the same moment: a server that was overrun is not again.
        """
        if self._patience.clock() >= self._ends:
            return False
        self._patience.sleep(self._next * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
        self._next = min(self._next * 2, self._patience.longest)
        return True

    def anew(self) -> None:
        """Something came: patience begins anew."""
        self._ends = self._patience.clock() + self._patience.seconds
        self._next = self._patience.first


class Outage:
    """Since when a server has answered nobody; safe for several threads.

    Hundreds of calls that each wait by themselves would wait for hours.
    """

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._lock = threading.Lock()
        self._since = self._last = float("-inf")
        self.answered = False
        """Whether the server ever did."""

    def goes_on(self, most: float) -> bool:
        """Take note that a call failed; False where the server had its time: `most` seconds.

        What failed long before is forgotten: nobody asked meanwhile.
        """
        now, patience = self._patience.clock(), self._patience
        with self._lock:
            if now - self._last > patience.seconds + patience.one_attempt:
                self._since = now
            self._last = now
            return now - self._since < most

    def ended(self) -> None:
        """Take note that the server answered."""
        with self._lock:
            self._last = float("-inf")
            self.answered = True


class Calls:
    """Calls to one server; safe for several threads."""

    def __init__(self, address: S3Address, patience: Patience) -> None:
        self.address = address
        self.patience = patience
        self.certificates: str | None = None
        """The file of authorities that are trusted, once there is a client; None: the usual."""
        self._credentials: Any = None
        self._outage = Outage(patience)
        self._one_at_a_time = threading.Lock()
        self._seen = threading.local()  # the body that botocore is at, to be closed where it fails

    @cached_property
    def client(self) -> Any:  # noqa: ANN401 - botocore makes its classes while it runs
        """boto3's client.

        Checksums are those that we name, and no others: since 1.36 botocore adds CRC32 to whatever
        is sent, as a trailer that some servers refuse.
        """
        with self._one_at_a_time, self.told():
            if "client" in self.__dict__:  # another thread was quicker
                return self.__dict__["client"]
            patience, address = self.patience, self.address
            with s3_credentials.told(address.where):
                session = session_of_boto3()
            from botocore.config import Config

            region = s3_credentials.region(session, address)
            self.certificates = s3_credentials.certificates(session, address)
            self._credentials = s3_credentials.find(session, address.where)
            made = self._made(
                session,
                region_name=region or ("us-east-1" if address.endpoint else None),
                config=Config(
                    connect_timeout=patience.connect,
                    read_timeout=patience.read,
                    retries={"mode": "standard", "total_max_attempts": patience.attempts},
                    max_pool_connections=ASKED + HANDS,
                    request_checksum_calculation="when_required",
                    response_checksum_validation="when_required",
                    signature_version="s3v4",
                    s3={"addressing_style": "path" if address.endpoint else "auto"},
                    tcp_keepalive=True,
                ),
            )
            made.meta.events.register("before-parse.s3", self._look)
            if address.endpoint:
                made.meta.events.register("before-call.s3", _stay_here)
            self.__dict__["client"] = made  # before another thread may look
            return made

    def _made(self, session: Any, **given: Any) -> Any:  # noqa: ANN401 - boto3's, botocore's
        endpoint, where = self.address.endpoint, self.address.where
        with s3_credentials.told(where):
            try:
                made = session.client("s3", endpoint_url=endpoint or None, **given)
            except ValueError as bad:
                if "endpoint" not in str(bad) and "URL" not in str(bad):
                    raise
                raise (bad_endpoint() if endpoint else s3_credentials.bad_endpoint()) from bad
        s3_credentials.check_endpoint(made.meta.endpoint_url)
        return made

    def keys(self) -> Any:  # noqa: ANN401 - botocore's
        """The keys of now, with which a call is signed; None where a client has its own.

        They are renewed here, and not while a call is signed, where what fails would be the call's.

        Raises:
            FailedError: they are none, or cannot be renewed.
        """
        _ = self.client
        if self._credentials is None:
            return None
        return s3_credentials.keys(self._credentials, self.address.where)

    def ask(
        self,
        operation: str,
        passes: Callable[[BaseException], bool] = s3_faults.passes,
        /,
        **given: Any,  # noqa: ANN401 - botocore's own
    ) -> dict[str, Any]:
        """Call `operation` on the bucket, again while the server is busy: while an error `passes`.

        Raises:
            Exception: botocore's own, where to ask again makes no sense; `told` says it.
            FailedError: nothing came back, or what is no answer (`s3_answers`).
        """
        waiting, where = self.patience.waiting(), self.address.where
        while True:
            try:
                answer = self._once(operation, given)
            except s3_answers.UNREADABLE as bad:
                self._outage.ended()
                _close(getattr(self._seen, "body", None))
                raise s3_answers.unread(bad, where) from bad
            except Exception as bad:
                if not passes(bad):
                    if s3_faults.status_of(bad):
                        self._outage.ended()
                    raise
                if not self._asks_again(bad, waiting):
                    if isinstance(bad, OSError):  # else it would be taken for one of a disk
                        raise s3_faults.said(bad, where, self.patience.read) from bad
                    raise
                continue
            self._outage.ended()
            if s3_faults.is_html(answer) and not _is_ours(operation, answer):
                raise s3_faults.said(_PageError(answer), where)
            try:
                s3_answers.check(operation, answer, where)
            except FailedError:
                _close(answer.get("Body"))
                raise
            return answer

    def _once(self, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        bucket, client = self.address.bucket, self.client
        self.keys()
        try:
            answer: dict[str, Any] = getattr(client, operation)(Bucket=bucket, **given)
        except Exception as bad:
            worded = operation != "head_object" or s3_faults.has_word(bad)
            if worded or s3_faults.status_of(bad) not in _WITHOUT_A_WORD:
                raise
            self._learn_word(given["Key"])
            raise
        return answer

    def _learn_word(self, key: str) -> None:
        """Raise why an answer without a body was a refusal: the same is asked for with one.

        What is refused to HEAD alone stays what it was.
        """
        try:
            answer = self.client.get_object(Bucket=self.address.bucket, Key=key, Range="bytes=0-0")
        except Exception as bad:
            if s3_faults.has_word(bad):
                raise
            return
        _close(answer.get("Body"))

    def _asks_again(self, bad: Exception, waiting: Waiting) -> bool:
        """Wait a while; False where it is to be told.

        Who was never reached by this process is not waited for as one who is gone for a while is:
        it is an address that is wrong, more often than not, and somebody sits there.
        """
        most = self.patience.seconds
        if s3_faults.never_arrived(bad) and not self._outage.answered:
            most = min(most, self.patience.unanswered)
        has_time = waiting.waited() < most
        return self._outage.goes_on(most) and has_time and waiting.goes_on()

    def _look(self, response_dict: dict[str, Any], **_: object) -> None:
        self._seen.body = response_dict["body"]
        try:
            s3_answers.look(response_dict, self.address.where)
        except FailedError:
            _close(self._seen.body)
            raise

    def told(self) -> _Told:
        """Where botocore's errors become ours."""
        return _Told(self.address.where, self.patience.read)


def _is_ours(operation: str, answer: dict[str, Any]) -> bool:
    """Whether an answer is none for people though its type is: a blob, or what was taken.

    OpenStack's Swift says so of each object that it takes.
    """
    taken = operation in {"put_object", "upload_part"} and answer.get("ETag")
    return operation == "get_object" or bool(taken)


def _close(body: Any) -> None:  # noqa: ANN401 - botocore's, or bytes that were read already
    with suppress(Exception):
        body.close()


_WITHOUT_A_WORD = frozenset({301, 307, 400, 401, 403})
"""To HEAD no body is answered, and so no word: expired, skewed and forbidden look the same."""


def _stay_here(params: dict[str, Any], **_: object) -> None:
    """Have botocore follow nobody to another region: to a page that leads to itself, for ever."""
    params["context"].setdefault("s3_redirect", {})["redirected"] = True


class _Told:
    def __init__(self, where: str, silence: float) -> None:
        self._where = where
        self._silence = silence

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, bad: BaseException | None, _: object
    ) -> None:
        if isinstance(bad, Exception) and is_theirs(bad):
            raise s3_faults.said(bad, self._where, self._silence) from bad


def is_theirs(error: Exception) -> bool:
    """Whether an error is botocore's, or of the connection below it."""
    room = type(error).__module__.partition(".")[0]
    return room in {"botocore", "boto3", "urllib3", "http", "ssl"} or isinstance(
        error, (ConnectionError, TimeoutError)
    )


class _PageError(Exception):
    def __init__(self, response: dict[str, Any]) -> None:
        super().__init__("a page for people")
        self.response = response


def cut_off(where: str) -> FailedError:
    """The error for a connection that does not last."""
    return s3_faults.said(ConnectionClosedError(), where)


class ConnectionClosedError(Exception):
    """Less came than was said, and nobody raised anything."""
