"""`python -m sealift_registry.demo`: plays the journey in ./demo and leaves it to explore."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import click

from sealift_registry.catalog.reference import VersionRef
from sealift_registry.demo import attacks, journey, setting_up
from sealift_registry.demo.cast import (
    APPROVERS,
    BOOSTED,
    DIGITS,
    OTHER_SITE,
    SITE,
    hardware_target,
)
from sealift_registry.demo.commands import Hands
from sealift_registry.demo.folder import Folder, finish, prepare
from sealift_registry.demo.journey import PICTURES
from sealift_registry.demo.story import Story, Voice
from sealift_registry.demo.training import Training
from sealift_registry.demo.voices import choose_voice, typed
from sealift_registry.views.pictures import file_name
from sealift_signing.errors import SealiftError

CHAPTERS = (
    setting_up.found_hub,
    setting_up.show_sources,
    journey.take_in,
    journey.convert,
    journey.approve,
    journey.enrol_site,
    journey.deliver,
    journey.ship_second,
    journey.go_back,
    journey.go_home,
    journey.prove,
    attacks.play,
)
INTERRUPTED = 130
GOODBYE_WIDTH = 96
UNDECIDED = APPROVERS[1]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="Where it plays; replaced only if an earlier demo made it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for machines.")
def main(folder: Path, *, as_json: bool) -> None:
    """Play the journey of a model from MLflow and DVC to an isolated site, with real commands."""
    story = Story(choose_voice(as_json=as_json), len(CHAPTERS))
    began = time.perf_counter()
    code = played(folder, story, as_json=as_json)
    seconds = time.perf_counter() - began
    if as_json:
        click.echo(json.dumps(_as_json(story, folder, seconds, code), ensure_ascii=False))
    elif code == 0:
        _say_goodbye(str(folder), story.voice, seconds)
    sys.exit(code)


def played(folder: Path, story: Story, *, as_json: bool) -> int:
    """The exit code of the whole story, its error told."""
    try:
        prepared = prepare(folder)
        play(prepared, story)
        finish(prepared)
    except SealiftError as error:
        tell_error(error, as_json=as_json)
        return error.exit_code
    except KeyboardInterrupt:
        click.echo("\nInterrupted; the next run begins anew.", err=True)
        return INTERRUPTED
    return 0


def play(folder: Folder, story: Story) -> None:
    """The whole journey, in `folder`.

    Raises:
        DemoFailedError: it did not go as it must.
    """
    with Training(folder) as training:
        hands = Hands(folder, story, training)
        for chapter in CHAPTERS:
            chapter(hands)


def tell_error(error: SealiftError, *, as_json: bool) -> None:
    """Say what went wrong, as the commands do."""
    if as_json:
        click.echo(json.dumps(error.as_json(), ensure_ascii=False), err=True)
        return
    click.echo(f"\nError: {error.what}", err=True)
    if error.next_step:
        click.echo(f"  Next: {error.next_step}", err=True)


def _as_json(story: Story, folder: Path, seconds: float, code: int) -> dict[str, Any]:
    return {
        "schema": "sealift/demo/1",
        "folder": str(folder.absolute()),
        "ok": code == 0,
        "seconds": round(seconds, 3),
        "steps": story.steps,
    }


def _say_goodbye(folder: str, voice: Voice, seconds: float) -> None:
    """What is left behind, and how to look at it."""
    hub, site = f"{folder}/hub", f"--home {folder}/site"
    at = shlex.join(("--home", hub))
    commands = [
        f"sealift show {DIGITS}/1 {at}",
        f"sealift show {SITE} {at}",
        f"sealift list promotions {at}",
        f"sealift next {at}",
        f"sealift-site {site} status",
        f"sealift-site {site} audit list",
        f"sealift-site --home {folder}/tampered/{OTHER_SITE} status",
    ]
    voice.tell(f"\nAll of it took {seconds:.1f} s, and is left in {folder}/ to explore:\n")
    voice.lines([*on_path(), *commands])
    picture = file_name(VersionRef.parse(f"{BOOSTED}/1"), hardware_target())
    voice.tell(f"\nThe picture of a proof, for a browser: {folder}/{PICTURES}/{picture}")
    voice.tell(
        f"\nTo sign something, be somebody: {UNDECIDED.capitalize()} has not judged P-000004 yet. "
        "Read what is shown, and hand in what you signed:"
    )
    for line in _to_be_signed(folder, hub):
        voice.lines(typed(line, GOODBYE_WIDTH))


def _to_be_signed(folder: str, hub: str) -> tuple[tuple[str, ...], ...]:
    """How the last approver signs the promotion that waits for one, and hands it in."""
    place, name = f"{folder}/people/{UNDECIDED}", f"{folder}/drafts/approve-P-000004"
    said = ("--meaning", "validated", "--reason", "I looked")
    key = ("--key", f"{place}/{UNDECIDED}.pem", "--passphrase-file", f"{folder}/people/passphrase")
    sign = ("sealift-sign", "approve", "P-000004", f"{name}.draft", *said, *key)
    submit = ("sealift", "submit", f"{name}.{UNDECIDED}.signed", "--home", hub)
    return (f"SEALIFT_TRUST={place}/memory", *sign), submit


def on_path() -> list[str]:
    """How to have the commands on PATH, where they are not."""
    folder = Path(sys.executable).parent
    if shutil.which("sealift") == str(folder / "sealift"):
        return []
    return [f"PATH={shlex.quote(str(folder))}:$PATH"]


if __name__ == "__main__":
    main()
