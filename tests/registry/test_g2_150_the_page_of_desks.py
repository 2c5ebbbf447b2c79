"""The page that says how people work from a desk, typed against a real `sealift serve`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyotp
import pytest

from sealift_registry.access import signing_in
from sealift_registry.access.calling import Grant
from sealift_registry.client.address import ServerAddress
from tests.pages import ROOT, blocks
from tests.registry.access_served import PASSWORD
from tests.registry.accounts_fixture import invited
from tests.registry.at_servers import AtServer, Desk, Said
from tests.registry.hub_fixture import MODEL, REQUESTER, Acme
from tests.registry.served_hub import serving
from tests.registry.test_g3_80_jobs_seen import asked as job_asked

pytestmark = pytest.mark.socket
PAGE = ROOT / "docs/how-to/work-from-a-desk.md"
ELSEWHERE = ("account take", "login anna", "assign", "export", "receive")
"""Commands of the page that ask for what nobody here types; they are typed with options, below. And
those of a dispatcher, which g2_70 types where there is a site."""
EVERYTHING = (Grant("viewer"), Grant("auditor"), Grant("operator"))


@dataclass(frozen=True)
class Invited:
    """Somebody who took their invitation, and has an authenticator."""

    name: str
    seed: str

    def login(self, desk: Desk) -> list[str]:
        """How they sign in with the code after that, where nobody can be asked."""
        (desk.folder / "password").write_text(f"{PASSWORD}\n")
        code = pyotp.TOTP(self.seed).at(datetime.now(UTC) + timedelta(seconds=30))
        return ["login", self.name, "--password-file", "password", "--code", code]


def took(acme: Acme, name: str, *grants: Grant) -> Invited:
    """Somebody takes an invitation, with the code that is shown now."""
    given = invited(acme, name, *grants)
    seed = signing_in.new_seed(acme.app.hub, given.secret).text
    code = pyotp.TOTP(seed).at(acme.app.hub.now())
    signing_in.take(acme.app.hub, given.secret, PASSWORD, seed, code)
    return Invited(name, seed)


@dataclass
class Story:
    """Who types what the page shows: each command whoever may."""

    people: dict[str, Desk]
    job: str

    def types(self, line: str) -> Said:
        words = [self._here(one) for one in shlex.split(line)[1:]]
        who = self._who(words)
        desk = self.people[who]
        if "--key" in words:
            words = [*words[: words.index("--key")], "--yes", *desk.key]
        if "carla.card" in words:
            words[words.index("carla.card")] = desk.card("ben")
        return desk.types(*words, server=False)

    def _here(self, word: str) -> str:
        return {"vision/digits/3": f"{MODEL}/1", "J-000017": self.job}.get(word, word)

    def _who(self, words: Sequence[str]) -> str:
        return {"promote": REQUESTER, "approve": "emil", "team": "anna"}.get(words[0], "vera")


def lines() -> list[str]:
    """The commands of the page, in order."""
    found = [line for one in blocks(PAGE, "sh") for line in one.text.splitlines()]
    return [one for one in found if one.startswith("sealift ")]


@pytest.fixture
def story(hub: Acme, monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    acme = hub
    names = {REQUESTER: (), "emil": (), "anna": (), "vera": EVERYTHING}
    people = {name: took(acme, name, *grants) for name, grants in names.items()}
    acme.request(2)
    job = job_asked(acme.app.hub).id
    desks = {}
    with serving(acme.root) as server:
        at = AtServer(acme, ServerAddress.parse(server.url))
        monkeypatch.setenv("SEALIFT_SERVER", server.url)
        for name, one in people.items():
            desk = desks[name] = Desk(at, name, acme.folder / "desks" / name)
            desk.folder.mkdir(parents=True)
            desk.has_passphrase()
            acme.trusted(desk.memory)
            said = desk.types(*one.login(desk), server=False)
            assert said.code == 0, said.err
            if name != "vera":
                bind = ["login", name, "--bind", "--yes", *desk.key]
                assert desk.types(*bind, server=False).code == 0
        yield Story(desks, job)


@pytest.mark.timeout(240)
def test_g2_150_what_the_page_shows_is_so(story: Story) -> None:
    for desk in story.people.values():
        assert desk.folder.is_dir()
    typed = []
    for line in lines():
        if line.startswith("sealift job watch") or any(
            line.startswith(f"sealift {one}") for one in ELSEWHERE
        ):
            continue
        said = story.types(line)
        assert said.code == 0, f"{line}\n{said.err}"
        typed.append(line)
    assert len(typed) > 7
    anna = story.people["anna"]
    assert list(anna.folder.glob("*.anna.signed")), "more stewards are to sign it"
    signed = Path(anna.folder, "add-approver-vision-ben.anna.signed")
    assert anna.types("submit", str(signed), server=False).code != 0
    assert anna.types("logout", server=False).code == 0
    assert "sealift login" in anna.types("whoami", server=False).err
