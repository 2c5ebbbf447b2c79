"""`trust`, `learn`, `share` and `heads`: how a memory begins, and how two of them are compared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sealift_signing.desk.cli.group import ORGANISATION, Session, command, sign
from sealift_signing.drawing import drawn, pasted, word
from sealift_signing.vocabulary import counted

if TYPE_CHECKING:
    from sealift_signing.drafts import Draft, Shared
    from sealift_signing.errors import UsageError
    from sealift_signing.memory_updates import MemoryComparison, Offer
    from sealift_signing.organisation_memory import OrganisationMemory
    from sealift_signing.version_links import VersionId


@command(sign, "trust", example="sealift-sign trust FINGERPRINT anna.memory")
@click.argument("fingerprint")
@click.argument("file")
@click.option("--alone", is_flag=True, help="FILE is from a hub: nobody has a memory yet.")
def trust(session: Session, *, fingerprint: str, file: str, alone: bool) -> None:
    """Begin a memory of an organisation, by its fingerprint from paper.

    FINGERPRINT is that of the newest root: eight words in quotes, or 64 digits, typed from paper.
    FILE is what a colleague wrote with `sealift-sign share`. Who is the first takes what a hub
    wrote with `sealift fingerprint`, or any draft: with --alone the memory begins from that,
    and says so until it has met another.
    """
    from sealift_signing.drafts import Draft
    from sealift_signing.errors import UsageError
    from sealift_signing.memory_updates import offered

    path = Path(file)
    carried = _carried(path)
    if isinstance(carried, Draft) and not alone:
        raise UsageError(
            "from-a-colleague",
            f"{path.name} is from a hub, whose owner chose what it shows, and it may be old.",
            subject=str(path),
            next_step="Have a colleague write what they know: sealift-sign share FILE. Only if "
            "you are the first, add --alone.",
        )
    known = session.memory.begin(
        offered(carried, _source(path)),
        fingerprint,
        session.now(),
        alone=alone,
    )
    count = counted(len(known.roles), "other role")
    lines = [f"Trusted here: {drawn(known.name)}, root {known.root.version}, and {count}."]
    if known.alone:
        lines.append(
            "ALONE: nobody's memory was compared with it. Take a colleague's in when there is "
            "one: sealift-sign learn FILE --colleague"
        )
    told = {**_known_json(known), "alone": known.alone}
    session.terminal.answer("trust", told, lines)


@command(sign, "learn", example="sealift-sign learn ben.memory")
@click.argument("file")
@click.option(
    "--colleague",
    is_flag=True,
    help="FILE is from a colleague, who wrote it and handed it to you.",
)
def learn(session: Session, *, file: str, colleague: bool) -> None:
    """Compare your memory with a colleague's, a draft or a returned medium.

    FILE is what a colleague wrote with `sealift-sign share`, any draft, or the folder of a medium.
    A hub could have written any of them: that it is a colleague's is only known if you had it from
    them, and then say so with --colleague. A memory that began --alone has then met another.
    All of it is verified from the root that you trust. Newer versions that descend from what you
    know are taken; where each side has a version that did not know of the other's, both are named.
    """
    from sealift_signing.desk.bundles import offers

    path = Path(file)
    given = offers(path) if path.is_dir() else (_offered(path, colleague=colleague),)
    if path.is_dir() and colleague:
        raise _from_a_hub(path)
    said: list[str] = []
    for one in given:
        said += _learned(session, one).lines
        said += _still_alone(session, one)
    session.terminal.answer("learn", {"roles": said}, said)


def _offered(path: Path, *, colleague: bool) -> Offer:
    """What a file holds.

    Raises:
        UsageError: it is said to be a colleague's, and is a hub's.
    """
    from sealift_signing.drafts import Draft
    from sealift_signing.memory_updates import offered

    carried = _carried(path)
    if colleague and isinstance(carried, Draft):
        raise _from_a_hub(path)
    return offered(carried, _source(path), colleague=colleague)


def _from_a_hub(path: Path) -> UsageError:
    from sealift_signing.errors import UsageError

    return UsageError(
        "from-a-hub",
        f"{path.name} is from a hub, and not a colleague's memory.",
        subject=str(path),
        next_step="Leave out --colleague; or have a colleague write what they know: sealift-sign "
        "share FILE",
    )


def _still_alone(session: Session, offer: Offer) -> list[str]:
    """That a memory is as alone as it was, where its owner may think that it met another."""
    from sealift_signing.organisation import Organisation

    known = session.memory.known(Organisation(offer.files).id)
    if known is None or not known.alone or offer.mark is None:
        return []
    what = (
        "ALONE, as before: nothing shows that this is a colleague's memory. If a colleague wrote "
        "it and handed it to you, say so: sealift-sign learn FILE --colleague"
    )
    return [what]


def _learned(session: Session, offer: Offer) -> MemoryComparison:
    """What was learnt; a fork ends the command, once all else was taken."""
    from sealift_signing.version_links import ForkedError

    found = session.memory.learn(offer, session.now())
    if found.forks:
        for line in found.lines:
            session.terminal.note(line)
        raise ForkedError(
            "role-forked",
            " ".join(one.what for one in found.forks),
            subject=found.forks[0].subject,
            next_step=found.forks[0].next_step,
        )
    return found


@command(sign, "share", example="sealift-sign share anna.memory", more=[ORGANISATION])
@click.argument("file")
def share(session: Session, *, file: str, organisation: str | None) -> None:
    """Write what you know of an organisation, for a colleague to compare.

    It holds the newest version of each role, whole, and nothing of what you signed.
    """
    from sealift_signing import shape
    from sealift_signing.desk.files import write_new
    from sealift_signing.memory_updates import shared
    from sealift_signing.organisation import Organisation

    known = session.known(organisation)
    offer = session.memory.offer(known)
    mark = session.memory.marked(known)
    data = shape.write(shared(offer, Organisation(offer.files, former=True), mark))
    write_new(Path(file), data)
    roles = f"root and {counted(len(known.roles), 'other role')}"
    lines = (
        f"What you know of {drawn(known.name)} is in {word(file)}: {roles}.",
        "A colleague takes it in with:",
        f"  sealift-sign learn {pasted([Path(file).name])} --colleague",
    )
    session.terminal.answer("share", {**_known_json(known), "file": file}, lines)


@command(sign, "heads", example="sealift-sign heads --at team.vision=7", more=[ORGANISATION])
@click.option(
    "--at",
    metavar="ROLE=VERSION",
    multiple=True,
    help="An older version, to compare with somebody who knows no newer one.",
)
def heads(session: Session, *, organisation: str | None, at: tuple[str, ...]) -> None:
    """Print eight words for each role, for people to compare by telephone.

    Words that agree mean that both know the same version of that number. Where somebody knows an
    older one, name it with --at: whoever knows a newer one still has the words of those before it.
    """
    known = session.known(organisation)
    found = list(_at(session, known, at) if at else _newest(known))
    lines = []
    for role, one, seen in found:
        lines += [f"{role}, version {one.version}{seen}", f"  {_words(one)}"]
    told = {
        **_known_json(known),
        "heads": [
            {"role": role, "version": n.version, "sha256": n.digest, "words": _words(n)}
            for role, n, _ in found
        ],
    }
    session.terminal.answer("heads", told, [f"What is known here of {drawn(known.name)}:", *lines])


def _newest(known: OrganisationMemory) -> Iterator[tuple[str, VersionId, str]]:
    yield "root", known.root, ""
    for one in known.roles:
        yield one.role, one.named, f", seen {one.seen[:10]} in {one.source}"


def _at(
    session: Session, known: OrganisationMemory, at: tuple[str, ...]
) -> Iterator[tuple[str, VersionId, str]]:
    from sealift_signing.errors import NotFoundError, UsageError

    for text in at:
        role, equals, number = text.partition("=")
        if not (equals and number.isascii() and number.isdigit()):
            raise UsageError(
                "bad-head",
                f"{text} is not ROLE=VERSION.",
                subject=text,
                next_step="For example: --at team.vision=7",
            )
        all_of_it = session.memory.named(known, role)
        found = [one for one in all_of_it if one.version == int(number)]
        if not found:
            known_numbers = ", ".join(str(one.version) for one in all_of_it[:20]) or "none"
            raise NotFoundError(
                "no-head",
                f"Version {number} of {role} is not known here.",
                subject=text,
                next_step=f"Known: {known_numbers}.",
            )
        past = session.memory.past(known, role)
        for one in found:
            yield role, one, "" if one in past else ", not in the past of what is known"


def _words(one: VersionId) -> str:
    from sealift_signing.words import words_of

    return words_of(one.digest)


def _carried(path: Path) -> Draft | Shared:
    from sealift_signing.desk.files import read
    from sealift_signing.memory_updates import read_offer
    from sealift_signing.wrong_file import reading

    data = read(path)
    with reading(data, path.name, "memory", "draft"):
        return read_offer(data, what=path.name)


def _source(path: Path) -> str:
    return word(path.name)


def _known_json(known: OrganisationMemory) -> dict[str, str]:
    return {
        "organisation": known.organisation,
        "name": known.name,
        "fingerprint": known.root.digest,
    }
