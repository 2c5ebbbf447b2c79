"""`sealift init`, `key`, `team`, `next`: setting up, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sealift_registry.cli.group import sealift
from sealift_registry.cli.session import Session, command, holders, keys_option, user
from sealift_registry.cli.terminal import table

if TYPE_CHECKING:
    from sealift_registry.guide import Step
    from sealift_registry.trust.repository import Repository
    from sealift_signing.canonical import Json
    from sealift_signing.documents import KeyClass


@command(sealift, "init", example="sealift init --offline-keys /media/safe/keys --name 'Acme'")
@click.option(
    "--offline-keys", metavar="DIR", help="Make the offline keys in DIR, to be handed out."
)
@click.option("--solo", is_flag=True, help="For one person alone; everything says UNPROTECTED.")
@click.option(
    "--name", metavar="WORDS", default="", help="The organisation's name, as people read it."
)
@click.option(
    "--person", metavar="ID", default="", help="With --solo: your id. [default: your login name]"
)
def init(session: Session, *, offline_keys: str | None, solo: bool, name: str, person: str) -> None:
    """Set up a hub in a new home.

    With --offline-keys the full layout: root and targets need two of three keys, kept outside the
    home. With --solo one key does everything, and every bundle and receipt says UNPROTECTED.
    """
    from sealift_registry.trust import founding
    from sealift_registry.trust.ceremony import person_id
    from sealift_signing.errors import UsageError

    if solo == bool(offline_keys):
        raise UsageError(
            "init-how",
            "Say how the keys are kept: --offline-keys DIR, or --solo for one person alone.",
            next_step="See: sealift init --help",
        )
    if solo:
        who = person_id(person or user())
        hub = founding.found_solo(session.root, name or who, who, session.environment)
    else:
        hub = founding.found(
            session.root,
            name or "an organisation without a name",
            Path(offline_keys or ""),
            session.passphrases(new=True),
            session.environment,
        )
    hub.close()
    _tell_init(session, None if solo else offline_keys)


def _tell_init(session: Session, offline_keys: str | None) -> None:
    from sealift_registry.trust.repository import Repository
    from sealift_signing.words import words_of

    with session.app.hub.reading() as connection:
        repository = Repository(connection)
        organisation, reasons = repository.organisation(), repository.unprotected()
        fingerprint = repository.fingerprint()
    lines = [
        f"The hub at {session.root} is set up.",
        f"  organisation  {organisation}",
        f"  fingerprint   {words_of(fingerprint)}",
        f"                {fingerprint}",
    ]
    if offline_keys:
        lines += [
            f"  offline keys  {offline_keys}",
            *(f"    {needed:12}  {role}: {what}" for role, needed, what in _offices()),
            "",
            "Hand each key to its holder, on a medium of its own, and keep none here.",
        ]
    lines += ["", "Copy the fingerprint to paper: who installs a site types it from there."]
    if reasons:
        lines += ["", "UNPROTECTED: " + "; ".join(reasons) + "."]
    lines += ["", "Next: sealift next"]
    data = {
        "home": str(session.root),
        "organisation": organisation,
        "fingerprint": fingerprint,
        "offline_keys": offline_keys,
        "unprotected": list(reasons),
    }
    session.terminal.answer("init", data, "\n".join(lines))


def _offices() -> list[tuple[str, str, str]]:
    """Each role that is kept offline, how many of its keys must sign, and what it signs."""
    from sealift_registry.trust.ceremony import OFFLINE_HOLDERS

    uses = {
        "root": "the keys of the top roles",
        "targets": "teams and the policy",
        "fleet": "sites",
        "recall": "what must stop",
        "dispatcher": "assignments and bundles",
    }
    return [
        (role, f"{needed} of {count} sign", uses[role])
        for role, (needed, count) in OFFLINE_HOLDERS.items()
    ]


@sealift.group()
def key() -> None:
    """Make and show keys."""


@command(key, "new", example="sealift key new anna.pem")
@click.argument("file")
@click.option(
    "--scheme",
    type=click.Choice(["ed25519", "ecdsa-p256"]),
    default="ed25519",
    show_default=True,
    help="The signature scheme.",
)
def key_new(session: Session, *, file: str, scheme: str) -> None:
    """Make a key in a new file, encrypted with a passphrase.

    FILE.pub beside it holds the public key, which is all that anybody else needs.
    """
    from sealift_signing import keys

    path = keys.key_path(file)
    public = keys.new_key(path, session.passphrases(new=True).of(path), scheme=scheme)
    lines = (
        f"{path} is made.",
        f"  public key  {public.text}",
        "",
        f"Keep {path} to yourself; give out only its public key.",
    )
    text = "\n".join(lines)
    session.terminal.answer("key-new", {"file": str(path), "public": public.text}, text)


@command(key, "show", example="sealift key show anna.pem.pub")
@click.argument("file")
def key_show(session: Session, *, file: str) -> None:
    """Show a public key.

    FILE is a .pub file, a key file with its .pub beside it, or the key's text.
    """
    from sealift_signing import keys

    path = Path(f"{file}.pub")
    public = keys.read_public(str(path) if path.is_file() else file)
    text = f"{public.text}\n  TUF key id  {public.keyid}"
    session.terminal.answer("key-show", {"public": public.text, "keyid": public.keyid}, text)


@sealift.group()
def team() -> None:
    """Add teams, and say who may request and approve."""


@command(
    team,
    "add",
    example="sealift team add vision --steward anna=anna.pem.pub --steward ben=ben.pem.pub "
    "--key targets-1.pem --key targets-2.pem",
)
@click.argument("name")
@click.option(
    "--steward", "stewards", multiple=True, metavar="PERSON=PUBLIC-KEY", help="A steward."
)
@keys_option("A key of the targets role; once for each signature.")
def team_add(session: Session, *, name: str, stewards: Sequence[str], keys: Sequence[str]) -> None:
    """Add a team, and name its stewards.

    The stewards of NAME say who may request and approve: at least two. More than half of them, and
    two at least, must sign each list of members. In a hub for one person, that person is steward,
    requester and approver.
    """
    from sealift_registry.trust import teams
    from sealift_registry.trust.repository import Repository
    from sealift_signing import roles

    hub = session.app.hub
    signers = session.signers(keys)
    person = hub.home.settings.keys.person
    people = holders(stewards)
    if not people and person:
        from sealift_signing.public_key import PublicKey

        people = {person: PublicKey.from_tuf(signers[0].public_key)}
    with hub.reading() as connection:
        change = teams.draft_team(
            Repository(connection), name, people, signers, hub.online, hub.now()
        )
        actor = Repository(connection).who(roles.TARGETS, signers)
    data: dict[str, Json] = {
        "team": name,
        "stewards": {who: one.text for who, one in people.items()},
    }
    hub.commit_change(change, hub.entry("team.added", actor, data, {"team": name}))
    if person and not stewards:
        stages = _stages(session)
        own = f"{person}={people[person].text}"
        _change_member(session, name, own, (), requests=True, stages=stages)
    count = f"{len(people)} steward" + ("" if len(people) == 1 else "s")
    session.terminal.answer("team-add", data, f"Team {name} is added, with {count}.")


@command(
    team,
    "approver",
    example="sealift team approver vision carla=carla.pem.pub --key anna.pem --key ben.pem",
)
@click.argument("name")
@click.argument("person", metavar="PERSON=PUBLIC-KEY")
@click.option(
    "--stage", "stages", metavar="STAGE", multiple=True, help="Only for this stage. [default: all]"
)
@click.option(
    "--class",
    "key_class",
    type=click.Choice(["file", "hardware"]),
    default="file",
    show_default=True,
    help="Where the key is kept; the policy says which count.",
)
@keys_option("A steward's key; once for each signature.")
def team_approver(
    session: Session,
    *,
    name: str,
    person: str,
    stages: Sequence[str],
    key_class: str,
    keys: Sequence[str],
) -> None:
    """Let a person approve; signed by the team's stewards."""
    wanted = stages or _stages(session)
    _change_member(session, name, person, keys, stages=wanted, hardware=key_class == "hardware")
    words = f"{person.partition('=')[0]} may now approve for {', '.join(wanted)} in team {name}."
    session.terminal.answer("team-approver", {"team": name, "stages": list(wanted)}, words)


