"""A result that comes again, too late, or broken: nothing is told that is not so, nothing stays."""

from __future__ import annotations

import pytest

from sealift_registry.conversion import build_run
from sealift_registry.conversion.refused import REFUSED
from sealift_signing.errors import RefusedError, SealiftError
from tests.registry.hub_fixture import Acme
from tests.registry.test_built_elsewhere import (  # noqa: F401 - fixtures
    SHOP,
    VARIANT,
    accepted,
    back,
    build,
    elsewhere,
    fill,
    sign_again,
)


def stopped(*_args: object) -> None:
    raise RefusedError("operator-unknown", "No runtime knows it.", next_step="Export anew.")


def told(acme: Acme, folder: str = "refused") -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        accepted(acme, folder)
    return caught.value


def blobs(acme: Acme) -> set[str]:
    return set(acme.app.hub.home.blobs.digests())


def test_f2_088_a_refused_result_again_adds_nothing_and_says_so(
    back: Acme,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fill(back, monkeypatch, stopped)
    first = told(back)
    assert back.types()[-1] == REFUSED
    before = back.rows()
    again = told(back)
    assert (again.code, again.what) == (
        first.code,
        f"{first.what} This result was taken in before, and adds nothing.",
    )
    assert again.advice == first.advice
    assert back.rows() == before
    back.close()
    assert "taken in before" in told(back).what


def test_f2_089_a_refused_result_of_before_the_variant_was_built_says_what_is_so(
    back: Acme,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fill(back, monkeypatch, stopped)
    assert accepted(back).new
    before = back.rows()
    late = told(back)
    assert late.code == "result-overtaken"
    assert str(VARIANT) in late.what
    assert SHOP in late.what
    assert "sealift show vision/tiny/1" in late.advice
    assert back.rows() == before


@pytest.mark.parametrize("name", ["check-rows", "variant", "result.json"])
def test_f2_090_of_a_result_that_is_not_taken_nothing_stays_behind(
    back: Acme,  # noqa: F811
    name: str,
) -> None:
    before = blobs(back)
    path = back.folder / "result" / name
    path = next(path.iterdir()) if path.is_dir() else path
    if name == "result.json":
        sign_again(back, manifest="0" * 64)
    else:
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
    with pytest.raises(SealiftError):
        accepted(back)
    assert blobs(back) == before
    assert not [one for one in back.app.hub.home.work.iterdir() if one.is_dir()]


def test_f2_091_nor_of_one_that_somebody_else_was_faster_than(back: Acme) -> None:  # noqa: F811
    """What is untried is told of their variant, and not of this result's."""
    sign_again(back, untried=("onnxruntime 1.17.3 was not tried.",))
    first = back.convert(1)
    before = blobs(back)
    later = accepted(back)
    assert not later.new
    assert later.untried == first.untried == ()
    assert blobs(back) == before


def test_f2_092_the_same_result_again_tells_what_it_told(back: Acme) -> None:  # noqa: F811
    sign_again(back, untried=("onnxruntime 1.17.3 was not tried.",))
    first = accepted(back)
    again = accepted(back)
    assert (first.new, again.new) == (True, False)
    assert again.untried == first.untried != ()


def test_f2_092_another_refused_result_is_one_of_its_own(
    back: Acme,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fill(back, monkeypatch, stopped)
    told(back)
    with monkeypatch.context() as there:
        there.setattr(build_run, "convert", stopped)
        build(back)
    assert "taken in before" not in told(back, "again").what
    assert back.types()[-2:] == [REFUSED, REFUSED]
