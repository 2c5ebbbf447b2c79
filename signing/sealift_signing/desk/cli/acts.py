"""One command for each act of the closed list: `sealift-sign ACT OBJECT… FILE --key KEY`."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from sealift_signing.acts.names import ACTS, GIVEN, Act, Option
from sealift_signing.desk.cli.group import JSON, KEY, PASSPHRASE, Session, sign
from sealift_signing.desk.cli.terminal import Asking
from sealift_signing.drawing import pasted

if TYPE_CHECKING:
    from sealift_signing.acts.material import Ask
    from sealift_signing.drafts import Draft, DraftPart
    from sealift_signing.public_key import PublicKey

FILE = (
    "FILE is a draft of this act, from a hub. All that it says is shown, and signed only if it is "
    "this act and no other; the signed draft is written to a new file."
)
SAMPLES = {
    "ROLE": "team.vision",
    "TEAM": "vision",
    "STEWARD": "anna ben",
    "PERSON": "carla",
    "SITE": "plant-7",
    "MODEL": "vision/digits",
    "VERSION": "vision/digits/3",
    "STAGE": "production",
    "P-NUMBER": "P-000012",
    "TRANSFER": "plant-7-000042",
    "WHAT": "freshness",
    "BUILDER": "shop-2",
    "WHETHER": "travel",
    "ACCOUNT": "carla",
    "SERVER": "https://hub.example",
    "WHICH-KEY": "7a9f0e99",
}
"""What stands for each object in the example of an act's help."""
OPTIONS = {
    "rotate-keys": "--status compromised",
    "remove-builder": "--status compromised",
    "enroll": "--stage production --dispatcher dora",
    "assign": "--for inspection=cpu-x86_64",
    "unassign": '--reason "The line was closed"',
    "request": '--reason "Better on night shifts"',
    "approve": '--meaning validated --reason "I saw the test run"',
    "object": '--reason "The test set is last year\'s"',
}
"""What options stand there."""


def _options(act: Act) -> list[click.Parameter]:
    """What an act takes beside what it is named with."""
    shared: list[click.Parameter] = [
        click.Option(["--yes"], is_flag=True, help="Sign without being asked whether to."),
        click.Option(
            ["--out"], metavar="FILE", help="The new file. [default: beside FILE, with your name]"
        ),
        PASSPHRASE,
        JSON,
    ]
    return [KEY, *(_OWN if act.own else _ROLE), *shared]


_OWN = [
    click.Option(
        ["--anew"], is_flag=True, help="Sign another, though you signed one before for the same."
    )
]
_ROLE = [
    click.Option(
        ["--card", "cards"],
        metavar="FILE",
        multiple=True,
        help="A key card that you have from its owner; else you are asked for its words.",
    ),
    click.Option(
        ["--words"],
        metavar="WORDS",
        multiple=True,
        help="The eight words of a key card, as its owner told you them.",
    ),
    click.Option(
        ["--confirm"],
        metavar="DIGEST",
        multiple=True,
        help="What you would be asked to type, where nobody can be asked: all digits, or words.",
    ),
]


def _make(name: str, act: Act) -> click.Command:
    last = len(act.object) - 1
    parameters: list[click.Parameter] = [
        click.Argument(
            [_plain(one)],
            metavar=f"{one}..." if act.repeats and n == last else one,
            nargs=-1 if act.repeats and n == last else 1,
            required=True,
        )
        for n, one in enumerate(act.object)
    ]
    parameters.append(click.Argument(["file"], metavar="FILE"))
    parameters += [
        click.Option(
            [f"--{one.name}", f"option_{_plain(one.name)}"],
            help=one.words,
            **_kind(one),
        )
        for one in act.options
    ]
    return click.Command(
        name,
        callback=functools.partial(_run, name, act),
        params=parameters + _options(act),
        help=f"{act.words}\n\n{FILE}",
        short_help=act.words,
        epilog=f"\b\nExample:\n  {_example(name, act)}",
    )


def _kind(one: Option) -> dict[str, Any]:
    """Whether an option has a value, and how often it may be given."""
    if one.flag:
        return {"is_flag": True, "flag_value": GIVEN, "default": None}
    return {"metavar": one.metavar, "multiple": one.many}


def _example(name: str, act: Act) -> str:
    words = [SAMPLES.get(one, one) for one in act.object]
    more = f" {OPTIONS[name]}" if name in OPTIONS else ""
    return f"sealift-sign {name} {' '.join(words)} {name}.draft --key anna.pem{more}"


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")