@command(
    team,
    "requester",
    example="sealift team requester vision dora=dora.pem.pub --key anna.pem --key ben.pem",
)
@click.argument("name")
@click.argument("person", metavar="PERSON=PUBLIC-KEY")
@keys_option("A steward's key; once for each signature.")
def team_requester(session: Session, *, name: str, person: str, keys: Sequence[str]) -> None:
    """Let a person request promotions; signed by the stewards."""
    _change_member(session, name, person, keys, requests=True)
    words = f"{person.partition('=')[0]} may now request promotions in team {name}."
    session.terminal.answer("team-requester", {"team": name}, words)


@command(team, "list", example="sealift team list")
def team_list(session: Session) -> None:
    """List teams, and who may do what in each."""
    from sealift_registry.trust.repository import Repository

    with session.app.hub.reading() as connection:
        repository = Repository(connection)
        found = [
            (name, _stewards(repository, name), repository.members(name))
            for name in sorted(repository.teams())
        ]
    headings = ("team", "person", "status", "keys", "may")
    rows: list[tuple[str, ...]] = []
    shown: list[tuple[str, ...]] = []
    for name, stewards, members in found:
        shown += [(name, who, "active", "", "steward") for who in stewards]
        for one in members.people if members else ():
            classes = ", ".join(sorted({k.key_class for k in one.keys}))
            uses = ", ".join(sorted({use for k in one.keys for use in k.purposes}))
            rows.append((name, one.id, one.status, classes, uses))
    add = "Add one with: sealift team add NAME --steward PERSON=PUBLIC-KEY …"
    text = table(headings, sorted(shown + rows)) if shown else f"There is no team yet. {add}"
    data = {
        "stewards": {name: list(stewards) for name, stewards, _ in found},
        "people": [dict(zip(headings, row, strict=True)) for row in rows],
    }
    session.terminal.answer("team-list", data, text)


