"""Check rows in bundles: only where the team lets them out, and only for a site that reads them."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np

from sealift_registry.delivery import check_row_files
from sealift_registry.delivery.assignments import current
from sealift_registry.delivery.export_answers import exported_data
from sealift_registry.delivery.sites import Sites
from sealift_registry.proof.proof_report import named_check_rows
from sealift_registry.shown.exported import exported_lines
from sealift_registry.trust.repository import Repository
from sealift_registry.trust.teams import lets_check_rows_travel
from sealift_signing import dsse, features, statements
from sealift_signing.statements import Transfer
from sealift_sync.bundle import layout
from sealift_sync.check_rows import unpack
from tests.registry.hub_fixture import SITE, TEAM, Acme, Loose
from tests.registry.test_letting_rows_out import lets
from tests.registry.test_proof_check_rows import array
from tests.registry.test_proof_evidence import parity
from tests.registry.test_what_sites_read import says, without

FULL, SPELLED = features.CHECK_ROWS.full, features.CHECK_ROWS.spelled


def digest_of(hub: Acme) -> str:
    """Of the check rows of version 1's variant."""
    named = named_check_rows(parity(hub).details)
    assert named is not None
    return named.sha256


def on(medium: Path) -> bytes:
    """All that lies there, file after file; and what is signed, as it was before base64."""
    found = [path.read_bytes() for path in sorted(medium.rglob("*")) if path.is_file()]
    payloads = [dsse.read(one, what="it").payload for one in found if b'"payloadType"' in one]
    assert payloads
    return b"\n".join((*found, *payloads))


def confidential(hub: Acme) -> list[bytes]:
    """What is to stay: each check row and golden as it may be spelled, and the proof's picture."""
    blobs, said = hub.app.hub.home.blobs, parity(hub)
    assert isinstance(said.details, dict)
    content = unpack(blobs.read(digest_of(hub)))
    with np.load(hub.goldens()) as goldens:
        values = [goldens["inputs"], *(array(one.tensor) for one in content.inputs)]
    rows = [row for one in values for row in one.reshape(len(one), -1) if np.unique(row).size > 2]
    spelled = [row.astype(kind).tobytes() for row in rows for kind in ("f4", "f8")]
    return [*spelled, blobs.read(digest_of(hub)), blobs.read(str(said.details["picture"]))]


def transfer(folder: Path) -> Transfer:
    data = (folder / layout.TRANSFER).read_bytes()
    return statements.read(Transfer, data, what="it").predicate


def test_p0_202_nothing_of_them_is_on_a_medium_unless_the_team_said_so(ready: Acme) -> None:
    told = confidential(ready)
    assert len(told) > 100
    made = ready.export()
    there = on(ready.medium)
    assert all(one not in there for one in told)
    assert transfer(made.folder).requires == ()
    data: Loose = exported_data(made)
    words = "\n".join(exported_lines(data))
    assert f"Check rows of 1 artifact stay at home: team {TEAM} does not let them travel." in words
    assert f"sealift team check-rows {TEAM} --travel" in words
    assert data["check_rows"]["files"] == 0
    lets(ready)
    ready.export()
    assert any(one in on(ready.medium) for one in told), "the test would see them"


def test_p0_203_where_it_did_they_are_in_every_bundle(ready: Acme) -> None:
    lets(ready)
    made = ready.export()
    digest = digest_of(ready)
    path, said = layout.check_file(digest), transfer(made.folder)
    data = (made.folder / path).read_bytes()
    assert sha256(data).hexdigest() == digest
    (listed,) = (one for one in said.files if one.path == path)
    assert (listed.sha256, listed.size) == (digest, len(data))
    assert said.requires == (SPELLED,)
    told = exported_data(made)
    assert "  Check rows travel: 1 file." in exported_lines(told)
    assert told["check_rows"] == {"files": 1, "staying": []}
    *_, rows, picture = confidential(ready)
    there = on(ready.medium)
    assert (rows in there, picture in there) == (True, False)
    assert sha256(picture).hexdigest().encode() in there, "by its digest alone"


def test_p0_203_the_same_export_again_is_the_same_transfer(ready: Acme) -> None:
    lets(ready)
    first, rows = ready.export(), ready.rows()
    again = ready.export()
    assert (again.transfer, again.again) == (first.transfer, True)
    assert ready.rows() == rows
    ready.app.hub.home.blobs.remove(digest_of(ready))
    lost = ready.export()
    assert lost.transfer != first.transfer
    assert "their file is missing" in "\n".join(exported_lines(exported_data(lost)))


def test_p0_204_a_site_that_does_not_read_them_is_sent_none(ready: Acme) -> None:
    lets(ready)
    says(ready, without(FULL))
    made = ready.export()
    there = on(made.folder)
    assert all(one not in there for one in confidential(ready))
    assert transfer(made.folder).requires == ()
    words = "\n".join(exported_lines(exported_data(made)))
    assert f"stay at home: the software of {SITE} does not read them. Sealift 0.1 does" in words
    assert made.warnings == ()


def test_p0_204_what_one_team_lets_out_is_no_word_of_anothers(ready: Acme) -> None:
    lets(ready)
    with ready.app.hub.reading() as connection:
        site = Sites(connection).get(SITE)
        (mine,) = {one for _, _, one in current(Repository(connection), site).artifacts()}
        # As another team's artifact, with evidence of its own that names rows.
        theirs = replace(mine, path=mine.path.replace(f"/{TEAM}/", "/sound/"))
        both = check_row_files.of(ready.app.hub, connection, site, [mine, theirs])
        alone = check_row_files.of(ready.app.hub, connection, site, [theirs])
    assert both.travelling == {digest_of(ready)}
    assert (alone.travelling, len(alone.staying)) == (frozenset(), 1)
    assert "team sound does not let them travel" in alone.staying[0]
    assert alone.staying == both.staying


def test_p0_204_they_stay_again_once_the_team_says_so(ready: Acme) -> None:
    lets(ready)
    ready.export()
    lets(ready, travel=False)
    made = ready.export()
    there = on(made.folder)
    assert all(one not in there for one in confidential(ready))
    with ready.app.hub.reading() as connection:
        assert not lets_check_rows_travel(Repository(connection), TEAM)


def test_p0_204_the_log_holds_no_value_of_a_row(ready: Acme) -> None:
    lets(ready)
    ready.export()
    with ready.app.hub.engine.connect() as connection:
        bodies = connection.exec_driver_sql("SELECT body FROM log_entry").scalars().all()
    log = b"".join(map(bytes, bodies))
    assert all(one not in log for one in confidential(ready))
    assert json.loads(bodies[0])
