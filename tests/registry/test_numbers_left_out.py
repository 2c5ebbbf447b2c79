"""A thief of one key signs a number far ahead, so that no honest version comes after it."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from sealift_registry.delivery.exports import Exported
from sealift_registry.trust.stored import stored
from sealift_signing import documents, publishing, shape
from sealift_signing.documents import MachineKey
from sealift_signing.drafts import CarriedDocument, RoleVersion, encoded
from sealift_signing.version_links import SkippedError
from tests.registry.hub_fixture import Acme
from tests.site_on_paper import SiteOnPaper
from tests.stores import copy_tree

FAR = 10**15 - 1


def far_ahead(acme: Acme, number: int) -> RoleVersion:
    """A version of `fleet` by one administrator's key, with a scanner of the thief's own."""
    with acme.app.hub.reading() as connection:
        found = stored(connection)
        base, organisation, known = found.head("fleet"), found.id, found.fleet_keys()
    mine = MachineKey(acme.new_key("mallory").text, "hub-scanner-2", "scanner", "active")
    path, data = documents.FLEET_KEYS_PATH, shape.write(replace(known, keys=(*known.keys, mine)))
    metadata = publishing.following(base.metadata, expires=base.expires, version=number)
    publishing.list_document(metadata.signed, path, data)
    publishing.sign(metadata, [acme.signer("fleet-1")])
    carried = (CarriedDocument(path, encoded(data)),)
    signed = encoded(publishing.to_bytes(metadata))
    return RoleVersion(1, (), organisation, "fleet", signed, carried, (), ())


def exported(acme: Acme, name: str) -> Exported:
    (acme.folder / name).mkdir()
    return acme.export(to=acme.folder / name, full=True)


@pytest.mark.parametrize("number", [FAR, 50])
def test_t0_191_no_number_is_left_out_at_the_hub(ready: Acme, number: int) -> None:
    """It was published as `role.restored`, and no site took the next honest version."""
    before = ready.rows()["tuf_metadata"]
    with pytest.raises(SkippedError, match=f"Version {number} of fleet"):
        ready.app.take_back(far_ahead(ready, number))
    assert ready.rows()["tuf_metadata"] == before
    ready.renew("fleet", "fleet-1")


def test_t0_192_no_number_is_left_out_at_a_site(ready: Acme, plant: SiteOnPaper) -> None:
    """Whoever owns the hub publishes it all the same; the site refuses it, and takes the next."""
    plant.take(exported(ready, "first").folder)
    home = ready.folder / "honest"
    ready.close()
    copy_tree(ready.root, home)
    with pytest.MonkeyPatch.context() as owned:
        owned.setattr("sealift_signing.version_links.check_accounted", lambda *_: None)
        ready.app.take_back(far_ahead(ready, FAR))
        folder = exported(ready, "far").folder
    assert plant.refuses(folder).code == "role-skipped"
    ready.close()
    shutil.rmtree(ready.root)
    copy_tree(home, ready.root)
    ready.renew("fleet", "fleet-1")
    plant.take(exported(ready, "next").folder)
