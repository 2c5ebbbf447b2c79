"""People who leave, come back, or have another key: what stewards say of them in a team's list.

`retire-person`, `call-compromised`, `reinstate-person`, `add-key`, `replace-key`, `remove-key`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from sealift_signing import documents, roles
from sealift_signing.acts import offices, still_counting, wording
from sealift_signing.acts.material import Ask, Material, Prepared
from sealift_signing.acts.member_list import list_members
from sealift_signing.acts.names import CONSEQUENCE, OLD, ONLY, WITHOUT_LIST
from sealift_signing.acts.still_counting import Found
from sealift_signing.acts.teams import check_enters, check_team
from sealift_signing.approvals import approve
from sealift_signing.documents import MemberKey, Members, Person
from sealift_signing.drawing import drawn, pasted, word
from sealift_signing.enough_people import who_may
from sealift_signing.errors import NotFoundError, RefusedError, UsageError
from sealift_signing.organisation import Organisation
from sealift_signing.public_key import PublicKey
from sealift_signing.vocabulary import counted

SHORTEST = 8
"""Digits of a key's id, at least, by which a person names it."""


@dataclass(frozen=True)
class Changed:
    """A team's people after one of these acts.

    Attributes:
        members: all of them.
        person: whom it is about.
        words: what becomes of them and of their keys, in lines.
        found: what goes on counting of keys that it retires.
    """

    members: Members
    person: Person
    words: tuple[str, ...]
    found: tuple[Found, ...] = ()


def change(organisation: Organisation, ask: Ask, material: Material) -> Prepared:
    """Any of these acts: the next version of the team's list, and all that is said of it.

    Raises:
        NotFoundError: there is no such team, person or key.
        RefusedError: nothing would change, or what is asked for is another act.
        BadSignatureError: a statement that came along is not signed with the key that it names.
    """
    after = changed(organisation, ask, material)
    listed = list_members(organisation, material, after.members)
    who, team = after.person.id, after.members.team
    entered = listed.members.person(who)
    words = (
        *after.words,
        *wording.indented(_going_on(after.found)),
        *wording.indented(_consequences(ask, material)),
        *wording.indented(_left(organisation, after.members, after.person)),
        *wording.indented(_besides(organisation, who, documents.members_path(team))),
        f"{listed.becomes}. {who} is then:",
        *wording.indented(wording.person(entered) if entered else []),
        "Besides, it says as before:",
        *wording.indented(wording.members(listed.without(who))),
    )
    return Prepared((listed.part,), words)


def changed(organisation: Organisation, ask: Ask, material: Material) -> Changed:
    """A team's people after one of these acts; the hub asks it, too, for what would come of it.

    Raises:
        NotFoundError, RefusedError, BadSignatureError: as `change`.
    """
    team, who = ask.object[:2]
    check_team(organisation, team)
    members = organisation.members(team)
    person = members.person(who) if members else None
    if members is None or person is None:
        raise NotFoundError(
            "no-such-member",
            f"Team {team} knows nobody called {word(who)}.",
            subject=who,
            next_step="Its people are: "
            f"{', '.join(one.id for one in members.people) if members else 'none yet'}.",
        )
    return _ACTS[ask.act](_Change(organisation, ask, material, members, person))


