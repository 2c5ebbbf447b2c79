"""A row of a version that nobody took in swallows nothing, and is not shown as one that is."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import update

from sealift_registry.catalog.tables import model_version
from sealift_registry.intake.onnx_source import OnnxSource
from sealift_registry.intake.source import SourceRecord
from sealift_signing import shape
from tests import models
from tests.registry.hub_fixture import Acme, quiet, version
from tests.registry.test_g1_210_rows_that_nobody_signed import put, refused
from tests.stores import unguard

NEXT = 9


def record_of(folder: Path, seed: int) -> SourceRecord:
    """What a model's source says of it."""
    path = folder / f"tiny-{seed}.onnx"
    models.tiny_onnx(path, seed)
    work = folder / "looked-at"
    return OnnxSource(path).fetch(work, quiet)


@pytest.mark.parametrize("number", [0, -3, 3, 9000])
def test_g1_263_what_is_taken_in_is_not_said_to_be_here(ready: Acme, number: int) -> None:
    """Whoever may add rows has it called an older one: it would never be looked at, nor run."""
    put(ready, "model_version", number=number, identity=record_of(ready.folder, NEXT).identity())
    before = ready.types()
    assert refused(lambda: ready.ingest(NEXT)).endswith(f"number = {number}")
    assert ready.types() == before


def test_g1_263_not_even_as_one_that_was_taken_in(ready: Acme) -> None:
    """The owner gives a version that is there the identity of the one that comes."""
    record = record_of(ready.folder, NEXT)
    with ready.stranger() as connection:
        unguard(connection)
        of = model_version.c.number == 1
        connection.execute(update(model_version).where(of).values(identity=record.identity()))
    assert refused(lambda: ready.ingest(NEXT)).startswith("model_version WHERE identity = ")
    with ready.stranger() as connection:
        connection.execute(update(model_version).where(of).values(source=shape.write(record)))
    assert refused(lambda: ready.ingest(NEXT)).endswith("number = 1")


def test_g1_263_nor_is_it_converted_or_asked_for(ready: Acme) -> None:
    put(ready, "model_version", number=3, identity="forged")
    assert refused(lambda: ready.convert(3)).endswith("number = 3")
    assert refused(lambda: ready.request(3)).endswith("number = 3")


def test_g1_263_what_is_here_is_still_found(ready: Acme) -> None:
    again = ready.ingest(1, ready.goldens())
    assert (again.version.ref, again.new) == (version(1), False)
