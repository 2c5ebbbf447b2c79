"""A signer's machine has the site's wheels, a disk, and no network."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sealift_signing.acts.names import ACTS
from sealift_signing.drafts import decoded
from tests.desk.every_act import Case, every_act
from tests.desk.people import Home, is_card
from tests.desks import Acme

SITE_WHEELS = Path(__file__).parents[2] / "requirements/site.txt"

ALONE = """
import json, sys
blocked, steps = json.loads(sys.stdin.read())
for name in blocked:
    sys.modules[name] = None
from sealift_signing.command_start import refuse_network
refuse_network("sealift-sign")
from sealift_signing.desk.cli.run import run
import os
for folder, words in steps:
    os.chdir(folder)
    os.environ["SEALIFT_TRUST"] = os.path.join(folder, "trust")
    assert run(words) == 0, words
"""


def of_the_hub() -> list[str]:
    """What can be imported here and comes with none of the site's wheels."""
    named = re.findall(r"^([a-z0-9-]+)==", SITE_WHEELS.read_text(), re.MULTILINE)
    ours = {*named, "sealift-signing", "sealift-offline-sync"}
    others = [
        module
        for module, of in importlib.metadata.packages_distributions().items()
        if not {one.lower().replace("_", "-") for one in of} & ours
    ]
    return ["sealift_registry", "sealift_migrations", *others]


def at_home(case: Case, home: Home, number: int) -> tuple[str, list[str]]:
    """The draft and the cards, carried to its signer; where and how it is signed there."""
    draft = case.draft
    home.takes(draft, f"{number}.draft")
    cards = [one for one in map(decoded, draft.statements) if is_card(one)]
    options = list(case.options)
    for n, data in enumerate(cards):
        (home.folder / f"{number}-{n}.card").write_bytes(data)
        options += ["--card", f"{number}-{n}.card"]
    key = ["--key", f"{home.name}.pem", "--yes", "--out", f"{number}.signed"]
    return str(home.folder), [draft.act, *draft.object, f"{number}.draft", *options, *key]


def without_network() -> list[str]:
    """By what a command is run in a network of its own, with nothing in it; where one may."""
    apart = ["unshare", "--map-root-user", "--net"]
    if shutil.which("unshare") is None:
        return []
    tried = subprocess.run([*apart, "true"], check=False, capture_output=True)
    return apart if tried.returncode == 0 else []


@pytest.fixture
def acme() -> Acme:
    return Acme(now=datetime.now(UTC))


def test_t0_89_every_act_is_signed_with_only_the_sites_wheels_and_no_network(
    acme: Acme, tmp_path: Path
) -> None:
    homes: dict[str, Home] = {}
    steps, cases = [], []
    for number, case in enumerate(every_act(acme)):
        home = homes.setdefault(case.signer, Home(acme, case.signer, tmp_path / case.signer))
        if not (home.folder / "trust").exists():
            home.trusts()
        folder, words = at_home(case, home, number)
        steps.append((folder, words))
        cases.append((case, home, number))
    assert {words[0] for _, words in steps} == set(ACTS)
    blocked = of_the_hub()
    assert {"sqlalchemy", "alembic", "mlflow"} <= set(blocked)
    command = [*without_network(), sys.executable, "-c", ALONE]
    passphrases = {f"SEALIFT_PASSPHRASE_{name.upper()}": "secret" for name in homes}
    done = subprocess.run(
        command,
        input=json.dumps([blocked, steps]),
        env={**os.environ, **passphrases},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    for case, home, number in cases:
        signed = home.read(f"{number}.signed")
        assert all(len(part.signatures) == 1 for part in signed.parts)
        assert (signed.act, signed.object) == (case.draft.act, case.draft.object)
