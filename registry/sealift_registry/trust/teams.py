"""Acts of teams and stewards, as the hub drafts them; `sealift_signing.acts` says what they are."""

from __future__ import annotations

from collections.abc import Sequence

from sealift_registry.trust.hub import Hub
from sealift_registry.trust.hub_drafts import Wanted
from sealift_registry.trust.keys_elsewhere import catalog_key
from sealift_registry.trust.online_keys import NAMES
from sealift_registry.trust.repository import Repository
from sealift_signing import roles, statements
from sealift_signing.acts.material import Ask, SetAsideVersion
from sealift_signing.errors import RefusedError
from sealift_signing.public_key import PublicKey
from sealift_signing.statements import KeyCard

Card = tuple[str, bytes]
"""A key card, beside its owner."""


def team(
    hub: Hub, name: str, cards: Sequence[Card], aside: Sequence[SetAsideVersion] = ()
) -> Wanted:
    """A new team with these stewards.

    Raises:
        RefusedError: a key is one that the hub signs with by itself, of whatever use it is.
        FailedError: this host does not have the key that signs catalogs today.
    """
    hubs = {hub.online.public(one).raw for one in NAMES}
    for who, card in cards:
        if PublicKey.parse(_card(who, card).key).raw in hubs:
            raise RefusedError(
                "key-of-the-hub",
                f"The key given for {who} is one that the hub signs with by itself: whoever "
                "steals the hub would be a steward.",
                subject=who,
                next_step="Make a key for the person alone: sealift key new FILE",
            )
    with hub.reading() as connection:
        catalog = catalog_key(hub.online, connection)
    return Wanted(
        Ask("add-team", (name, *(who for who, _ in cards))),
        statements=tuple(card for _, card in cards),
        facts={"catalog-key": (catalog.text,)},
        others=tuple(aside),
    )


def is_so(repository: Repository, name: str, cards: Sequence[Card]) -> bool:
    """Whether there is such a team, with just these stewards: said again, it adds nothing."""
    if name not in repository.teams():
        return False
    owner = repository.targets().signed
    held = {who: key.text for who, key in roles.named_keys(owner, roles.team_role(name)).items()}
    return held == {who: _card(who, card).key for who, card in cards}


def _card(who: str, card: bytes) -> KeyCard:
    return statements.read(KeyCard, card, what=f"the key card of {who}").predicate


def lets_check_rows_travel(repository: Repository, name: str) -> bool:
    """Whether a team's stewards signed that check rows may leave the hub with its models."""
    members = repository.members(name)
    return members is not None and members.check_rows is not None


def stewards(
    name: str, people: Sequence[str], cards: Sequence[Card], aside: Sequence[SetAsideVersion] = ()
) -> Wanted:
    """Just these stewards; `cards` of those who are new."""
    return Wanted(
        Ask("set-stewards", (name, *people)),
        statements=tuple(card for _, card in cards),
        others=tuple(aside),
    )


def approver(
    name: str, card: Card, stages: Sequence[str] = (), aside: Sequence[SetAsideVersion] = ()
) -> Wanted:
    """Somebody who may approve, for all stages or for some."""
    details = {"stage": tuple(stages)} if stages else {}
    ask = Ask("add-approver", (name, card[0]), details)
    return Wanted(ask, statements=(card[1],), others=tuple(aside))


def requester(name: str, card: Card, aside: Sequence[SetAsideVersion] = ()) -> Wanted:
    """Somebody who may ask for promotions."""
    ask = Ask("add-requester", (name, card[0]))
    return Wanted(ask, statements=(card[1],), others=tuple(aside))


def renewal(role: str, aside: Sequence[SetAsideVersion] = ()) -> Wanted:
    """A role as it stands, because a signature lasts only so long."""
    return Wanted(Ask("renew", (role,)), others=tuple(aside))
