"""What a site's host groups stop running: gathered here, computed and signed by the dispatcher."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sealift_registry.delivery import site_software
from sealift_registry.delivery.sites import Sites
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.hub_drafts import Wanted
from sealift_registry.trust.submitting import AcceptedSubmission
from sealift_signing.acts.material import Ask, SetAsideVersion
from sealift_signing.canonical import Json
from sealift_signing.documents import Assignment
from sealift_signing.drafts import Draft
from sealift_signing.errors import RefusedError

ACT = "unassign"


@dataclass(frozen=True)
class SignedRetirement:
    """What a dispatcher signed: for the log, and for whoever submits it.

    Attributes:
        type: of the log's entry.
        model: whose assignment changed.
        data: what the entry says of it.
        accepted: what is answered.
    """

    type: str
    model: str
    data: dict[str, Json]
    accepted: AcceptedSubmission


def wanted(
    hub: Hub,
    site: str,
    model: str,
    groups: Sequence[str],
    reason: str,
    aside: Sequence[SetAsideVersion] = (),
) -> Wanted:
    """To have host groups of `site` stop running `model`; all that have it, where none is named.

    Raises:
        NotFoundError: no such site.
    """
    details = {"reason": (reason,)} | ({"group": tuple(groups)} if groups else {})
    with hub.reading() as connection:
        enrolled = Sites(connection).get(site)
    envelopes = (enrolled.answer, enrolled.request.envelope.data)
    return Wanted(
        Ask(ACT, (site, model), details),
        envelopes,
        others=tuple(aside),
        check=lambda state, made: site_software.check_assignment(state, enrolled, made),
    )


def signed_retirement(draft: Draft, assignment: Assignment) -> SignedRetirement:
    """What is said of what a site stops running, if it is so as the draft says.

    Raises:
        RefusedError: the log would say what was not signed.
    """
    site, model = draft.object
    reason = draft.details["reason"][0]
    stops = [one for one in assignment.retire or () if (one.model, one.reason) == (model, reason)]
    groups = sorted(one.group for one in stops)
    if not groups or not set(draft.details.get("group", groups)) <= set(groups):
        raise RefusedError(
            "other-act",
            f"What was signed does not have {model} stop at {assignment.site}.",
            subject=assignment.site,
            next_step="Submit the file as sealift-sign wrote it.",
        )
    data: dict[str, Json] = {"groups": [*groups], "reason": reason}
    lines = [f"{site} {group}: {model} stops, once a bundle says so there." for group in groups]
    rows: list[Json] = [{"group": group, "model": model} for group in groups]
    said: dict[str, Json] = {"site": site, "retired": rows}
    done = AcceptedSubmission(new=False, sentence=lines[0], data=said, more=tuple(lines[1:]))
    return SignedRetirement("site.unassigned", model, data, done)
