"""A document that mail or an editor changed on its way is said to be so, with a next step."""

from __future__ import annotations

import base64
import gzip
import io
import quopri
import zipfile
from collections.abc import Callable

import pytest

from sealift_signing import drafts, statements
from sealift_signing.altered_bytes import altered
from sealift_signing.errors import MalformedError
from sealift_signing.statements import KeyCard
from tests.desks import STEWARDS, TEAM, Acme


def zipped(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("it", data)
    return out.getvalue()


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "an extra line break": lambda data: data + b"\n",
    "blank space": lambda data: b" " + data + b"\r\n",
    "BOM": lambda data: b"\xef\xbb\xbf" + data,
    "base64": base64.encodebytes,
    "gzip": gzip.compress,
    "zip": zipped,
    "cut short": lambda data: data[: len(data) // 2],
    "empty": lambda _: b"",
    "UTF-16": lambda data: data.decode().encode("utf-16"),
    "quoted-printable": quopri.encodestring,
}


@pytest.fixture(scope="module")
def acme() -> Acme:
    made = Acme()
    made.trusting(*STEWARDS)
    return made


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_changed_on_its_way_is_said_so(acme: Acme, change: str) -> None:
    draft = drafts.write(acme.draft("add-approver", TEAM, "carla", cards=["carla"]))
    card = acme.person("carla").card()
    readers: list[tuple[bytes, Callable[[bytes], object]]] = [
        (draft, lambda data: drafts.read(data, what="carla.draft")),
        (draft, lambda data: drafts.read_any(data, what="carla.draft")),
        (card, lambda data: statements.read(KeyCard, data, what="carla.card")),
    ]
    for data, read in readers:
        read(data)
        with pytest.raises(MalformedError) as error:
            read(CHANGES[change](data))
        assert error.value.what.startswith("carla.")
        assert change in error.value.what
        assert error.value.next_step


def test_what_is_no_document_of_ours_is_not_guessed_at(acme: Acme) -> None:
    card = acme.person("carla").card()
    for data in (b"hello", b"{}", b"\n", card, card.replace(b":", b": ")):
        assert altered(data) == ("", "")