def _ask(name: str, act: Act, given: dict[str, Any]) -> Ask:
    """The act as it was named on the command line."""
    from sealift_signing.acts.material import Ask

    about: list[str] = []
    for one in act.object:
        value = given[_plain(one)]
        about += [value] if isinstance(value, str) else value
    details = {}
    for option in act.options:
        value = given[f"option_{_plain(option.name)}"]
        values = tuple(value) if option.many else (value,) if value is not None else ()
        if values:
            details[option.name] = values
    return Ask(name, tuple(about), details)


def _run(name: str, act: Act, **given: Any) -> None:  # noqa: ANN401 - what click parsed
    from sealift_signing import drafts
    from sealift_signing.desk.files import read
    from sealift_signing.desk.signing import Desk
    from sealift_signing.memory import not_trusted
    from sealift_signing.public_key import PublicKey
    from sealift_signing.wrong_file import reading

    session = Session(as_json=given["as_json"], passphrase_file=given["passphrase_file"])
    ask, file = _ask(name, act, given), Path(given["file"])
    data = read(file)
    with reading(data, file.name, "draft"):
        draft = drafts.read(data, what=file.name)
    if session.memory.known(draft.organisation) is None:
        raise not_trusted(draft.organisation)  # before a passphrase is asked for
    cards = [_card(Path(one)) for one in given.get("cards", ())]
    signer = session.signer(given["key"])
    key = PublicKey.from_tuf(signer.public_key)
    options = (given.get("confirm", ()), given.get("words", ()))
    talk = Asking(session.terminal, *options, yes=given["yes"])
    desk = Desk(session.memory, session.now, talk)
    signed = desk.sign(draft, ask, signer, cards, anew=given.get("anew", False))
    who = signer_name(signed, key)
    out = Path(given["out"]) if given["out"] else file.with_name(f"{file.stem}.{who}.signed")
    _write(out, signed)
    _tell(session, ask, signed, key, out, talk.shown)


def _card(file: Path) -> bytes:
    """A key card that whoever signs has from its owner.

    Raises:
        MalformedError: it is something else.
    """
    from sealift_signing import statements
    from sealift_signing.desk.files import read
    from sealift_signing.statements import KeyCard
    from sealift_signing.wrong_file import reading

    data = read(file)
    with reading(data, file.name, "card"):
        statements.read(KeyCard, data, what=file.name)
    return data


def _write(out: Path, signed: Draft) -> None:
    """Write what was signed.

    Raises:
        FailedError: it cannot be; but signed it is, and it can be had again.
    """
    from sealift_signing import drafts
    from sealift_signing.desk.files import write_new
    from sealift_signing.errors import FailedError

    try:
        write_new(out, drafts.write(signed))
    except FailedError as bad:
        digest = signed.parts[0].digest[:12]
        bad.what = f"{bad.what} It is signed all the same, and remembered."
        bad.next_step = (
            f"Write it elsewhere: the same command with --out FILE, or sealift-sign again {digest} "
            "FILE"
        )
        raise


def _tell(
    session: Session,
    ask: Ask,
    signed: Draft,
    key: PublicKey,
    out: Path,
    words: Sequence[str],
) -> None:
    # A transfer is finished on the medium that it lies on, which only the hub knows.
    more = " --medium DIR" if ask.act == "transfer" else ""
    submit = f"  sealift submit {pasted([out.name])}{more}"
    lines = [f"Signed: {out}", "Carry it to the hub, and there:", submit]
    told = {
        "act": str(ask),
        "file": str(out),
        "keyid": key.keyid,
        "signed": [{"name": part.name, "sha256": part.digest} for part in signed.parts],
        "words": list(words),
    }
    session.terminal.answer(ask.act, told, lines)


def signer_name(signed: Draft, key: PublicKey) -> str:
    """Whose signature it is, by the names that the draft's chain gives them; else the key's id."""
    from sealift_signing import drafts, roles
    from sealift_signing.drafts import DraftFiles
    from sealift_signing.organisation import Organisation
    from sealift_signing.vocabulary import site_of

    organisation = Organisation(DraftFiles(signed), former=True)
    named = [part.name for part in signed.parts if part.kind == drafts.ROLE]
    if signed.act == "transfer":  # it is its site's dispatcher who vouches for it
        named.append(roles.site_role(site_of(signed.object[0])))
    for role in named:
        owner = organisation.head(roles.delegator(role)).metadata.signed
        for person, held in roles.named_keys(owner, role).items():
            if held.keyid == key.keyid:
                return person
    return next(filter(None, map(_person, signed.parts)), key.keyid[:12])


def _person(part: DraftPart) -> str | None:
    """Who a statement of a person's own says that they are."""
    if part.kind == "role":
        return None
    said = cast("dict[str, Any]", json.loads(part.data)).get("predicate", {})
    return said.get("person") if isinstance(said, dict) else None


for _name, _act in ACTS.items():
    sign.add_command(_make(_name, _act))
