"""The worker that runs one work order on a builder's machine, and alone opens its keys."""

from __future__ import annotations

import os
from pathlib import Path

from sealift_registry import builder
from sealift_registry.conversion.build_result import BUILDER
from sealift_registry.trust.online_keys import OnlineKeys
from sealift_registry.workers.channel import Document, Progress, serve
from sealift_signing import file_access
from sealift_signing.evidence import EVIDENCE_PURPOSE

PURPOSES = (BUILDER, EVIDENCE_PURPOSE["scan"])
"""Of a builder's keys: the names of their files, too."""


def build(request: Document, progress: Progress) -> Document:
    """Run the order in a folder; its signed result goes to another one."""
    with file_access.closed_to_others():
        keys = OnlineKeys(Path(request["keys"]), os.environ)
        signers = {one: keys.signer(one) for one in PURPOSES}
        machine = builder.machine(request["name"], signers, os.environ)
        builder.build(Path(request["order"]), Path(request["result"]), machine, progress)
    return {}


if __name__ == "__main__":
    serve({"build": build})
