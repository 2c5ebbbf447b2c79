"""Taking in the answer at a terminal: what a person sees, and what they must type."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sealift_signing.errors import NotFoundError
from sealift_signing.words import eight_words, fingerprint, words_of
from sealift_sync.site.setup.initialising import begin_enrolment
from tests.hub_on_paper import GROUPS, PINS, SITE, HubOnPaper
from tests.site_on_paper import SiteOnPaper
from tests.terminals import lasting, on_a_terminal


@dataclass
class Desk:
    """A site that has asked, the answer on its medium, and what the hub's side knows."""

    site: SiteOnPaper
    answer: Path
    words: str
    digits: str

    def types(self, *lines: tuple[str, str], columns: int = 80) -> str:
        program = str(Path(sys.executable).with_name("sealift-site"))
        command = (program, "--home", str(self.site.root), "init", "--answer", str(self.answer))
        return on_a_terminal(*command, columns=columns, typed=lines)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    hub = HubOnPaper(tmp_path, datetime.now(UTC))
    site, answer = SiteOnPaper(tmp_path / "site", hub.now), tmp_path / "plant-7.answer"
    request = begin_enrolment(site.root, {}, SITE, GROUPS, site.clock)
    answer.write_bytes(hub.answer(request, pins=replace(PINS, least_approvals=2)))
    digits = fingerprint(hub.repository.current["root"])
    return Desk(site, answer, eight_words(answer.read_bytes()), digits)


@pytest.mark.parametrize("columns", [80, 40])
def test_a_person_types_both_and_copies_neither_from_the_screen(desk: Desk, columns: int) -> None:
    typed = (("Fingerprint:", words_of(desk.digits)), ("Eight words:", desk.words.upper()))
    screen = desk.types(*typed, columns=columns)
    shown, asked, _ = screen.partition("Fingerprint:")
    assert asked
    text = " ".join(shown.split())
    assert "each artifact: at least 2 approvals" in text
    for secret in (words_of(desk.digits), desk.digits, desk.words):
        assert secret not in text
    assert "is enrolled for production" in screen
    assert max(map(len, lasting(shown))) <= columns


@pytest.mark.parametrize("wrong", ["Fingerprint:", "Eight words:"])
def test_a_wrong_word_stores_nothing_and_says_no_right_one(
    desk: Desk, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    right = {"Fingerprint:": desk.digits, "Eight words:": desk.words}
    other = eight_words(b"another")
    screen = desk.types(*{**right, wrong: other}.items())
    assert "Nothing was enrolled" in screen
    assert "\x1b[1;31m" not in screen
    hidden = words_of(desk.digits) if wrong == "Fingerprint:" else desk.words
    assert hidden not in " ".join(screen.split())
    with pytest.raises(NotFoundError, match="not enrolled yet"), desk.site.opened():
        pass