@command(sealift, "renew", example="sealift renew team.vision --key anna.pem --key ben.pem")
@click.argument("role")
@keys_option("A key of the role; once for each signature.")
def renew(session: Session, *, role: str, keys: Sequence[str]) -> None:
    """Sign a role again before its signature expires.

    ROLE is root, targets, fleet, recall, team.NAME or site.ID. The hub renews its own roles itself.
    """
    from sealift_registry.trust.renewal import draft_renewal
    from sealift_registry.trust.repository import Repository
    from sealift_signing import roles
    from sealift_signing.vocabulary import moment
    from sealift_signing.words import words_of

    hub = session.app.hub
    with hub.reading() as connection:
        signers = session.signers(keys)
        change = draft_renewal(connection, role, signers, hub.now())
        actor = Repository(connection).who(role, signers)
    signed = change.metadata[role].signed
    data = {"role": role, "version": signed.version, "expires": moment(signed.expires)}
    is_now = "is now"
    if not hub.commit_change(change, hub.entry("role.renewed", actor, data)):
        with hub.reading() as connection:
            signed = Repository(connection).targets(role).signed  # root's, too
        data = {"role": role, "version": signed.version, "expires": moment(signed.expires)}
        is_now = "was signed with these keys within the hour and stays"
    text = f"{role} {is_now} version {signed.version}, valid until {moment(signed.expires)}."
    if role == roles.ROOT:
        with hub.reading() as connection:
            data["fingerprint"] = Repository(connection).fingerprint()
        text += f"\n  fingerprint  {words_of(data['fingerprint'])}"
        text += "\nCopy it to paper, in place of the one before."
    session.terminal.answer("renew", data, text)


@command(sealift, "next", example="sealift next")
def next_step(session: Session) -> None:
    """Say what is missing next: a sentence and a command each."""
    steps = _missing(session)
    text = "\n\n".join(f"{step.sentence}\n  {step.command}" for step in steps)
    data = {"missing": [{"sentence": s.sentence, "command": s.command} for s in steps]}
    session.terminal.answer("next", data, text or "Nothing is missing.")


def _missing(session: Session) -> Sequence[Step]:
    from sealift_registry import guide
    from sealift_signing.errors import NotFoundError

    try:
        return session.app.missing()
    except NotFoundError as bad:
        if bad.code != "no-hub":
            raise
        return [guide.no_hub(session.root)]


def _stewards(repository: Repository, name: str) -> Sequence[str]:
    from sealift_signing import roles

    return roles.keyholders(repository.targets().signed, roles.team_role(name)).people


def _stages(session: Session) -> tuple[str, ...]:
    from sealift_registry.trust.repository import Repository

    with session.app.hub.reading() as connection:
        return tuple(sorted(Repository(connection).policy().stages))


def _change_member(
    session: Session,
    name: str,
    person: str,
    keys: Sequence[str],
    *,
    requests: bool = False,
    stages: Sequence[str] = (),
    hardware: bool = False,
) -> None:
    """Publish the team's members with `person` (PERSON=PUBLIC-KEY) entitled to more."""
    from sealift_registry.trust import teams
    from sealift_registry.trust.repository import Repository
    from sealift_signing import roles

    hub = session.app.hub
    ((who, public),) = holders([person]).items()
    with hub.reading() as connection:
        repository = Repository(connection)
        members = teams.members_of(repository, name)
        wanted = teams.purposes(repository, requests=requests, stages=stages)
        kind: KeyClass = "hardware" if hardware else "file"
        changed = teams.with_person(members, who, public, wanted, kind)
        signers = session.signers(keys)
        change = teams.draft_members(repository, changed, signers, hub.now())
        actor = repository.who(roles.team_role(name), signers)
    data = {"team": name, "person": who, "key": public.text, "purposes": wanted}
    entry = hub.entry("team.members-changed", actor, data, {"team": name, "person": who})
    hub.commit_change(change, entry)
