"""A site's request, the hub's answer, and the eight words over all of it."""

import base64
import stat
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from sealift_signing import statements
from sealift_signing.errors import NotFoundError, RefusedError, SealiftError
from sealift_signing.public_key import PublicKey
from sealift_signing.statements import SiteRequest
from sealift_signing.words import words_of
from sealift_sync.site.setup.enrolment import Enrolment, TypedWords, check_answer
from sealift_sync.site.setup.initialising import begin_enrolment, finish_enrolment
from sealift_sync.site.state.database import State
from tests.hub_on_paper import GROUPS, SITE, HubOnPaper
from tests.site_on_paper import SiteOnPaper, as_told


@pytest.fixture
def blank(tmp_path: Path, hub: HubOnPaper) -> SiteOnPaper:
    return SiteOnPaper(tmp_path / "blank", hub.now)


def ask(site: SiteOnPaper) -> bytes:
    return begin_enrolment(site.root, site.environment, SITE, GROUPS, site.clock)


def check(site: SiteOnPaper, answer: bytes) -> Enrolment:
    """The enrolment that `answer` would make."""
    state = State(site.root / "sealift.db")
    try:
        return check_answer(state, answer)
    finally:
        state.close()


def take(
    site: SiteOnPaper, answer: bytes, typed: Callable[[Enrolment], TypedWords] = as_told
) -> None:
    finish_enrolment(site.root, site.environment, answer, site.clock, typed)


def test_the_request_is_signed_by_the_key_it_is_about(blank: SiteOnPaper) -> None:
    request = statements.read(SiteRequest, ask(blank), what="the request")
    key = PublicKey.parse(request.predicate.key)
    statements.verify(request, key, what="the request")
    assert request.about("sites/plant-7/key", sha256(key.raw).hexdigest())
    assert request.predicate.groups == GROUPS


def test_the_key_and_its_passphrase_are_their_owners_alone(blank: SiteOnPaper) -> None:
    ask(blank)
    keys = blank.root / "keys"
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700
    for name in ("site.pem", "passphrase"):
        assert stat.S_IMODE((keys / name).stat().st_mode) == 0o600
    assert b"ENCRYPTED" in (keys / "site.pem").read_bytes()


def test_a_passphrase_in_the_environment_is_not_written_down(tmp_path: Path) -> None:
    environment = {"SEALIFT_PASSPHRASE_SITE": "by heart"}
    from tests.trust import NOW

    site = SiteOnPaper(tmp_path / "site", NOW, environment)
    ask(site)
    assert not (site.root / "keys/passphrase").exists()


def test_asking_again_before_the_answer_replaces_the_request(
    hub: HubOnPaper, blank: SiteOnPaper
) -> None:
    first = hub.answer(ask(blank))
    take_second = hub.answer(ask(blank))
    with pytest.raises(RefusedError, match="not for this site's last one"):
        take(blank, first)
    take(blank, take_second)


def test_the_answer_belongs_to_the_request(
    hub: HubOnPaper, blank: SiteOnPaper, tmp_path: Path
) -> None:
    ask(blank)
    other = SiteOnPaper(tmp_path / "other", hub.now)
    with pytest.raises(RefusedError, match="not for this site's last one"):
        take(blank, hub.answer(ask(other)))


def test_t0_134_what_was_not_told_by_people_enrols_nothing(
    hub: HubOnPaper, blank: SiteOnPaper, tmp_path: Path
) -> None:
    """An attacker on the way answers the request with an organisation of its own."""
    request = ask(blank)
    told = check(blank, hub.answer(request))
    forger = HubOnPaper(tmp_path / "forger", hub.now)
    answers = {
        "fingerprint-differs": forger.answer(request),
        "words-differ": hub.answer(request, floors={"timestamp": 1_000}),
    }
    for code, answer in answers.items():
        before = blank.picture()
        with pytest.raises(RefusedError) as caught:
            take(blank, answer, lambda _: as_told(told))
        assert caught.value.code == code
        said = f"{caught.value.what} {caught.value.next_step}"
        other = check(blank, answer)
        assert not any(one in said for one in (other.words, other.fingerprint, other.id))
        assert blank.picture() == before
        with pytest.raises(NotFoundError, match="not enrolled yet"), blank.opened():
            pass


