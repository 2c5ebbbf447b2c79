"""Putting right what a command that was cut left behind; every command but `verify` begins with it.

What is committed is what is true: links are derived from it again, and what was not finished is
thrown away. Blobs that were copied whole stay, for the import to go on from.
"""

from __future__ import annotations

import shutil

from sealift_sync.site.running.choices import Choices
from sealift_sync.site.running.model_tree import ModelTree, RepairedPlace
from sealift_sync.site.setup.open_site import OpenSite


def recover(site: OpenSite) -> tuple[RepairedPlace, ...]:
    """Sweep leftovers, and make every link what committed state says; returns what was wrong.

    What an import works with is not left over: it may be at its medium for hours.
    """
    with site.leftovers() as free:
        if free:
            shutil.rmtree(site.home.quarantine, ignore_errors=True)
            site.home.store.sweep()
    choices = Choices(site.state, site.enrolment)
    return ModelTree(site.home, lost=site.state.lost()).repair(choices.showing())
