"""A program's token at the server: for its scopes and its team, until it or its account ends."""

from __future__ import annotations

import json

from sealift_registry.access.gatekeeper import Gatekeeper
from tests.registry.hub_fixture import MODEL, TEAM, Acme
from tests.registry.served_hub import served
from tests.registry.test_hub_cli import Capsys, Cli


def test_g2_185_a_token_opens_what_it_is_for_and_nothing_once_its_account_ends(
    acme: Acme, capsys: Capsys
) -> None:
    acme.ingest(1, acme.goldens())
    cli = Cli(acme, capsys)
    invited = ("account", "invite", "ci", "--service", "--role", f"publisher:team={TEAM}")
    assert cli(*invited)[0] == 0
    scopes = ("--scope", "version.read", "--scope", "blob.read")
    made = json.loads(cli("account", "token", "ci", *scopes, "--json")[1])
    headers = {"authorization": f"Bearer {made['secret']}"}
    with served(acme, Gatekeeper(acme.app.hub)) as client:

        def asked(path: str) -> int:
            return int(client.get(f"/api/v1/{path}", headers=headers).status_code)

        listed = client.get(f"/api/v1/versions?team={TEAM}", headers=headers)
        assert [one["version"] for one in listed.json()["versions"]] == [f"{MODEL}/1"]
        assert asked(f"versions/{MODEL}/1/source/manifest") == 200
        every = client.get("/api/v1/versions", headers=headers)
        assert every.json() == listed.json(), "of its team, though it names none"
        assert asked("versions?team=sound") == 403
        assert asked("promotions") == 403, "no scope of it"
        assert asked(f"teams/{TEAM}/uploads") == 403, "no scope of it, though the account may"
        assert client.get(f"/api/v1/versions?team={TEAM}").status_code == 401
        assert acme.types().count("access.refused") >= 3
        assert cli("account", "disable", "ci")[0] == 0
        assert asked(f"versions?team={TEAM}") == 401
    assert made["secret"] not in cli("audit", "list", "--json")[1]
