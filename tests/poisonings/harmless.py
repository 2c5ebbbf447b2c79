"""Poisonings that gain nothing even where there is no gate, each with its reason.

Whatever is in no pattern here must succeed with the gate taken out: else it shows nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

HUBS_OWN = "The hub's own keys sign it: it is no word of anybody's, and a site wants people's."
FINDS = "The columns only find a statement; what is signed and counted is what the statement says."
WORDS = "It is words or a date for people, or a name that nothing stands under: it grants nothing."
COPY = "It is what stands already, and the version made of it grants no more."
ANEW = "Whoever assigns says that anew: what the version before said of it goes into nothing."
NOT_OURS = "No role of our layout may say that, so nobody reads it, gate or no gate."
BREAKS = "It breaks what honest people do, who are told, and gives nobody anything."
DERIVED = "It says nothing of its own, and nothing is signed or let through by it."
STRICTER = "It takes rights from nobody who has them, and asks for more than before."
NOBODYS = "It is of somebody who is retired, with whom nothing counts."
AS_IT_WAS = "Without a gate only the bytes to be signed count, and they are what they were."

ASSIGNMENT = r"sites/plant-7/assignment\.json: \.(groups one|groups\.line-1\.hardware_target)"
OF_A_VERSION_BEFORE = (
    r"sites/plant-7/assignment\.json: \.(enrolment|groups\.line-1\.models\S+\.current\.sha256)"
)
NAMED = r"sites/plant-7/assignment\.json: \S+\.current\.(approvals|evidence|request)"
STAGE = r"policy\.json: \.stages\.\w+\.(approvals = twice|evidence one|longest_validity_days = 1)"
FEWER = r"policy\.json: \.stages\.\w+\.(key_classes|meanings)\[\d\] gone"
DRAFT = r"draft: \S+ \([^)]*\): "
CARRIED = (
    r"(requires|organisation|act|object|details|facts|made|roots)\b|something set aside|a \w+ more"
    r"|a former version more|statement \d|the card of |[a-z0-9/-]+\.json( gone|: )"
)
NEEDED = (
    r"_type|expires|spec_version|version|targets|consistent_snapshot|keys|roles|x-sealift-follows"
    r"|predicate|predicateType|subject|subject\[0\]"
)
ASSIGNED = (
    r"sites/plant-7/assignment\.json: "
    r"(\.groups|\S+\.(approvals|evidence)) one more$"
)
HARMLESS: list[tuple[str, str]] = [
    (r"row: log_", "Nobody signs what the log says; `sealift audit verify` names the change."),
    (r"row: (version_alias|goldens|model_version):", WORDS),
    (
        r"row: (site_entry|site_checkpoint|site_state|derived_table|receipt|transfer|bundle):",
        BREAKS,
    ),
    (r"row: (artifact|promotion|approval|objection|listing|evidence)\b", FINDS),
    (r"row: (statement|site)\b", FINDS),
    (r"row: tuf_online(_body)? (catalog\.|snapshot|timestamp)", HUBS_OWN),
    (r"row: tuf_metadata (\S+ insert|root: delete)", COPY),
    (r"row: tuf_document \S+ insert", "Nothing lists it."),
    (r"row: tuf_document (sites/\S+ change body|fleet/keys\.json: delete)", BREAKS),
    (
        r"row: tuf_document (policy|recall)\.json",
        "No act makes it anew: what is listed stays listed.",
    ),
    (r"(forged|old) \w+: \S+ that of ", NOT_OURS),
    (
        r"forged draft: root: \w+ (handed over|threshold 1)$|forged row: root: \w+ handed over$",
        "Roots are walked one by one: after one that nobody signed none counts.",
    ),
    (r"forged \w+: fleet: fleet/keys\.json: \.keys\[0\]\.status = retired", STRICTER),
    (r"forged \w+: fleet: fleet/keys\.json: \.keys\[5\]\.name", WORDS),
    (r"forged \w+: recall: recall\.json: \.recalls one more", STRICTER),
    (r"forged \w+: recall: recall\.json: \.recalls\[0\]\.(id|made|reason)", WORDS),
    (rf"forged \w+: site\.plant-7: {ASSIGNMENT}", BREAKS),
    (rf"forged \w+: site\.plant-7: {NAMED}", BREAKS),
    (rf"forged row: site\.plant-7: {OF_A_VERSION_BEFORE}", ANEW),
    (r"forged \w+: targets: policy\.json: \.lifetimes_days\.\w+( = 1| gone)$", STRICTER),
    (r"forged \w+: targets: policy\.json: \.organisation_name", WORDS),
    (rf"forged \w+: targets: {STAGE}", STRICTER),
    (rf"forged \w+: targets: {FEWER}", STRICTER),
    (r"forged \w+: team\.vision: \S+ \.people\[\d\]\.(id|printed_name)", WORDS),
    (r"forged \w+: team\.vision: \S+ \.people\[5\]( gone|\.keys)", NOBODYS),
    (r"old (\w+: root|draft: site\.)", COPY),
    (rf"{DRAFT}({CARRIED})", AS_IT_WAS),
    (rf"{DRAFT}[a-z0-9.-]+ (gone|forged|older|as well|without a past)$", AS_IT_WAS),
    (rf"{DRAFT}[a-z0-9.-]+ signed$", "A signature by nobody who holds the role counts for none."),
    (rf"{DRAFT}[a-z0-9.-]+ and a second act$", "It is of a role that they do not hold, or a copy."),
    (rf"{DRAFT}[a-z0-9.-]+: \.({NEEDED}) gone$", "A file without it is none: nobody reads it."),
    (rf"{DRAFT}root: (\.roles\.root\.keyids|far ahead)", "No walk from root to root takes it."),
    (rf"{DRAFT}fleet: \.delegations\.roles\[", "A role without a holder is none of our layout."),
    (rf"{DRAFT}targets: \.delegations\.roles\[[57]\]", "More would have to sign than hold it."),
    (rf"{DRAFT}targets: team\.sound-2 threshold 1$", "It is of a team that is only being made."),
    (rf"{DRAFT}fleet: fleet/keys\.json: \.keys\[6\]", "It is of a site that is only being made."),
    (rf"{DRAFT}site\.plant-7: {ASSIGNED}", BREAKS),
    (r"file: |setting: ", "No file of the home is believed for anything that is signed."),
    (r"online: (catalog|snapshot|timestamp|log)\b", HUBS_OWN),
]
"""A pattern of names, beside why there is nothing to gain."""


def reason(name: str) -> str | None:
    """Why the poisoning of this name is harmless; None where it must succeed without a gate."""
    return next((why for pattern, why in HARMLESS if re.match(pattern, name)), None)


LIMITS: list[tuple[str, str]] = [
    (
        r"online: (catalog\.vision|snapshot|timestamp): far ahead",
        "Numbers can be put far ahead (docs/explanation/threat-model.md): floors come by numbers.",
    ),
    (
        r"online: evidence: another artifact, as the scanner and the builder say",
        "Approvers know no more than the evidence keys said (docs/explanation/threat-model.md).",
    ),
]
"""A pattern of names, beside the limit of the threat model because of which they gain."""


def limit(name: str) -> str | None:
    """Which limit the poisoning of this name shows; None where it must gain nothing."""
    return next((why for pattern, why in LIMITS if re.match(pattern, name)), None)


def idle(names: Sequence[str]) -> list[str]:
    """Patterns that are the first to match no name: they would cover what is not there."""
    used = {_first(name) for name in names}
    return [pattern for pattern, _ in (*LIMITS, *HARMLESS) if pattern not in used]


def _first(name: str) -> str | None:
    return next((one for one, _ in (*LIMITS, *HARMLESS) if re.match(one, name)), None)
