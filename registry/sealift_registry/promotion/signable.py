"""What must hold of somebody's words and of their key before anything is signed with it."""

from __future__ import annotations

from collections.abc import Sequence

from securesystemslib.signer import Signer

from sealift_signing.approvals import Rules
from sealift_signing.documents import Members, Person
from sealift_signing.errors import NotFoundError, RefusedError, UsageError, shown
from sealift_signing.public_key import PublicKey
from sealift_signing.vocabulary import SENTENCE


def check_reason(reason: str) -> None:
    """Check that a reason is a sentence.

    Raises:
        UsageError: it is not.
    """
    if not SENTENCE.matches(reason):
        raise UsageError(
            "bad-reason",
            f"A reason is {SENTENCE.words}.",
            subject="reason",
            next_step="Say why, in your own words, with --reason.",
        )


def named_withdrawals(despite: Sequence[str], members: Members) -> tuple[str, ...]:
    """The digests of the withdrawals that `despite` names, each by its id or its digest.

    Ids serve on the command line alone: a request names what the id stands for now.

    Raises:
        NotFoundError: the team has no such withdrawal; a misspelt one would set aside nothing.
    """
    known = {one.id: one.digest for one in members.withdrawn}
    known |= {digest: digest for digest in known.values()}
    for name in despite:
        if name not in known:
            ids = ", ".join(one.id for one in members.withdrawn)
            raise NotFoundError(
                "no-withdrawal",
                f"Team {members.team} has withdrawn nothing under the id {shown(name)}.",
                subject=name,
                next_step=f"Its withdrawals are: {ids or 'none'}.",
            )
    return tuple(sorted({known[name] for name in despite}))


def check_meaning(meaning: str, rules: Rules) -> None:
    """Check what an approval's signature is to mean.

    Raises:
        UsageError: it is none of the policy's meanings.
    """
    if meaning not in rules.rule.meanings:
        raise UsageError(
            "bad-meaning",
            f"{shown(meaning)} is none of the policy's meanings.",
            subject=meaning,
            next_step=f"Say one of: {', '.join(map(repr, rules.rule.meanings))}.",
        )


def owner(members: Members, signer: Signer, purpose: str, deed: str) -> Person:
    """The person whose key `signer` is.

    Raises:
        RefusedError: nobody's of this team, or not entitled to `purpose`.
    """
    key = PublicKey.from_tuf(signer.public_key)
    for person, known in members.all_keys():
        if known.raw == key.raw:
            owned = person.key_for(key.keyid)
            if owned is not None and purpose in owned.purposes:
                return person
            raise RefusedError(
                "not-entitled",
                f"{person.id} of team {members.team} may not {deed} with this key.",
                subject=person.id,
                next_step="Have the team's stewards entitle the key (sealift team --help).",
            )
    raise RefusedError(
        "key-unknown",
        f"This key belongs to nobody of team {members.team}.",
        subject=key.text,
        next_step=f"Have the team's stewards add {key.text} (sealift team --help).",
    )
