"""Files that are sent in pieces: whole and right, or gone; and whose they are."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any
from unittest import mock

import pytest
from litestar import Request
from litestar.testing import TestClient

from sealift_registry.intake import uploads
from sealift_registry.intake.uploads import KEPT, Uploads
from sealift_registry.web import refusals
from tests.registry.hub_fixture import TEAM, Acme
from tests.registry.served_hub import Doorkeeper, served, signed_in

PLACE = f"/api/v1/teams/{TEAM}/uploads"
DATA = os.urandom(3_000_000)
PIECE = {"content-type": "application/partial-upload"}


@dataclass
class Sender:
    """Somebody who sends files to a hub."""

    client: TestClient[Any]
    who: Mapping[str, str]
    acme: Acme

    def begin(self, data: bytes = DATA, **more: object) -> Any:  # noqa: ANN401 - httpx's
        said = {"kind": "onnx", "name": "model.onnx", "size": len(data)}
        body = {**said, "sha256": sha256(data).hexdigest(), **more}
        return self.client.post(PLACE, json=body, headers=dict(self.who))

    def add(self, place: str, data: bytes, offset: int, **headers: str) -> Any:  # noqa: ANN401 - as above
        told = {**self.who, **PIECE, "upload-offset": str(offset), **headers}
        return self.client.patch(place, content=data, headers=told)

    def far(self, place: str) -> int:
        answer = self.client.head(place, headers=dict(self.who))
        assert answer.status_code == 200
        return int(answer.headers["upload-offset"])

    def folders(self) -> list[str]:
        there = self.acme.root / "uploads"
        return sorted(one.name for one in there.glob("A-*/*") if one.name != "lock")


@pytest.fixture
def keeper() -> Doorkeeper:
    return Doorkeeper()


@pytest.fixture
def sender(acme: Acme, keeper: Doorkeeper) -> Iterator[Sender]:
    with served(acme, keeper) as client:
        yield Sender(client, signed_in(keeper), acme)


def code(answer: Any) -> str:  # noqa: ANN401 - httpx's
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return str(answer.json()["code"])


def test_g2_170_a_file_is_sent_in_pieces_and_is_whole_when_its_digest_is_right(
    sender: Sender,
) -> None:
    begun = sender.begin()
    assert begun.status_code == 201
    place = begun.headers["location"]
    assert begun.headers["upload-offset"] == "0"
    for start in range(0, len(DATA), 1_250_000):
        answer = sender.add(place, DATA[start : start + 1_250_000], start)
        assert answer.status_code == 200, answer.text
        assert answer.headers["upload-offset"] == str(min(start + 1_250_000, len(DATA)))
    answer = sender.client.get(place, headers=dict(sender.who))
    assert answer.headers["upload-complete"] == "?1"
    told = answer.json()
    assert (told["offset"], told["complete"], told["team"]) == (len(DATA), True, TEAM)
    (name,) = sender.folders()
    kept = sender.acme.root / "uploads" / "A-anna" / name / "data" / "model.onnx"
    assert kept.read_bytes() == DATA
    assert kept.stat().st_mode & 0o077 == 0


def test_g2_170_the_same_declared_again_is_the_one_that_there_is(sender: Sender) -> None:
    first = sender.begin().headers["location"]
    sender.add(first, DATA[:1000], 0)
    again = sender.begin()
    assert (again.headers["location"], again.headers["upload-offset"]) == (first, "1000")
    assert sender.begin(name="other.onnx").headers["location"] != first


def test_g2_171_whoever_goes_on_elsewhere_is_told_where_it_ended(sender: Sender) -> None:
    place = sender.begin().headers["location"]
    sender.add(place, DATA[:1000], 0)
    for offset in (0, 999, 1001, len(DATA)):
        answer = sender.add(place, DATA[offset : offset + 10], offset)
        assert (answer.status_code, code(answer)) == (409, "upload-offset")
    assert sender.far(place) == 1000
    assert sender.add(place, DATA[1000:], 1000).json()["complete"]
    answer = sender.add(place, b"", len(DATA))
    assert code(answer) == "upload-offset"


def test_g2_171_what_came_before_a_cut_is_kept(sender: Sender) -> None:
    place = sender.begin().headers["location"]

    async def cut(_request: object) -> AsyncIterator[bytes]:
        for start in range(0, 1_100_000, 100_000):
            yield DATA[start : start + 100_000]
        raise refusals.client_gone()

    with mock.patch.object(Request, "stream", cut):
        sender.add(place, DATA, 0)
    far = sender.far(place)
    assert far == 1_100_000
    assert sender.add(place, DATA[far:], far).json()["complete"]


def test_g2_172_another_file_than_was_declared_is_removed(sender: Sender) -> None:
    place = sender.begin().headers["location"]
    answer = sender.add(place, DATA[:-1] + bytes([DATA[-1] ^ 1]), 0)
    assert (answer.status_code, code(answer)) == (409, "upload-other-file")
    assert sender.folders() == []
    assert sender.client.get(place, headers=dict(sender.who)).status_code == 404


def test_g2_172_more_than_was_declared_is_removed(sender: Sender) -> None:
    place = sender.begin().headers["location"]
    answer = sender.add(place, DATA + b"x", 0)
    assert (answer.status_code, code(answer)) == (409, "upload-too-long")
    assert sender.folders() == []


def test_g2_172_of_one_that_was_killed_before_it_compared_nothing_is_whole(
    sender: Sender,
) -> None:
    place = sender.begin().headers["location"]
    with mock.patch.object(Uploads, "finish", side_effect=RuntimeError):
        assert sender.add(place, DATA, 0).status_code == 500
    told = sender.client.get(place, headers=dict(sender.who)).json()
    assert (told["offset"], told["complete"]) == (len(DATA), False)
    assert sender.add(place, b"", len(DATA)).json()["complete"]


@pytest.mark.parametrize(
    "more, status, why",
    [
        ({"kind": "pickle"}, 400, "upload-kind"),
        ({"name": "model.pkl"}, 400, "upload-name"),
        ({"name": "../model.onnx"}, 409, "source-file-name"),
        ({"name": "x" * 251 + ".onnx"}, 400, "upload-name"),
        ({"name": "x" * 5000 + ".onnx"}, 400, "bad-shape"),
        ({"name": "a/model.onnx"}, 400, "upload-name"),
        ({"name": ".onnx"}, 409, "source-file-name"),
        ({"name": "model\u202e.onnx"}, 400, "bad-shape"),
        ({"size": 0}, 400, "upload-size"),
        ({"size": -1}, 400, "upload-size"),
        ({"size": 2**52}, 409, "upload-quota"),
        ({"sha256": "A" * 64}, 400, "bad-shape"),
        ({"size": "many"}, 422, "bad-body"),
        ({"owner": "A-000002"}, 422, "bad-body"),
    ],
)
def test_g2_173_what_cannot_be_sent_is_refused_before_any_of_it_comes(
    sender: Sender, more: dict[str, object], status: int, why: str
) -> None:
    answer = sender.begin(DATA, **more)
    assert (answer.status_code, code(answer)) == (status, why)
    assert sender.folders() == []


def test_g2_173_an_account_has_so_much_on_its_way_and_no_more(
    sender: Sender, keeper: Doorkeeper
) -> None:
    with mock.patch("sealift_registry.web.upload_routes.GIB", 200_000):  # 20 of them: 4 MB
        assert sender.begin().status_code == 201
        answer = sender.begin(name="second.onnx")
        assert (answer.status_code, code(answer)) == (409, "upload-quota")
        other = Sender(sender.client, signed_in(keeper, "ben"), sender.acme)
        assert other.begin(name="second.onnx").status_code == 201


def test_g2_173_without_room_nothing_is_begun_and_nothing_lost(sender: Sender) -> None:
    place = sender.begin().headers["location"]
    sender.add(place, DATA[:1000], 0)
    full = mock.Mock(free=uploads.LEAST_FREE - 1)
    with mock.patch("sealift_registry.intake.uploads.shutil.disk_usage", return_value=full):
        answers = [sender.begin(name="second.onnx"), sender.add(place, DATA[1000:], 1000)]
    assert [(one.status_code, code(one)) for one in answers] == [(507, "disk-full")] * 2
    assert sender.far(place) == 1000


def test_g2_174_nobody_else_sees_it_or_adds_to_it(sender: Sender, keeper: Doorkeeper) -> None:
    place = sender.begin().headers["location"]
    other = Sender(sender.client, signed_in(keeper, "ben"), sender.acme)
    asked: list[Callable[[], Any]] = [
        lambda: other.client.get(place, headers=dict(other.who)),
        lambda: other.add(place, DATA, 0),
        lambda: other.client.delete(place, headers=dict(other.who)),
        lambda: sender.client.get(place.replace(TEAM, "sound"), headers=dict(sender.who)),
        lambda: sender.client.get(f"{PLACE}/..%2f..", headers=dict(sender.who)),
        lambda: sender.client.get(f"{PLACE}/{'0' * 32}", headers=dict(sender.who)),
    ]
    assert [one().status_code for one in asked] == [404] * len(asked)
    assert other.client.get(PLACE, headers=dict(other.who)).json() == {"uploads": []}
    (mine,) = sender.client.get(PLACE, headers=dict(sender.who)).json()["uploads"]
    assert place.endswith(mine["upload"])
    assert sender.far(place) == 0
    assert sender.client.delete(place, headers=dict(sender.who)).status_code == 204
    assert sender.folders() == []


def test_g2_174_who_may_not_publish_sends_nothing(acme: Acme) -> None:
    keeper = Doorkeeper(may=lambda _caller, action, _where: action != "upload.write")
    with served(acme, keeper) as client:
        sender = Sender(client, signed_in(keeper), acme)
        assert code(sender.begin()) == "forbidden"
        assert sender.folders() == []
    assert {(action, where.team) for _, action, where in keeper.asked} == {("upload.write", TEAM)}


@pytest.mark.parametrize("headers", [{"upload-offset": "x"}, {"upload-offset": "-1"}])
def test_g2_175_a_piece_says_what_it_is_and_where_it_begins(
    sender: Sender, headers: dict[str, str]
) -> None:
    place = sender.begin().headers["location"]
    assert code(sender.add(place, DATA, 0, **headers)) == "bad-request"
    wrong = sender.add(place, DATA, 0, **{"content-type": "application/json"})
    assert (wrong.status_code, code(wrong)) == (415, "wrong-media-type")
    assert sender.far(place) == 0


def test_g2_175_two_at_once_never_mix(sender: Sender) -> None:
    place = sender.begin().headers["location"]
    home = sender.acme.app.hub.home
    there = Uploads(home.root / "uploads", 1 << 40, 20)
    one = there.get(place.rpartition("/")[2], "A-anna")
    with there.adding(one, 0) as adding:
        answer = sender.add(place, DATA, 0)
        assert (answer.status_code, code(answer)) == (409, "upload-under-way")
        adding.add(DATA[:5])
        adding.end()
    assert sender.far(place) == 5


def test_g2_176_what_nothing_is_added_to_is_swept(sender: Sender) -> None:
    place = sender.begin().headers["location"]
    home, now = sender.acme.app.hub.home, sender.acme.app.hub.now()
    there = Uploads(home.root / "uploads", 1 << 40, 20)
    assert there.sweep(now + KEPT - timedelta(minutes=5)) == 0
    one = there.get(place.rpartition("/")[2], "A-anna")
    with there.adding(one, 0):
        assert there.sweep(now + KEPT + timedelta(minutes=5)) == 0, "somebody adds to it"
    assert there.sweep(now + KEPT + timedelta(minutes=5)) == 1
    assert sender.folders() == []


def test_g2_176_a_link_that_somebody_put_there_is_not_written_through(sender: Sender) -> None:
    place = sender.begin().headers["location"]
    folder = sender.acme.root / "uploads" / "A-anna" / place.rpartition("/")[2]
    victim = sender.acme.root / "victim"
    victim.write_bytes(b"")
    (folder / "data" / "model.onnx").symlink_to(victim)
    assert sender.add(place, DATA, 0).status_code == 503
    assert victim.read_bytes() == b""