@dataclass(frozen=True)
class _Change:
    """One of these acts, upon one person of a team."""

    organisation: Organisation
    ask: Ask
    material: Material
    members: Members
    person: Person

    def made(self, words: Iterable[str], *found: Found, **changes: object) -> Changed:
        person = replace(self.person, **changes)  # type: ignore[arg-type]
        people = tuple(person if one.id == person.id else one for one in self.members.people)
        return Changed(replace(self.members, people=people), person, tuple(words), found)

    @property
    def name(self) -> str:
        return f"{self.person.id} in team {self.members.team}"

    def has_key(self, named: str) -> MemberKey:
        """The key that is named by its text, or by the first digits of its id.

        Raises:
            NotFoundError: the person has none such, or several.
        """
        keys = [
            key
            for key in self.person.keys
            if key.key == named
            or (len(named) >= SHORTEST and PublicKey.parse(key.key).keyid.startswith(named))
        ]
        if len(keys) != 1:
            raise NotFoundError(
                "no-such-key",
                f"{word(named)} names no one key of {self.name}.",
                subject=named,
                next_step="Name it by its text, or by the first digits of its id: "
                f"{', '.join(map(_short, self.person.keys))}.",
            )
        return keys[0]

    def active(self, key: MemberKey) -> MemberKey:
        """`key`, with which something new can be signed.

        Raises:
            RefusedError: it cannot.
        """
        status = self.person.status_of(key)
        if status != "active":
            raise _nothing_changes(f"The key {key.key} of {self.name} is {status} already.", self)
        return key

    def new_key(self, like: Iterable[MemberKey]) -> MemberKey:
        """The key of the card that came along, entitled to what those keys were.

        Raises:
            NotFoundError: no card of this person came along.
            RefusedError: the key is somebody else's, was lost, or is one that the person had.
        """
        card, role = self.material.carried.card(self.person.id), roles.team_role(self.members.team)
        check_enters(self.organisation, card)
        said = card.predicate
        public = PublicKey.parse(said.key)
        self.material.check_not_lost(self.person.id, public, role, roles.TARGETS, roles.ROOT)
        if any(key.key == said.key for key in self.person.keys):
            raise RefusedError(
                "key-not-new",
                f"The card is of a key that {self.name} has, or had: {said.key}.",
                subject=self.person.id,
                next_step="Make a new key: sealift-sign key new FILE",
            )
        purposes = tuple(sorted({use for key in like for use in key.purposes}))
        return MemberKey(said.key, said.key_class, purposes)

    def retired(self, key: MemberKey) -> tuple[tuple[MemberKey, ...], tuple[Found, ...]]:
        """What stays in the list of a key that is retired, and what goes on counting of it.

        Without a list it leaves, and with it all that it signed.
        """
        if self.ask.values(WITHOUT_LIST):
            return (), ()
        found = still_counting.found(
            self.organisation, self.members.team, self.person.id, key, self.material
        )
        counts = tuple(one.counts for one in found)
        return (replace(key, status="retired", counts=counts),), found

    def new_words(self, key: MemberKey) -> str:
        return f"  new: the {key.key_class} key {key.key}, to: {wording.purposes(key.purposes)}"


def _retire(act: _Change) -> Changed:
    if act.person.status != "active":
        raise _nothing_changes(f"{act.name} is {act.person.status} already.", act)
    if act.ask.values(WITHOUT_LIST):
        words = (
            f"Retire {act.name}, WITHOUT a list:",
            "  nothing that they asked for or approved counts any more, whenever it was.",
        )
        return act.made(words, status="retired")
    kept: list[MemberKey] = []
    found: list[Found] = []
    for key in act.person.keys:
        if key.status is None:
            (left,), counts = act.retired(key)
            kept.append(left)
            found += counts
        else:
            kept.append(key)
    words = (
        f"Retire {act.name}: they sign nothing new there.",
        "  What is listed below goes on counting; nothing else does, whatever its date.",
    )
    return act.made(words, *found, status="retired", keys=tuple(kept))


def _compromised(act: _Change) -> Changed:
    if act.person.status == "compromised":
        raise _nothing_changes(f"{act.name} is compromised already.", act)
    named = act.ask.value(ONLY)
    lost = act.has_key(named) if named else None
    if lost is not None and lost.status == "compromised":
        raise _nothing_changes(f"The key {lost.key} of {act.name} is so already.", act)
    never = "  Nothing that it ever signed counts, for ever; whoever comes back gets a new key."
    others = [key for key in act.person.keys if key is not lost and key.status != "compromised"]
    if lost is None or not others:  # every key that they have: what older sites read, too
        keys = tuple(replace(key, status=None, counts=None) for key in act.person.keys)
        first = f"Call {act.name} COMPROMISED, with every key:"
        return act.made((first, never), status="compromised", keys=keys)
    words = (f"Call one key of {act.name} COMPROMISED, and not the others:", f"  {lost.key}", never)
    marked = (replace(lost, status="compromised", counts=None),)
    return act.made(words, keys=_with(act, lost, marked))


def _reinstate(act: _Change) -> Changed:
    status = act.person.status
    if status == "active" and act.person.active_keys:
        raise _nothing_changes(f"{act.name} is active.", act)
    new = act.new_key(act.person.keys)
    if status == "compromised":
        kept: tuple[MemberKey, ...] = ()
        old = "  What they signed before counts no more, as before; those keys leave the list."
    else:
        # A key that never had a list of its own stays retired, with nothing that counts.
        kept = tuple(
            replace(key, status="retired", counts=()) if key.status is None else key
            for key in act.person.keys
        )
        old = "  The keys of before stay as they are; none of them becomes active again."
    words = (f"Take {act.name} back, with a new key:", act.new_words(new), old)
    return act.made(words, status="active", keys=(*kept, new))


def _add_key(act: _Change) -> Changed:
    _check_active(act)
    new = act.new_key(act.person.active_keys)
    words = (f"Give {act.name} another key, beside those that they have:", act.new_words(new))
    return act.made(words, keys=(*act.person.keys, new))


