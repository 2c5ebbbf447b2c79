"""An account of a server is bound to whoever signs for it: that account, there, once, and soon."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pytest

from sealift_signing import drafts, statements
from sealift_signing.account_binding import NAME, AccountBinding
from sealift_signing.acts.material import Ask
from sealift_signing.drafts import Draft
from sealift_signing.errors import MalformedError, RefusedError, SealiftError, UsageError
from sealift_signing.vocabulary import moment
from sealift_signing.words import words_of
from tests.desks import Acme

SERVER, CHALLENGE = "https://hub.example", "8" * 64


def facts(acme: Acme, **more: str) -> Mapping[str, tuple[str, ...]]:
    given = {"challenge": CHALLENGE, "until": moment(acme.now + timedelta(minutes=30)), **more}
    return {name: (value,) for name, value in given.items()}


def asked(acme: Acme, account: str = "carla", server: str = SERVER, **more: str) -> Draft:
    acme.trusting("carla")
    return acme.draft("bind-account", account, server, facts=facts(acme, **more))


def code(acme: Acme, draft: Draft, *named: str) -> str:
    with pytest.raises(SealiftError) as caught:
        acme.sign(draft, "carla", Ask("bind-account", named or draft.object, {}))
    return caught.value.code


def test_g2_160_what_is_signed_names_all_that_it_is_for(acme: Acme) -> None:
    draft = asked(acme)
    signed = acme.sign(draft, "carla")
    (part,) = signed.parts
    assert part.name == NAME
    found = statements.read(AccountBinding, drafts.to_envelope(part), what="it")
    statements.verify(found, acme.keys.public("carla"), what="it")
    said = found.predicate
    assert (said.organisation, said.server, said.account) == (
        acme.organisation.id,
        SERVER,
        "carla",
    )
    assert (said.challenge, said.made) == (CHALLENGE, moment(acme.now))
    assert said.ends == moment(acme.now + timedelta(minutes=30))
    assert found.subjects == (said.subject(),)
    assert {one.role for one in draft.roles} == {"targets"}, "nothing more is carried"


def test_g2_160_whoever_signs_reads_account_server_and_the_challenges_words(acme: Acme) -> None:
    words = acme.examine(asked(acme), "carla").words
    said = "\n".join(words)
    assert f"The account carla of the server {SERVER} is yours." in said
    assert words_of(CHALLENGE) in said
    assert "nothing is signed for you by that" in said


def test_g2_161_another_account_or_server_than_named_is_refused(acme: Acme) -> None:
    draft = asked(acme)
    assert code(acme, draft, "dora", SERVER) == "other-act"
    assert code(acme, draft, "carla", "https://hub.example:8443") == "other-act"
    assert code(acme, draft, "carla", "https://hub.exarnple") == "other-act"
    acme.trusting("carla")
    with pytest.raises(RefusedError) as caught:
        acme.sign(draft, "carla", Ask("renew", ("team.vision",), {}))
    assert caught.value.code == "other-act"


@pytest.mark.parametrize(
    "server",
    [
        "https://hub.example/",
        "https://hub.example/api",
        "https://HUB.example",
        "https://hub.example@evil.example",
        "https://hub.еxample",  # noqa: RUF001 - that is the attack
        "https://hub.example\u202e",
        "hub.example",
        "file:///etc",
        "https://hub.example:0",
        "https://hub..example",
        "https://hub.example?x=1",
        f"https://{'a' * 260}",
    ],
)
def test_g2_161_a_server_has_one_spelling_in_ascii(acme: Acme, server: str) -> None:
    with pytest.raises(UsageError) as caught:
        asked(acme, server=server)
    assert caught.value.code == "bad-server"


@pytest.mark.parametrize(
    "server", ["http://127.0.0.1:8000", "https://[::1]:8443", "https://hub-2.plant.example"]
)
def test_g2_161_servers_that_there_may_be(acme: Acme, server: str) -> None:
    assert acme.sign(asked(acme, server=server), "carla").parts


def test_g2_161_an_account_is_called_as_people_are(acme: Acme) -> None:
    with pytest.raises(UsageError) as caught:
        asked(acme, account="Carla ")
    assert caught.value.code == "bad-account"


def test_g2_162_what_is_over_or_could_be_kept_for_long_is_not_signed(acme: Acme) -> None:
    draft, began = asked(acme), acme.now
    acme.now = began + timedelta(hours=20)  # of the clocks one may be wrong
    assert acme.sign(draft, "carla").parts
    acme.now = began + timedelta(hours=26)
    assert code(acme, draft) == "challenge-over"
    acme.now = began
    with pytest.raises(RefusedError) as caught:
        asked(acme, until=moment(acme.now + timedelta(minutes=61)))
    assert caught.value.code == "challenge-too-long"
    acme.now = began - timedelta(hours=20)
    late = asked(acme, until=moment(acme.now + timedelta(minutes=59)))
    acme.now -= timedelta(hours=26)
    assert code(acme, late) == "dated-ahead"


@pytest.mark.parametrize(
    "more", [{"challenge": "8" * 63}, {"challenge": "eight"}, {"until": "tomorrow"}]
)
def test_g2_162_a_draft_without_a_challenge_is_none(acme: Acme, more: Mapping[str, str]) -> None:
    with pytest.raises(MalformedError) as caught:
        asked(acme, **more)
    assert caught.value.code == "bad-draft"


def test_g2_163_it_is_signed_once_and_carries_nothing_else(acme: Acme) -> None:
    draft = asked(acme)
    assert code(acme, acme.sign(draft, "carla")) == "signed-already"
    acme.trusting("carla")
    with pytest.raises(RefusedError) as caught:
        acme.sign(
            acme.draft(
                "bind-account", "carla", SERVER, facts={**facts(acme), "site": ("plant-7",)}
            ),
            "carla",
        )
    assert caught.value.code == "draft-holds-more"
