"""How what people sign comes to be: a draft that they take with them, or a signature made here.

The hub opens no person's key. A command that needs signatures writes a draft and says who signs it
and how. With `--at-hub` the keys that `--key` names are opened here all the same, through the same
gate and with the memory of whoever runs the command; whoever owns this machine then has them, and
the log says that it was so. With `--server` they are opened here too, and here is no hub
(`sealift_registry.cli.at_desk`). Two exceptions need no `--at-hub`: a hub for one person, and the
dispatcher, whose signature is no wall (docs/adr/0019-draft-sign-submit.md).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sealift_registry.cli import at_desk
from sealift_registry.cli.at_hub import AT_HUB, sign_here, signs_here
from sealift_registry.cli.drafts import read_signed, write_draft

if TYPE_CHECKING:
    from sealift_registry.cli.session import Session
    from sealift_registry.trust.submitting import AcceptedSubmission
    from sealift_registry.wanting import Asked
    from sealift_signing.acts.material import SetAsideVersion

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Signing:
    """How a command is to be signed, by its options.

    Attributes:
        keys: the keys that are opened here, if at all.
        at_hub: they are.
        draft: where the draft is written; empty for a name made of the act.
        over: files of versions that are to be set aside.
        confirm: digests that were typed beforehand.
        anew: another statement is signed, though one was signed before for the same.
        asks: all is shown and a yes is asked for before it is signed here, also of somebody alone.
        yes: whoever signs agreed beforehand.
    """

    keys: tuple[str, ...]
    at_hub: bool
    draft: str
    over: tuple[str, ...]
    confirm: tuple[str, ...]
    anew: bool = False
    asks: bool = False
    yes: bool = False


def signing_options(
    help_text: str, *, over: bool = True, statement: bool = False, desk: bool = True
) -> Callable[[F], F]:
    """The options of a command whose outcome is signed; the function is given one `Signing`.

    Args:
        help_text: of `--key`.
        over: it signs a version of a role, which may set others aside.
        statement: it signs a statement of a person's own.
        desk: it can be asked of a server, and signed at a desk.
    """

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def run(*args: object, **given: Any) -> object:  # noqa: ANN401 - as click gives them
            how = Signing(
                tuple(given.pop("keys")),
                given.pop("at_hub"),
                given.pop("draft") or "",
                tuple(given.pop("over", ())),
                tuple(given.pop("confirm")),
                given.pop("anew", False),
                yes=given.pop("yes", False),
            )
            return function(*args, how=how, **given)

        options = [
            click.option("--draft", metavar="FILE", help="Write the draft to FILE."),
            click.option("--key", "keys", metavar="FILE", multiple=True, help=help_text),
            click.option("--at-hub", is_flag=True, help=AT_HUB),
            click.option(
                "--confirm",
                metavar="DIGEST",
                multiple=True,
                help="What would be asked for, typed beforehand.",
            ),
        ]
        if desk:
            agreed = "Sign without being asked whether to."
            options.append(click.option("--yes", is_flag=True, help=agreed))
        if over:
            aside = "A version that the new one sets aside: a signed draft, or what was lost."
            options.append(
                click.option("--over", metavar="FILE", multiple=True, help=aside),
            )
        if statement:
            another = "Sign another, though you signed one before for the same."
            options.append(click.option("--anew", is_flag=True, help=another))
        wrapped: Any = run
        for option in reversed(options):
            wrapped = option(wrapped)
        decorated: F = wrapped
        return decorated

    return decorate


def carry_out(
    session: Session,
    asked: Asked,
    how: Signing,
    cards: Sequence[str] = (),
    *,
    own: bool = False,
    compares: str = "",
) -> AcceptedSubmission | None:
    """Draft what is asked for, and sign and submit it here, where that is meant.

    Args:
        session: the command's.
        asked: the act, and what it brings.
        how: by the command's options.
        cards: the files of key cards that whoever signs needs as well.
        own: the command may sign here without `--at-hub`: the dispatcher's.
        compares: what is compared before it is drafted, in words.

    Returns:
        What came of it; None where a draft was written, and the user was told.
    """
    from sealift_registry import wanting
    from sealift_registry.trust.hub_drafts import drafted
    from sealift_signing.public_key import PublicKey

    if session.server is not None:
        at_desk.carry_out(session, asked, how, cards, compares=compares)
        return None
    hub = session.app.hub
    if compares:
        with session.terminal.steps(compares, counted=False) as told:
            wanted = wanting.wanted(session.app, asked, told)
    else:
        wanted = wanting.wanted(session.app, asked)
    here = signs_here(session, how, own=own)
    signers = session.signers(how.keys) if here else []
    keyids = frozenset(PublicKey.from_tuf(one.public_key).keyid for one in signers)
    with hub.reading() as connection:
        found = drafted(hub, connection, wanted)
        made, already = found.draft, wanting.already(wanted.ask.act)
        unchanged = already(connection, made, keyids if here else None)
    if unchanged is not None:
        hub.copy_metadata()  # an earlier run may have been killed before it did
        return unchanged
    if here:
        signed = sign_here(session, made, wanted.ask, signers, how, cards)
        return session.app.submit(signed, at_hub=True)
    write_draft(session, made, wanted.ask, how, cards, warnings=found.warnings)
    return None


def set_aside_versions(files: Sequence[str]) -> tuple[SetAsideVersion, ...]:
    """What `--over` names: signed drafts, or versions that somebody remembered.

    Raises:
        UsageError: a file holds no version of a role.
    """
    from sealift_signing import drafts, publishing
    from sealift_signing.acts.material import SetAsideVersion
    from sealift_signing.errors import UsageError

    found = []
    for name in files:
        one = read_signed(name)
        if isinstance(one, drafts.RoleVersion):
            listed = {d.path: drafts.decoded(d.data) for d in one.documents}
            found.append(SetAsideVersion(one.role, drafts.decoded(one.data), listed))
            continue
        signed = [part for part in one.parts if part.kind == drafts.ROLE]
        if not signed:
            raise UsageError(
                "over-nothing",
                f"{name} is of {one.act}, and holds no version of a role: there is nothing to set "
                "aside.",
                subject=name,
                next_step="Give --over what sealift-sign wrote of the version that you mean.",
            )
        for part in signed:
            listed = {d.path: drafts.decoded(d.data) for d in part.documents}
            data = publishing.to_bytes(drafts.to_metadata(part))
            found.append(SetAsideVersion(part.name, data, listed))
    return tuple(found)
