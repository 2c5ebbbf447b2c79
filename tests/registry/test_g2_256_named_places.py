"""Sources and export folders are named in settings.toml, and checked and shown as such."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealift_registry.storage import named_places, settings_file
from sealift_registry.storage.home import Home, open_home, with_environment
from sealift_signing.errors import UsageError
from tests.registry.hub_fixture import Acme
from tests.registry.served_hub import Doorkeeper, served, signed_in

LAB = """
[sources.lab]
kind = "mlflow"
origin = "https://mlflow.example/api"
root = "vision-"
credential = "LAB"
teams = "vision, sound"

[exports.gate]
folder = "/media/out"
sites = "plant-7"
"""


def opened(root: Path, text: str, **environment: str) -> Home:
    root.mkdir(exist_ok=True, mode=0o700)
    (root / "settings.toml").write_text(text)
    return open_home(root, environment)


def test_g2_256_named_places_are_read_and_for_whom_they_are(tmp_path: Path) -> None:
    home = opened(tmp_path / "hub", LAB)
    lab, gate = home.settings.sources["lab"], home.settings.exports["gate"]
    assert (lab.kind, lab.root, lab.is_for("sound"), lab.is_for("fraud")) == (
        *("mlflow", "vision-", True, False),
    )
    assert (gate.folder, gate.is_for("plant-7"), gate.is_for("plant-70")) == (
        *("/media/out", True, False),
    )
    assert with_environment(home, {}).settings == home.settings
    every = opened(tmp_path / "hub", LAB.replace('"vision, sound"', '"*"'))
    assert every.settings.sources["lab"].is_for("fraud")


@pytest.mark.parametrize(
    "was,now,setting",
    [
        ('kind = "mlflow"', 'kind = "git"', "sources.lab.kind"),
        ('kind = "mlflow"', "kind = 3", "sources.lab.kind"),
        ("https://mlflow.example/api", "http://mlflow.example", "sources.lab.origin"),
        ("https://mlflow.example/api", "https://u:geheim@mlflow.example", "sources.lab.origin"),
        (
            "https://mlflow.example/api",
            "https://mlflow.example/?token=geheim",
            "sources.lab.origin",
        ),
        ("https://mlflow.example/api", "file:///etc", "sources.lab.origin"),
        ("https://mlflow.example/api", "/srv/mlflow.db", "sources.lab.origin"),
        ("https://mlflow.example/api", "https://ml flow", "sources.lab.origin"),
        ("https://mlflow.example/api", "https://mlflow.example:x", "sources.lab.origin"),
        ("https://mlflow.example/api", "sqlite:////srv/mlflow.db", "sources.lab.credential"),
        ('root = "vision-"', 'root = "../x"', "sources.lab.root"),
        ('root = "vision-"', 'root = "/x"', "sources.lab.root"),
        ('credential = "LAB"', 'credential = "s3cret!"', "sources.lab.credential"),
        ('teams = "vision, sound"', "", "sources.lab.teams"),
        ('teams = "vision, sound"', 'teams = "vision, *"', "sources.lab.teams"),
        ('teams = "vision, sound"', 'teams = "Vision"', "sources.lab.teams"),
        ('teams = "vision, sound"', 'team = "vision"', "sources.lab.team"),
        ("[sources.lab]", '[sources."../lab"]', "sources.../lab"),
        ("[sources.lab]", "[source.lab]", "[source]"),
        ('"/media/out"', '"media/out"', "exports.gate.folder"),
        ('"/media/out"', '"/media/../etc"', "exports.gate.folder"),
        ('sites = "plant-7"', "", "exports.gate.sites"),
    ],
)
def test_g2_256_what_cannot_be_meant_is_refused(
    tmp_path: Path, was: str, now: str, setting: str
) -> None:
    assert was in LAB
    with pytest.raises(UsageError) as caught:
        opened(tmp_path / "hub", LAB.replace(was, now))
    assert caught.value.subject == setting
    assert "geheim" not in str(caught.value.what)
    assert caught.value.next_step


def test_g2_256_no_variable_names_a_place(tmp_path: Path) -> None:
    """Whoever sets a variable of the server adds no place that is read or written."""
    for variable in ("SEALIFT_SOURCES__LAB", "SEALIFT_EXPORTS__GATE"):
        with pytest.raises(UsageError) as caught:
            opened(tmp_path / "hub", LAB, **{variable: "https://elsewhere.example"})
        assert caught.value.subject == variable


def test_g2_257_settings_that_are_written_keep_their_named_places(tmp_path: Path) -> None:
    home = opened(tmp_path / "hub", f'database.url = ""\nblobs.url = ""\n{LAB}')
    settings_file.change(home, {"database": {"url": "postgresql://a@b/c"}})
    again = open_home(home.root, {})
    assert again.settings.database.url == "postgresql://a@b/c"
    assert again.settings.sources == home.settings.sources
    assert again.settings.exports == home.settings.exports
    assert (home.root / settings_file.BEFORE).exists(), "it was written anew"


def test_g2_257_they_are_shown_and_what_may_be_a_secret_is_not(acme: Acme) -> None:
    home = acme.app.hub.home
    made = opened(acme.folder / "other", LAB).settings
    vars(home)["settings"] = made
    keeper = Doorkeeper()
    with served(acme, keeper) as client:
        said = client.get("/api/v1/settings", headers=signed_in(keeper)).json()["settings"]
        lines = client.get(
            "/api/v1/settings", headers={**signed_in(keeper), "accept": "text/plain"}
        ).text
    assert said["sources.lab"]["origin"] == "https://mlflow.example/api"
    assert said["exports.gate"] == {"folder": "/media/out", "sites": "plant-7"}
    assert "sources.lab.teams = " in lines


def test_g2_258_a_credential_is_found_by_its_name_alone() -> None:
    environment = {
        "SEALIFT_CREDENTIAL_LAB_TOKEN": "t0ken",
        "SEALIFT_CREDENTIAL_LABORATORY_TOKEN": "another",
        "MLFLOW_TRACKING_TOKEN": "everybody's",
    }
    assert named_places.credential("LAB", environment) == {"TOKEN": "t0ken"}
    assert named_places.credential("", environment) == {}
    with pytest.raises(UsageError) as caught:
        named_places.credential("LA", environment)
    assert caught.value.code == "no-credential"
