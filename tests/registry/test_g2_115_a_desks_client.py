"""What a desk asks of a server, and what it makes of answers: odd, cut, huge, slow, hostile."""

from __future__ import annotations

import base64
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from sealift_registry.client import asking
from sealift_registry.client.address import ServerAddress, address_of
from sealift_registry.client.asking import Tls
from sealift_registry.client.hub import RemoteHub, Submitted
from sealift_registry.client.sessions import OpenSession, Sessions
from sealift_signing.acts.material import Ask
from sealift_signing.errors import (
    FailedError,
    NotFoundError,
    RefusedError,
    SealiftError,
    UsageError,
)
from tests.registry.http_answers import (
    Answers,
    Asked,
    Server,
    answer,
    answering,
    certificate,
    problem,
)

pytestmark = pytest.mark.socket

DONE = {"new": True, "data": {"promotion": "P-000001"}, "lines": ["Done."], "left_out": []}
SECRET = "sls_0123456789"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """As patient as a test, and with answers of a size that a test can send."""
    monkeypatch.setattr(asking, "PAUSES", (0.0, 0.0))
    monkeypatch.setattr(asking, "READ", 0.5)
    monkeypatch.setattr(asking, "LARGEST", 1 << 20)


def client(server: Server, tls: Tls | None = None) -> RemoteHub:
    return RemoteHub(server.address, tls or Tls(), SECRET)


def refused(answers: Answers) -> tuple[SealiftError, Server]:
    """What somebody is told who reads at a server that answers so."""
    with answering(answers) as server, pytest.raises(SealiftError) as caught:
        client(server).members("/teams")
    return caught.value, server


# ---------------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    "text, told",
    [
        ("https://hub.example", "https://hub.example"),
        ("https://HUB.example:443/", "https://hub.example"),
        ("https://hub.example:8700", "https://hub.example:8700"),
        ("http://127.0.0.1:8700", "http://127.0.0.1:8700"),
        ("http://[::1]:8700", "http://[::1]:8700"),
        ("http://localhost", "http://localhost"),
    ],
)
def test_g2_115_a_server_has_one_spelling(text: str, told: str) -> None:
    found = ServerAddress.parse(text)
    assert str(found) == told
    assert ServerAddress.parse(told) == found


@pytest.mark.parametrize(
    "text, code",
    [
        ("", "bad-server-address"),
        ("hub.example", "bad-server-address"),
        ("ftp://hub.example", "bad-server-address"),
        ("https://", "bad-server-address"),
        ("https://hub.example/api", "bad-server-address"),
        ("https://hub.example?a=b", "bad-server-address"),
        ("https://hub.example#a", "bad-server-address"),
        ("https://hub.example\\@evil.example", "bad-server-address"),
        ("https://hub.example:99999", "bad-server-address"),
        ("https://h\N{CYRILLIC SMALL LETTER U}b.example", "bad-server-address"),
        (f"https://{'a' * 400}.example", "bad-server-address"),
        ("https://anna:secret@hub.example", "server-address-secret"),
        ("http://hub.example", "server-not-encrypted"),
        ("http://127.0.0.1.evil.example", "server-not-encrypted"),
    ],
)
def test_g2_115_what_is_no_server_is_said(text: str, code: str) -> None:
    with pytest.raises(UsageError) as caught:
        ServerAddress.parse(text)
    assert caught.value.code == code
    assert "secret" not in caught.value.what + caught.value.subject


def test_g2_115_what_people_name_is_one_part_of_an_address() -> None:
    assert address_of("sites", "../people?a=b#c%2f é") == (
        "/sites/..%2Fpeople%3Fa%3Db%23c%252f%20%C3%A9"
    )


# ---------------------------------------------------------------------- what is asked


def test_g2_116_who_asks_is_told_to_the_server_alone() -> None:
    with answering(lambda _: answer({"teams": []})) as server:
        assert client(server).members("/teams", [("limit", "3")]) == {"teams": []}
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("GET", "/api/v1/teams?limit=3")
    assert asked.headers["authorization"] == f"Bearer {SECRET}"
    assert asked.headers["accept-encoding"] == "identity"