def _replace_key(act: _Change) -> Changed:
    _check_active(act)
    named, active = act.ask.value(OLD), act.person.active_keys
    if not named and len(active) > 1:
        raise UsageError(
            "which-of-keys",
            f"{act.name} has {len(active)} active keys; which one is replaced is not said.",
            subject=act.person.id,
            next_step=f"Add --{OLD} with one of: {', '.join(_short(one) for one in active)}.",
        )
    old = act.active(act.has_key(named)) if named else active[0]
    new, (kept, found) = act.new_key([old]), act.retired(old)
    words = (
        f"Replace a key of {act.name}:",
        act.new_words(new),
        f"  in place of {old.key}, which {_what_is_left(act)}",
    )
    return act.made(words, *found, keys=_with(act, old, (*kept, new)))


def _remove_key(act: _Change) -> Changed:
    _check_active(act)
    old = act.active(act.has_key(act.ask.object[2]))
    if act.person.active_keys == (old,):
        raise RefusedError(
            "last-key",
            f"It is the only key with which {act.name} signs.",
            subject=act.person.id,
            next_step="Retire the person, or replace the key: sealift person --help",
        )
    kept, found = act.retired(old)
    words = (f"Remove a key of {act.name}:", f"  {old.key}, which {_what_is_left(act)}")
    return act.made(words, *found, keys=_with(act, old, kept))


def _check_active(act: _Change) -> None:
    """Check that the person signs with some key: who does not is taken back by an act for that.

    Raises:
        RefusedError: they do not.
    """
    if act.person.status != "active" or not act.person.active_keys:
        gone = "without an active key" if act.person.status == "active" else act.person.status
        raise RefusedError(
            "person-not-active",
            f"{act.name} is {gone}.",
            subject=act.person.id,
            next_step=f"Take them back with a new key: sealift person reinstate "
            f"{pasted([act.members.team])} CARD",
        )


def _what_is_left(act: _Change) -> str:
    if act.ask.values(WITHOUT_LIST):
        return "leaves the list, WITHOUT a list of its own: nothing that it signed counts any more."
    return "is retired: what is listed below goes on counting, and nothing else of it does."


def _with(act: _Change, old: MemberKey, there: tuple[MemberKey, ...]) -> tuple[MemberKey, ...]:
    """The person's keys, those in place of the old one."""
    return tuple(new for key in act.person.keys for new in (there if key is old else (key,)))


def _short(key: MemberKey) -> str:
    return PublicKey.parse(key.key).keyid[:SHORTEST]


_ACTS: Mapping[str, Callable[[_Change], Changed]] = {
    "retire-person": _retire,
    "call-compromised": _compromised,
    "reinstate-person": _reinstate,
    "add-key": _add_key,
    "replace-key": _replace_key,
    "remove-key": _remove_key,
}
_TAKES_NOTHING = frozenset({"reinstate-person", "add-key"})


def _nothing_changes(sentence: str, act: _Change) -> RefusedError:
    return RefusedError(
        "nothing-changes",
        sentence,
        subject=act.person.id,
        next_step="See how it stands with: sealift team list",
    )


# ---------------------------------------------------------------------- what is said


def _going_on(found: Iterable[Found]) -> Iterator[str]:
    """What goes on counting, each by its digest: a hub may have left some out."""
    each = list(found)
    if each:
        yield f"{counted(len(each), 'statement')}, as far as the hub brought them, go on counting:"
    for one in each:
        yield f"  {one.words}, until {one.counts.until}: {one.counts.sha256[:12]}"


def _consequences(ask: Ask, material: Material) -> Iterator[str]:
    """What would come of it: only the hub knows what is listed and what runs where."""
    if ask.act in _TAKES_NOTHING:
        return
    lines = [drawn(one) for one in material.facts.get(CONSEQUENCE, ())]
    yield (
        "what would come of it today, as the hub says:"
        if lines
        else "nothing that is listed or open would change, as the hub says"
    )
    yield from wording.indented(lines)


def _left(organisation: Organisation, members: Members, person: Person) -> Iterator[str]:
    """Of the stages for which the person approved: who may then, and whether one may be away."""
    for stage, rule in sorted(organisation.policy().stages.items()):
        if not any(approve(stage) in key.purposes for key in person.keys):
            continue
        may = who_may(members, stage, rule)
        few = ""
        if len(may) < rule.approvals:
            few = ": TOO FEW"
        elif len(may) == rule.approvals:
            few = ": none of them may be away, or ask"
        yield (
            f"then may approve for {stage}, which asks for {rule.approvals}: "
            f"{', '.join(may) or 'nobody'}{few}"
        )


def _besides(organisation: Organisation, who: str, path: str) -> Iterator[str]:
    """The offices that somebody holds elsewhere, which go on as they are."""
    held = sorted({one.name for one in offices.offices(organisation) if _is(one, who, path)})
    if held:
        yield f"{who} holds elsewhere, and goes on to hold: {', '.join(held)}"


def _is(office: offices.Office, who: str, path: str) -> bool:
    return office.person == who and office.place != path