@pytest.mark.parametrize(
    "fingerprint, words, code",
    [
        ("yes", "yes", "fingerprint-differs"),
        ("", "", "fingerprint-differs"),
        ("{digits}", "yes", "words-differ"),
        ("{digits}", "{words} {words}", "words-differ"),
        ("{digits}", "{fingerprint}", "words-differ"),
        ("{words}", "{words}", "fingerprint-differs"),
        ("{organisation}", "{words}", "fingerprint-differs"),
    ],
)
def test_both_must_be_typed_and_all_of_both(
    hub: HubOnPaper, blank: SiteOnPaper, fingerprint: str, words: str, code: str
) -> None:
    answer = hub.answer(ask(blank))
    known = check(blank, answer)
    told = {
        "digits": known.fingerprint,
        "fingerprint": words_of(known.fingerprint),
        "words": known.words,
        "organisation": known.organisation,
    }
    typed = TypedWords(fingerprint.format_map(told), words.format_map(told))
    with pytest.raises(RefusedError) as caught:
        take(blank, answer, lambda _: typed)
    assert caught.value.code == code
    take(blank, answer, lambda _: TypedWords(words_of(known.fingerprint).upper(), known.words))


def test_the_fingerprint_is_that_of_the_newest_root(hub: HubOnPaper, blank: SiteOnPaper) -> None:
    request = ask(blank)
    before = check(blank, hub.answer(request))
    hub.repository.rotate("timestamp", 1, "t-2")
    answer = hub.answer(request)
    after = check(blank, answer)
    assert after.organisation == before.organisation
    with pytest.raises(RefusedError, match="fingerprint of the organisation"):
        take(blank, answer, lambda _: TypedWords(before.fingerprint, after.words))
    take(blank, answer)


def test_the_same_answer_twice_is_no_error_and_another_is(
    hub: HubOnPaper, blank: SiteOnPaper
) -> None:
    request = ask(blank)
    answer = hub.answer(request)
    take(blank, answer)
    take(blank, answer)
    assert [entry.type for entry in blank.entries()] == ["site.enrolled"]
    with pytest.raises(RefusedError, match="enrolled already"):
        take(blank, hub.answer(request, stage="staging"))
    with pytest.raises(RefusedError, match="enrolled already"):
        ask(blank)


def test_every_root_is_carried_and_checked(hub: HubOnPaper, blank: SiteOnPaper) -> None:
    hub.repository.rotate("timestamp", 1, "t-2")
    request = ask(blank)
    roots = [base64.b64encode(data).decode() for data in hub.roots()]
    for wrong in (roots[1:], roots[:1] + roots[:1], [*roots, roots[1]], []):
        with pytest.raises(SealiftError):
            take(blank, hub.answer(request, roots=tuple(wrong)))
    forged = base64.b64encode(hub.fork_root().replace(b"2028", b"2029")).decode()
    with pytest.raises(SealiftError):
        take(blank, hub.answer(request, roots=(roots[0], forged)))
    take(blank, hub.answer(request))
    with blank.opened() as site:
        assert sorted(site.state.roots()) == [1, 2]


def test_the_organisation_is_the_first_root(hub: HubOnPaper, blank: SiteOnPaper) -> None:
    request = ask(blank)
    with pytest.raises(RefusedError, match="not the one that its organisation is named by"):
        take(blank, hub.answer(request, organisation="a" * 64))


def test_the_first_floors_are_kept(hub: HubOnPaper, blank: SiteOnPaper, tmp_path: Path) -> None:
    take(blank, hub.answer(ask(blank), floors={"timestamp": 1_000}))
    hub.assign(hub.promote(1))
    assert blank.refuses(hub.export(tmp_path / "medium")).code == "below-floor"


def test_an_answer_without_a_request_is_refused(
    hub: HubOnPaper, blank: SiteOnPaper, tmp_path: Path
) -> None:
    answer = hub.answer(ask(blank))
    elsewhere = SiteOnPaper(tmp_path / "elsewhere", hub.now)
    with pytest.raises(NotFoundError, match="no Sealift site"):
        take(elsewhere, answer)
