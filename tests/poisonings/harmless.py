"""Poisonings that gain nothing even where there is no gate, each with its reason.

Whatever is in no pattern here must succeed with the gate taken out: else it shows nothing.
"""

from __future__ import annotations

import re

HUBS_OWN = "The hub's own keys sign it: it is no word of anybody's, and a site wants people's."
FINDS = "The columns only find a statement; what is signed and counted is what the statement says."
WORDS = "It is words or a date for people, or a name that nothing stands under: it grants nothing."
COPY = "It is what stands already, and the version made of it grants no more."
NOT_OURS = "No role of our layout may say that, so nobody reads it, gate or no gate."
BREAKS = "It breaks what honest people do, who are told, and gives nobody anything."
STRICTER = "It takes rights from nobody who has them, and asks for more than before."

HARMLESS: list[tuple[str, str]] = [
    (r"row: log_", "Nobody signs what the log says; `sealift audit verify` names the change."),
    (r"row: (version_alias|goldens|model_version):", WORDS),
    (r"row: (site_entry|site_checkpoint|receipt|transfer|bundle):", BREAKS),
    (r"row: (artifact|promotion|approval|objection|listing|evidence)\b", FINDS),
    (r"row: (statement|site)\b", FINDS),
    (r"row: tuf_metadata (catalog\.|snapshot|timestamp)", HUBS_OWN),
    (r"row: tuf_metadata .*: (insert|change|swap|put back|delete)", COPY),
    (r"row: tuf_document ", "Documents are reached by the digest that a role lists."),
    (r"(forged|old) \w+: .*: that of ", NOT_OURS),
    (r"(forged|old) \w+: .*: far ahead", BREAKS),
    (
        r"forged \w+: root:",
        "Roots are walked one by one: after one that nobody signed none counts.",
    ),
    (r"forged \w+: (targets|fleet): .* threshold 1", COPY),
    (r"forged \w+: .*\.(reason|made|id|printed_name|organisation_name|name)\b", WORDS),
    (r"forged \w+: .*(approvals|evidence|meanings|lifetimes|groups|stages|status|model)", BREAKS),
    (r"forged \w+: .*( = another| = twice| gone)$", STRICTER),
    (r"old \w+: (root|recall|site\.)", COPY),
    (r"draft: \S+ \([^)]*\): [a-z.-]+: ", BREAKS),
    (r"draft: ", "Without a gate only the bytes to be signed count, and they are what they were."),
    (r"file: |setting: ", "No file of the home is believed for anything that is signed."),
]
"""A pattern of names, beside why there is nothing to gain."""


def reason(name: str) -> str | None:
    """Why the poisoning of this name is harmless; None where it must succeed without a gate."""
    return next((why for pattern, why in HARMLESS if re.match(pattern, name)), None)
