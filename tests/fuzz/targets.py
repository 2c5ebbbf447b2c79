"""Every target, by its name: each parser of bytes or names that somebody else carried here.

| target | what reads |
|---|---|
| canonical | the decoder of canonical JSON, under every document |
| names | names, times, paths, sentences, public keys, words |
| documents | policy, members, fleet keys, assignment, recalls |
| statements | envelopes, and each of the nine predicates in them |
| metadata | TUF's files, the layout of our roles, who holds them |
| walk | a visit from a trusted root, over files that their keys signed or did not |
| oci | manifests and the index of an OCI layout |
| log | checkpoints, entries, and a site's log on its way home |
| folder | a folder of anything: links, pipes, endless files, odd names |
| bundle | a site's judgement of a bundle, with parts changed and signed again |
| returns | what the hub makes of a return |
| results | work orders, and results of builders with their evidence |
| drafts | drafts, memories and what a colleague offers; what signing and learning make of them |
"""

from __future__ import annotations

from tests.fuzz.at_desks import DRAFTS
from tests.fuzz.bundles import BUNDLE
from tests.fuzz.folders import FOLDER
from tests.fuzz.homecoming import RETURNS
from tests.fuzz.parsers import PARSERS
from tests.fuzz.results import RESULTS
from tests.fuzz.visits import WALK

TARGETS = {
    target.name: target for target in (*PARSERS, WALK, FOLDER, BUNDLE, RETURNS, RESULTS, DRAFTS)
}
