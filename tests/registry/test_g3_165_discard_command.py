"""`sealift discard`: what it would mean is said first, and a yes is asked for."""

from __future__ import annotations

import pytest

from sealift_registry.cli.terminal import Terminal
from tests.registry.hub_fixture import TARGET, Acme
from tests.registry.test_g3_150_discarding import ONE, THREE, TWO, VARIANT, apart
from tests.registry.test_hub_cli import Capsys, Cli

WHY = "superseded by 3"
__all__ = ["apart"]


@pytest.fixture
def cli(hub: Acme, capsys: Capsys) -> Cli:
    hub.close()
    return Cli(hub, capsys)


def test_g3_165_what_it_would_mean_is_said_and_nothing_done(cli: Cli, hub: Acme) -> None:
    count = len(hub.types())
    said = cli.says("discard", TWO, "--plan")
    assert said.splitlines()[:3] == [
        "This would be discarded:",
        f"  catalog/{TWO}/source",
        f"  catalog/{VARIANT}",
    ]
    assert " would go with the next gc; what others consist of as well stays." in said
    assert "can then not be promoted, assigned, exported or compared" in said
    assert "No variant of vision/tiny/2 can then be built" in said
    found = cli.json("discard", TWO, "--plan")
    assert found["forms"] == [f"catalog/{TWO}/source", f"catalog/{VARIANT}"]
    assert (found["done"], found["discarded_before"]) == (False, [])
    assert found["blobs"] > 0
    assert len(hub.types()) == count


def test_g3_165_without_a_yes_nothing_is_discarded(
    cli: Cli, hub: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    count, asked = len(hub.types()), list[str]()
    code, out, err = cli("discard", VARIANT, "--reason", WHY)
    assert (code, out) == (2, "")
    assert "This would be discarded:" in err
    assert "Nothing was discarded." in err

    def answer(_: Terminal, question: str) -> bool:
        asked.append(question)
        return len(asked) > 1

    monkeypatch.setattr(Terminal, "ask", answer)
    assert cli("discard", VARIANT, "--reason", WHY)[0] == 2
    assert len(hub.types()) == count
    assert cli("discard", VARIANT, "--reason", WHY)[0] == 0
    assert hub.types()[count:] == ["artifact.discarded"]
    assert asked == ["Discard it?"] * 2


def test_g3_165_it_is_done_and_told_everywhere(apart: Acme, capsys: Capsys) -> None:
    apart.close()
    cli, variant_name = Cli(apart, capsys), f"catalog/{THREE}/{TARGET}"
    said = cli.says("discard", variant_name, "--reason", WHY, "--yes")
    assert said.splitlines() == [
        f"{variant_name} is discarded.",
        "Next, to have the space:  sealift gc --remove",
    ]
    told = f"because “{WHY}”"
    assert told in cli.says("show", THREE)
    (source, variant) = cli.json("show", THREE)["artifacts"]
    assert (source["discarded"], variant["discarded"]["reason"]) == (None, WHY)
    assert cli.says("list").splitlines()[0].split()[:5] == [
        "version",
        "source",
        "format",
        "variants",
        "discarded",
    ]
    rows = {one["version"]: one["discarded"] for one in cli.json("list")["versions"]}
    assert rows == {ONE: "-", TWO: "-", THREE: TARGET}
    said = cli.says("gc")
    assert "files of what was discarded" in said
    assert cli.json("gc")["discarded"]["blobs"] > 0
    assert cli("gc", "--remove")[0] == 0
    code, said, _ = cli("blobs", "fsck")
    assert (code, told in said, "Its files are not looked for." in said) == (0, True, True)
    assert cli.json("blobs", "fsck")["discarded"] == [variant_name]
    code, said, _ = cli("blobs", "mend", "--from-hub")
    assert (code, told in said) == (0, True)
    assert cli("audit", "fsck")[0] == 0
    again = cli.says("discard", variant_name, "--reason", WHY, "--yes")
    assert told in again
    assert again.splitlines()[-1] == "So there is nothing to discard."


def test_g3_165_a_list_without_any_has_no_such_column(cli: Cli) -> None:
    assert "discarded" not in cli.says("list")
    assert cli.json("list")["versions"][0]["discarded"] == "-"


def test_g3_165_a_refusal_has_its_next_step(cli: Cli, hub: Acme) -> None:
    hub.request(2)
    hub.close()
    code, _, err = cli("discard", TWO, "--reason", WHY, "--yes")
    assert code == 1
    assert "P-000001 asks for vision/tiny/2 to be promoted to production" in err
    assert "Next: See who waits for what: sealift show P-000001." in err


def test_g3_165_a_reason_is_asked_for_first(cli: Cli) -> None:
    code, _, err = cli("discard", TWO, "--yes")
    assert (code, "no reason is given" in err) == (2, True)


def test_g3_166_what_came_back_is_said_so(cli: Cli, hub: Acme) -> None:
    cli("discard", TWO, "--reason", WHY, "--yes")
    given = ("ingest", "onnx", hub.folder / "tiny-2.onnx", "--as", "vision/tiny")
    said = cli.says(*given, "--goldens", hub.goldens())
    assert said.startswith("vision/tiny/2 had been discarded, and is here again (")
    hub.close()
    assert f"catalog/{VARIANT} built" in cli.says("convert", TWO, "--for", TARGET)
    assert "discarded" not in cli.says("list")
