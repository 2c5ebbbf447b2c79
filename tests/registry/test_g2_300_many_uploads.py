"""Many files that are begun at once, or cut off: what one account has stays within its bounds."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from threading import Barrier, Event
from typing import BinaryIO, TypeVar
from unittest import mock

import pytest

from sealift_registry.access.calling import Grant
from sealift_registry.client import sending
from sealift_registry.intake import uploads
from sealift_registry.intake.declared_files import Declared, declared
from sealift_registry.intake.incoming_folder import check_name
from sealift_registry.intake.uploads import Uploads
from sealift_registry.web.upload_routes import GATHERED
from sealift_signing.errors import FailedError, RefusedError, SealiftError
from sealift_sync import durable, stream
from tests.registry.accounts_fixture import signed_in
from tests.registry.hub_fixture import TEAM, Acme
from tests.registry.large_files import UPLOADS, Somebody
from tests.registry.served_hub import serving

T = TypeVar("T")
ANNA, BEN = "A-anna", "A-ben"
CROWD = 8


def said(acme: Acme, name: str = "m.onnx", size: int = 900, account: str = ANNA) -> Declared:
    return declared(account, TEAM, "onnx", name, size, "ab" * 32, acme.app.hub.now())


def at_once(*acts: Callable[[], T]) -> list[T | SealiftError]:
    """What came of each, all of which began together."""
    ready = Barrier(len(acts))

    def act(one: Callable[[], T]) -> T | SealiftError:
        ready.wait()
        try:
            return one()
        except SealiftError as bad:
            return bad

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(act, acts))


@pytest.fixture
def there(acme: Acme) -> Uploads:
    return Uploads(acme.root / "uploads", 1000, 20)


def begins(there: Uploads, one: Declared) -> Callable[[], str]:
    return lambda: there.begin(one).id


def test_g2_300_who_begins_many_at_once_has_no_more_than_one_after_the_other(
    acme: Acme, there: Uploads
) -> None:
    found = at_once(*(begins(there, said(acme, f"m{one}.onnx")) for one in range(CROWD)))
    codes = [one.code for one in found if isinstance(one, SealiftError)]
    assert codes == ["upload-quota"] * (CROWD - 1)
    assert len(there.of(ANNA)) == 1


def test_g2_300_the_same_begun_many_times_at_once_is_one(acme: Acme, there: Uploads) -> None:
    found = at_once(*(begins(there, said(acme)) for _ in range(CROWD)))
    assert len(set(map(str, found))) == 1
    assert len(there.of(ANNA)) == 1


def test_g2_301_an_account_has_so_many_files_and_nobody_elses_are_read(
    acme: Acme, there: Uploads
) -> None:
    small = replace(there, most=3)
    for number in range(3):
        small.begin(said(acme, f"m{number}.onnx", 1))
    with pytest.raises(RefusedError) as caught:
        small.begin(said(acme, "m3.onnx", 1))
    assert caught.value.code == "uploads-under-way"
    assert "server.uploads_at_once" in caught.value.next_step
    with mock.patch.object(uploads, "_read", wraps=vars(uploads)["_read"]) as read:
        small.begin(said(acme, "m.onnx", 1, BEN))
        small.of(BEN)
    assert {one.args[0].parent.name for one in read.call_args_list} == {BEN}


def test_g2_301_what_a_job_took_in_makes_room(acme: Acme, there: Uploads) -> None:
    small = replace(there, most=2)
    first, second = (small.begin(said(acme, f"m{one}.onnx", 1)) for one in range(2))
    small.keep_for(first, "J-000001")
    with pytest.raises(RefusedError):
        small.begin(said(acme, "m2.onnx", 1))
    third = small.begin(said(acme, "m2.onnx", 1), lambda job: job == "J-000001")
    assert {one.id for one in small.of(ANNA)} == {second.id, third.id}


def test_g2_302_what_fails_or_is_killed_in_beginning_leaves_nothing(
    acme: Acme, there: Uploads
) -> None:
    with (
        mock.patch.object(durable, "write", side_effect=OSError(28, "No space left")),
        pytest.raises(FailedError),
    ):
        there.begin(said(acme))
    own = there.folder / ANNA
    assert [one.name for one in own.iterdir()] == ["lock"]
    killed = own / ("0" * 32)
    (killed / "data").mkdir(parents=True)
    assert there.sweep(acme.app.hub.now() + timedelta(days=3)) == 1
    (killed / "data").mkdir(parents=True)
    there.begin(said(acme))
    assert not killed.exists()


def test_g2_302_all_accounts_are_looked_at_once_an_hour(acme: Acme, there: Uploads) -> None:
    there.begin(said(acme))
    now = acme.app.hub.now()
    old = now + timedelta(days=3)
    with mock.patch.object(Uploads, "sweep", return_value=0) as sweep:
        for when in (now, now, now + timedelta(minutes=61), old, old):
            there.sweep_at_times(when, lambda _: True)
    assert sweep.call_count == 3


def test_g2_303_what_was_begun_before_accounts_had_folders_goes_on(
    acme: Acme, there: Uploads
) -> None:
    one = there.begin(said(acme))
    one.folder.rename(there.folder / one.id)
    found = there.get(one.id, ANNA)
    with there.adding(found, 0) as adding:
        adding.add(b"12345")
        adding.end()
    assert there.get(one.id, ANNA).offset == 5
    with pytest.raises(SealiftError):
        there.get(one.id, BEN)
    assert there.sweep(acme.app.hub.now() + timedelta(days=3)) == 1


def test_g2_303_no_bytes_are_added_beyond_what_the_disk_keeps_free(
    acme: Acme, there: Uploads
) -> None:
    one = there.begin(said(acme))
    with there.adding(one, 0) as adding:
        adding.add(b"12345")
        full = mock.Mock(free=uploads.LEAST_FREE + 3)  # others send meanwhile
        with (
            mock.patch.object(shutil, "disk_usage", return_value=full),
            pytest.raises(FailedError),
        ):
            adding.add(b"67890")
        assert adding.end() == 5


def test_g2_304_of_several_who_have_it_compared_one_reads_it(acme: Acme, there: Uploads) -> None:
    data = os.urandom(500)
    one = there.begin(replace(said(acme, size=500), sha256=sha256(data).hexdigest()))
    with there.adding(one, 0) as adding:
        adding.add(data)
        adding.end()
    reads, goes_on = Event(), Event()
    real = stream.hash_file

    def slow(file: BinaryIO) -> object:
        reads.set()
        assert goes_on.wait(20)
        return real(file)

    with (
        mock.patch.object(stream, "hash_file", side_effect=slow) as hashed,
        ThreadPoolExecutor(1) as pool,
    ):
        first = pool.submit(there.finish, one)
        assert reads.wait(20)
        for _ in range(3):
            with pytest.raises(RefusedError) as caught:
                there.finish(one)
            assert caught.value.code == "upload-under-way"
        goes_on.set()
        assert first.result().is_whole
        assert there.finish(one).is_whole
    assert hashed.call_count == 1


@pytest.mark.parametrize(
    "name, why",
    [
        ("Zähler.onnx", "ä is none of the letters"),
        ("zaehler modell.onnx", "a space is none of"),
        ("model\u202e.onnx", "U+202E is none of"),
        (".onnx", "none of them beginning with a dot"),
    ],
)
def test_g2_306_a_refused_name_says_which_character_it_is_and_nothing_is_sent(
    tmp_path: Path, name: str, why: str
) -> None:
    with pytest.raises(SealiftError) as hub:
        check_name(name)
    (tmp_path / name).write_bytes(b"x")
    asking = mock.Mock()
    with pytest.raises(SealiftError) as desk:
        sending.send(asking, UPLOADS, "onnx", tmp_path / name)
    assert why in hub.value.what
    assert why in desk.value.what
    assert not asking.mock_calls


def test_g2_306_a_client_whose_answer_was_cut_off_waits_for_what_is_being_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "AGAIN", 0.0)
    (tmp_path / "m.onnx").write_bytes(b"12345")
    begun = {"upload": "ab", "offset": 0, "size": 5, "complete": False}
    there = begun | {"offset": 5}
    asking = mock.Mock()
    busy = RefusedError("upload-under-way", "Another request adds to it.", next_step="Wait.")
    asking.write.side_effect = [mock.Mock(**{"json.return_value": begun}), busy]
    answers = [there] * 5 + [there | {"complete": True}]
    asking.read.side_effect = [mock.Mock(**{"json.return_value": one}) for one in answers]
    assert sending.send(asking, UPLOADS, "onnx", tmp_path / "m.onnx") == "ab"
    assert asking.write.call_count == 2
    assert asking.read.call_count == 6


@pytest.fixture
def sender(acme: Acme) -> Iterator[Somebody]:
    secret = signed_in(acme, "anna", Grant("publisher"), Grant("viewer")).secret
    acme.close()
    with serving(acme.root) as server:
        yield Somebody(server.url, secret)


def until(is_so: Callable[[], bool]) -> None:
    """Ask until it is so, or until nobody would wait any more."""
    end = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.socket
def test_g2_305_what_came_before_a_real_cut_is_kept(sender: Somebody, tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    (tmp_path / "sent.onnx").write_bytes(data)
    _, begun = sender.declares(len(data), sha256(data).hexdigest())
    place = f"{UPLOADS}/{begun['upload']}"
    with closing(sender.begins(place, 0, len(data))) as there:
        there.sendall(data[:2_000_000])
        until(lambda: sender.far(place) >= GATHERED)
    until(lambda: sender.far(place) > 1_900_000)  # but for what no request had read yet
    status, done = sender.adds(place, tmp_path / "sent.onnx", len(data), cut=False)
    assert (status, done["complete"]) == (200, True), json.dumps(done)