def test_g2_116_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sets a variable would read who asks what; only the address says who is asked."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with answering(lambda _: answer({"teams": []})) as server:
        assert client(server).members("/teams") == {"teams": []}


def test_g2_116_lines_are_asked_for_as_text() -> None:
    with answering(lambda _: answer("one\ntwo\n", kind="text/plain; charset=utf-8")) as server:
        assert client(server).lines("/teams") == ["one", "two"]
    assert server.asked[0].headers["accept"].startswith("text/plain")


def test_g2_116_a_draft_is_asked_for_as_the_act_is_named() -> None:
    said: dict[str, object] = {"draft": None, "warnings": [], "unchanged": DONE}
    with answering(lambda _: answer(said)) as server:
        ask = Ask("request", ("vision/digits/3", "production"), {"reason": ("better",)})
        found = client(server).draft(ask, cards=[b"card"])
    assert isinstance(found, Submitted)
    assert found.lines == ("Done.",)
    body = server.asked[0].body
    assert base64.b64encode(b"card") in body
    assert b'"request", "object": ["vision/digits/3", "production"]' in body


def test_g2_116_a_draft_that_is_none_is_refused() -> None:
    said = {"draft": base64.b64encode(b"{}").decode(), "warnings": []}
    with answering(lambda _: answer(said)) as server, pytest.raises(RefusedError) as caught:
        client(server).draft(Ask("renew", ("targets",)))
    assert str(server.address) in caught.value.what


# ---------------------------------------------------------------------- again, and once


def cut_first(whole: bytes, times: int) -> Answers:
    """Answers cut in the middle, so many times, before one that is whole."""
    left = [whole[: len(whole) - 3]] * times

    def answers(_: Asked) -> bytes:
        return left.pop() if left else whole

    return answers


def test_g2_117_a_write_that_was_cut_is_asked_again_by_the_same_key() -> None:
    with answering(cut_first(answer(DONE), 2)) as server:
        assert client(server).submit(b"signed").new
    assert len(server.asked) == 3
    keys = {one.headers["idempotency-key"] for one in server.asked}
    assert len(keys) == 1
    assert {one.body for one in server.asked} == {b"signed"}


def test_g2_117_two_writes_have_two_keys() -> None:
    with answering(lambda _: answer(DONE)) as server:
        for _ in range(2):
            client(server).submit(b"signed")
    keys = {one.headers["idempotency-key"] for one in server.asked}
    assert len(keys) == 2


def test_g2_117_what_is_cut_each_time_is_an_error() -> None:
    bad, server = refused(cut_first(answer({"teams": []}), 9))
    assert (bad.code, type(bad)) == ("server-cut", FailedError)
    assert len(server.asked) == 3


def test_g2_117_a_problem_is_not_asked_again() -> None:
    said = problem("503 Service Unavailable", code="database-unreachable", title="It is gone.")
    bad, server = refused(lambda _: said)
    assert bad.code == "database-unreachable"
    assert len(server.asked) == 1


def test_g2_117_a_server_that_asks_for_a_moment_is_given_it() -> None:
    said = {"code": "too-many-requests", "title": "Too many."}
    busy = answer(said, "429 Too Many Requests", "application/problem+json", retry_after="0")
    left = [busy]
    with answering(lambda _: left.pop() if left else answer({"teams": []})) as server:
        assert client(server).members("/teams") == {"teams": []}
    assert len(server.asked) == 2


def test_g2_117_one_that_asks_for_an_hour_is_told_to_the_person() -> None:
    said = {"code": "sign-in-throttled", "title": "Too many.", "next": "Wait an hour."}
    busy = answer(said, "429 Too Many Requests", "application/problem+json", retry_after="3600")
    bad, server = refused(lambda _: busy)
    assert (bad.code, bad.next_step) == ("sign-in-throttled", "The server says: Wait an hour.")
    assert len(server.asked) == 1


# ---------------------------------------------------------------------- problems


@pytest.mark.parametrize(
    "status, kind",
    [
        ("400 Bad Request", UsageError),
        ("422 Unprocessable", UsageError),
        ("401 Unauthorized", RefusedError),
        ("403 Forbidden", RefusedError),
        ("404 Not Found", NotFoundError),
        ("409 Conflict", RefusedError),
        ("500 Internal Server Error", FailedError),
        ("507 Insufficient Storage", FailedError),
    ],
)
def test_g2_118_a_problem_is_our_error_with_the_servers_code(
    status: str, kind: type[SealiftError]
) -> None:
    said = problem(status, code="such-a-code", title="It is so.", subject="it", next="Do that.")
    bad, _ = refused(lambda _: said)
    assert type(bad) is kind
    assert (bad.code, bad.subject, bad.next_step) == (
        "such-a-code",
        "it",
        "The server says: Do that.",
    )
    assert bad.what == "The server says: It is so."


def test_g2_118_words_of_a_server_are_one_line_in_which_nothing_is_hidden() -> None:
    title = "Fine.\n\x1b[2JSigned by anna\N{RIGHT-TO-LEFT OVERRIDE}" + "x" * 100_000
    said = problem("409 Conflict", code="such-a-code", title=title, next="a\nb")
    bad, _ = refused(lambda _: said)
    assert bad.what.isprintable()
    assert bad.next_step.isprintable()
    assert len(bad.what) < 9000


@pytest.mark.parametrize("code", ["", "A Code", "x" * 61, "../x", 7, None, "a\nb"])
def test_g2_118_a_problem_without_a_code_of_ours_is_an_odd_answer(code: object) -> None:
    bad, _ = refused(lambda _: problem("409 Conflict", code=code, title="It is so."))
    assert bad.code == "server-answer"


# ---------------------------------------------------------------------- odd answers

TWICE = b'{"teams": [], "teams": [1]}'


@pytest.mark.parametrize(
    "said",
    [
        answer("<html>Sign in to the network</html>", kind="text/html"),
        answer("no JSON"),
        answer("[]"),
        answer("7"),
        answer('{"teams": NaN}'),
        answer(TWICE),
        answer(b'{"teams": "\xff"}'),
        answer('{"a":' * 70 + "1" + "}" * 70),
        answer("[" * 200_000),
        answer('{"a": ' + "9" * 10_000 + "}"),
        answer({"teams": []}, content_encoding="gzip"),
        b"HTTP/1.1 200 OK\r\nx" * 9,
        answer("gone", "404 Not Found", "text/html"),
        b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{"teams": []}',
    ],
)
def test_g2_119_an_answer_of_another_form_is_refused(said: bytes) -> None:
    bad, server = refused(lambda _: said)
    assert bad.code == "server-answer"
    assert str(server.address) in bad.what
    assert bad.advice


@pytest.mark.parametrize("said", [b"SSH-2.0-OpenSSH_9.9\r\n", b""])
def test_g2_119_what_is_no_http_is_told_as_cut(said: bytes) -> None:
    bad, _ = refused(lambda _: said)
    assert bad.code == "server-cut"


@pytest.mark.parametrize(
    "said",
    [
        {"new": 1, "data": {}, "lines": []},
        {"new": True, "data": [], "lines": []},
        {"new": True, "data": {}, "lines": "all"},
        {"new": True, "data": {}, "lines": [1]},
        {},
    ],
)
def test_g2_119_what_became_of_it_has_its_types(said: dict[str, object]) -> None:
    with answering(lambda _: answer(said)) as server, pytest.raises(SealiftError) as caught:
        client(server).submit(b"signed")
    assert caught.value.code == "server-answer"


@pytest.mark.parametrize("draft", [None, 7, "!!!", "YQ"])
def test_g2_119_a_draft_in_no_base64_is_refused(draft: object) -> None:
    said = {"draft": draft, "warnings": []}
    with answering(lambda _: answer(said)) as server, pytest.raises(SealiftError) as caught:
        client(server).draft(Ask("renew", ("targets",)))
    assert caught.value.code == "server-answer"


def test_g2_119_an_answer_without_end_is_not_taken() -> None:
    bad, _ = refused(lambda _: answer(" " * (2 << 20)))
    assert bad.code == "server-answer-large"


def test_g2_119_an_answer_that_trickles_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each piece comes in time, and all of it never would."""
    monkeypatch.setattr(asking, "LONGEST", -1.0)
    bad, _ = refused(lambda _: answer({"teams": []}))
    assert bad.code == "server-slow"


def test_g2_119_a_server_that_says_nothing_is_not_waited_for_for_ever() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        there = ServerAddress("http", "127.0.0.1", silent.getsockname()[1])
        with pytest.raises(FailedError) as caught:
            RemoteHub(there, Tls()).members("/teams")
    assert caught.value.code == "server-cut"


# ---------------------------------------------------------------------- elsewhere


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda hub: hub.members("/teams"), id="read"),
        pytest.param(lambda hub: hub.submit(b"signed"), id="write"),
    ],
)
def test_g2_120_nobody_is_asked_whom_the_person_did_not_name(
    status: str, ask: Callable[[RemoteHub], object]
) -> None:
    with answering(lambda _: answer({"teams": []})) as other:
        there = f"{other.address}/api/v1/teams"
        with (
            answering(lambda _: answer("", status, location=there)) as server,
            pytest.raises(RefusedError) as caught,
        ):
            ask(client(server))
        assert len(server.asked) == 1
    assert other.asked == []
    assert caught.value.code == "server-redirects"
    assert there in caught.value.what


def test_g2_120_nobody_there_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        there = ServerAddress("http", "127.0.0.1", closed.getsockname()[1])
    with pytest.raises(FailedError) as caught:
        RemoteHub(there, Tls()).members("/teams")
    assert caught.value.code == "server-unreachable"
    assert "nobody answers there" in caught.value.what


def test_g2_120_a_clock_that_is_off_is_told_once() -> None:
    then = format_datetime(datetime.now(UTC) - timedelta(days=3), usegmt=True)
    told: list[str] = []
    with answering(lambda _: answer({"teams": []}, date=then)) as server:
        hub = RemoteHub(server.address, Tls(), told=told.append)
        for _ in range(2):
            hub.members("/teams")
    assert len(told) == 1
    assert "one is wrong" in told[0]


def test_g2_120_a_clock_that_is_right_is_not_told() -> None:
    told: list[str] = []
    dates = iter([format_datetime(datetime.now(UTC), usegmt=True), "yesterday", ""])
    with answering(lambda _: answer({"teams": []}, date=next(dates))) as server:
        hub = RemoteHub(server.address, Tls(), told=told.append)
        for _ in range(3):
            hub.members("/teams")
    assert told == []


# ---------------------------------------------------------------------- TLS


@pytest.fixture
def encrypted(tmp_path: Path) -> Iterator[tuple[Server, Path]]:
    file = certificate(tmp_path)
    with answering(lambda _: answer({"teams": []}), file) as server:
        yield server, file


def test_g2_121_a_server_is_believed_by_the_authority_that_is_named(
    encrypted: tuple[Server, Path],
) -> None:
    server, file = encrypted
    assert client(server, Tls(str(file))).members("/teams") == {"teams": []}


def test_g2_121_a_server_that_nobody_vouches_for_is_not_asked(
    encrypted: tuple[Server, Path],
) -> None:
    server, _ = encrypted
    with pytest.raises(FailedError) as caught:
        client(server).members("/teams")
    assert caught.value.code == "server-certificate"
    assert "nobody whom this machine knows" in caught.value.what
    assert server.asked == []


def test_g2_121_a_certificate_for_another_name_is_said(tmp_path: Path) -> None:
    file = certificate(tmp_path, "hub.example")
    with answering(lambda _: answer({}), file) as server, pytest.raises(FailedError) as caught:
        client(server, Tls(str(file))).members("/teams")
    assert caught.value.code == "server-certificate"
    assert "another name" in caught.value.what
    assert server.asked == []


@pytest.mark.parametrize(
    "begins, why", [(timedelta(days=3), "not valid yet"), (timedelta(days=-3), "has expired")]
)
def test_g2_121_one_that_does_not_count_now_has_the_clock_compared(
    tmp_path: Path, begins: timedelta, why: str
) -> None:
    file = certificate(tmp_path, begins=begins)
    with answering(lambda _: answer({}), file) as server, pytest.raises(FailedError) as caught:
        client(server, Tls(str(file))).members("/teams")
    assert caught.value.code == "server-certificate"
    assert why in caught.value.what
    assert "clock of this machine" in caught.value.next_step


def test_g2_121_a_port_that_speaks_no_tls_is_said() -> None:
    with answering(lambda _: answer({})) as server:
        there = ServerAddress("https", server.address.host, server.address.port)
        with pytest.raises(FailedError) as caught:
            RemoteHub(there, Tls()).members("/teams")
    assert caught.value.code == "server-tls"


def test_g2_121_files_that_are_no_certificates_are_said(tmp_path: Path) -> None:
    odd = tmp_path / "odd.pem"
    odd.write_text("nothing")
    there = ServerAddress("https", "127.0.0.1", 1)
    for tls, named in [
        (Tls(str(odd)), odd),
        (Tls(str(tmp_path / "none")), tmp_path / "none"),
        (Tls("", str(odd), str(odd)), odd),
    ]:
        with pytest.raises(FailedError) as caught:
            RemoteHub(there, tls)
        assert (caught.value.code, caught.value.subject) == ("certificate-file", str(named))


# ---------------------------------------------------------------------- sessions


def test_g2_122_a_session_is_kept_for_its_person_alone(tmp_path: Path) -> None:
    there = ServerAddress.parse("https://hub.example")
    sessions = Sessions.located({"XDG_CONFIG_HOME": str(tmp_path / "config")})
    assert sessions.at(there) is None
    opened = OpenSession(str(there), SECRET, "A-1", "anna", "2026-12-03T00:00:00Z", "/ca.pem")
    sessions.keep(opened)
    path = sessions.path(there)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert sessions.get(there) == opened
    assert sessions.at(ServerAddress.parse("https://hub.example:8700")) is None
    sessions.forget(there)
    sessions.forget(there)
    with pytest.raises(RefusedError) as caught:
        sessions.get(there)
    assert caught.value.code == "not-signed-in"


def test_g2_122_one_that_others_could_read_is_closed_and_told(tmp_path: Path) -> None:
    there, told = ServerAddress.parse("https://hub.example"), list[str]()
    sessions = Sessions(tmp_path / "servers", told.append)
    sessions.keep(OpenSession(str(there), SECRET, "A-1", "anna", "2026-12-03T00:00:00Z"))
    sessions.path(there).chmod(0o644)
    sessions.get(there)
    assert sessions.path(there).stat().st_mode & 0o777 == 0o600
    assert len(told) == 1
    assert SECRET not in told[0]


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"format": 2}', b"\xff", b"[" * 99_999])
def test_g2_122_a_damaged_one_is_named(tmp_path: Path, data: bytes) -> None:
    there = ServerAddress.parse("https://hub.example")
    sessions = Sessions(tmp_path / "servers")
    sessions.keep(OpenSession(str(there), SECRET, "A-1", "anna", "2026-12-03T00:00:00Z"))
    sessions.path(there).write_bytes(data)
    with pytest.raises(SealiftError) as caught:
        sessions.get(there)
    assert caught.value.code == "session-file-damaged"


def test_g2_122_one_servers_session_is_never_shown_to_another(tmp_path: Path) -> None:
    """Whoever puts a file in the place of another would have its secret sent elsewhere."""
    one, other = (ServerAddress.parse(f"https://{name}.example") for name in ("hub", "evil"))
    sessions = Sessions(tmp_path / "servers")
    sessions.keep(OpenSession(str(one), SECRET, "A-1", "anna", "2026-12-03T00:00:00Z"))
    sessions.path(one).rename(sessions.path(other))
    with pytest.raises(SealiftError) as caught:
        sessions.get(other)
    assert caught.value.code == "session-file-damaged"
