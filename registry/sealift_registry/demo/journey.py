"""The journey: taken in, converted, approved, carried, imported, replaced, rolled back, proved."""

from __future__ import annotations

import json
from typing import Any

from sealift_registry.demo.cast import (
    APPROVERS,
    BOOSTED,
    CLERK,
    DIGITS,
    DISPATCHER,
    EIGHT_WORDS,
    FLEET,
    GROUP,
    LAMP,
    OTHER_SITE,
    REQUESTER,
    SCIENTIST,
    SITE,
    STAGE,
    card,
    first_match,
    hardware_target,
    on_group,
    signed_at_hub,
)
from sealift_registry.demo.commands import EVERYTHING, UNSHARE, Hands
from sealift_registry.demo.setting_up import REPOSITORY, TAG, paper
from sealift_registry.demo.signing import StoryAct, carry_out, draft, sign, submit
from sealift_registry.demo.story import DemoFailedError, Ran
from sealift_registry.demo.train import ALIAS, GOLDENS_FILE, HELD_OUT, NAME, STORE
from sealift_registry.demo.train import BOOSTED as BOOSTED_FILE
from sealift_registry.demo.train import LAMP as LAMP_NAME

TRACKING = ("--tracking", f"sqlite:///sources/{STORE}")
OTHER_MEDIUM = "tampered/medium"
PICTURES = "pictures"
"""Where the picture of a proof is written, in the demo's folder."""
CLOSE = 0.01
"""How far an installed model's accuracy may lie from its original's."""


def take_in(hands: Hands) -> None:
    """Chapter: one model out of MLflow by its alias, another out of DVC by its tag."""
    hands.story.chapter(
        "Models come in",
        "Sealift asks MLflow what the alias stands for, and DVC what the tag holds; it copies the "
        "files, compares them with DVC's digests, and scans them in processes of their own. No "
        "model is loaded. Both are taken in at once.",
    )
    where = (REPOSITORY, "--path", BOOSTED_FILE, "--rev", TAG)
    goldens = ("--goldens", f"sources/{GOLDENS_FILE}")
    dvc = ("ingest", "dvc", *where, "--as", BOOSTED, *goldens)
    with hands.beside(lambda other: other.hub(CLERK, *dvc)):
        hands.hub(CLERK, *mlflow(f"@{ALIAS}"))


def mlflow(which: str, name: str = NAME, model: str = DIGITS) -> tuple[str, ...]:
    """The command that takes a version in from MLflow."""
    return ("ingest", "mlflow", f"models:/{name}{which}", *TRACKING, "--as", model)


def convert(hands: Hands) -> None:
    """Chapter: a variant for the site's machines, compared with its source."""
    hands.story.chapter(
        "They are converted, and compared with what they were",
        "Each becomes ONNX for the machines of the site. On the goldens, and on rows that are made "
        "to find out, both must answer alike; that proof is signed, and names its machine.",
    )
    wanted = ("--for", hardware_target())
    with hands.beside(lambda other: other.hub(CLERK, "convert", f"{BOOSTED}/1", *wanted)):
        hands.hub(CLERK, "convert", f"{DIGITS}/1", *wanted)
    with hands.beside(_draw):
        _stop_what_is_wrong(hands)


def _draw(hands: Hands) -> None:
    """What a proof found is a picture, too."""
    hands.story.tell("\nWhat a proof found is drawn as well, to be opened in a browser:")
    shown = ("show", f"{BOOSTED}/1", "--pictures", PICTURES)
    hands.hub(CLERK, *shown, since="A picture", show=1)


def _stop_what_is_wrong(hands: Hands) -> None:
    """A model that no variant that takes 32 bits can be right of: its proof fails.

    Its conversion is what the converter made, and is not spoiled for the purpose.
    """
    hands.training.wait_for("lamp")
    hands.story.tell(
        "\nA third model tells by the second in which a picture was taken, counted since 1970, "
        "whether the meter's new lamp was on yet. A variant takes its rows in 32 bits, in "
        "which such seconds are 128 apart; its converter says nothing of that:"
    )
    hands.hub(CLERK, *mlflow("/1", LAMP_NAME, LAMP), show=1)
    ran = hands.refused_hub(CLERK, "convert", f"{LAMP}/1", "--for", hardware_target())
    keep_refusal(hands, "wrong-variant", "a variant that answers otherwise", ran, "source")


def keep_refusal(hands: Hands, name: str, what: str, ran: Ran, names: str) -> None:
    """Keep a refusal: the sentence that names the thing.

    Raises:
        DemoFailedError: there is none.
    """
    said = ran.err.splitlines()
    errors = [line for line in said if line.startswith("Error: ")] or said
    lines = [line.removeprefix("Error: ") for line in errors if names in line]
    if not lines:
        raise DemoFailedError("demo-sentence", f"The refusal does not name {names}.", subject=what)
    hands.story.refused(name, what, "refused", lines[0])


def approve(hands: Hands) -> None:
    """Chapter: a signed request, and two people's signatures on exactly that request."""
    hands.story.chapter(
        "One person asks, two others approve",
        "A promotion is a signed request; an approval is a signature on it, with a meaning and a "
        "reason. What approvers read is computed where they sign, from the bytes that they sign.",
    )
    first = ask_for(hands, f"{DIGITS}/1", "The first model that reads our meters")
    with hands.beside(_promote_boosted):
        judge(hands, first, whole=True)


def _promote_boosted(hands: Hands) -> None:
    hands.story.tell("\nThe other model goes the same way meanwhile:")
    judge(hands, ask_for(hands, f"{BOOSTED}/1", "To be compared with the first"))


def judge(hands: Hands, promotion: str, *, whole: bool = False) -> None:
    """`promotion` approved by both approvers."""
    wanted = approval(promotion, "Read the parity report")
    draft(hands, wanted)
    sign(hands, wanted, APPROVERS, show=EVERYTHING if whole else 1)
    submit(hands, [wanted.signed(one) for one in APPROVERS], show=3)


def ask_for(hands: Hands, version: str, reason: str) -> str:
    """Have the requester ask for `version`; how the hub calls the promotion."""
    why = ("--reason", reason)
    hub = ("promote", version, "--to", STAGE, *why)
    name = f"request-{version.replace('/', '-')}"
    wanted = StoryAct(name, hub, ("request", version, STAGE), why)
    return first_match(r"P-\d{6}", carry_out(hands, wanted, [REQUESTER]).out)


def approval(promotion: str, reason: str) -> StoryAct:
    """The approval of `promotion`."""
    said = ("--meaning", "validated", "--reason", reason)
    named = ("approve", promotion)
    return StoryAct(f"approve-{promotion}", (*named, *said), named, said)


def enrol(hands: Hands, site: str = SITE, home: str = "site", medium: str = "medium") -> None:
    """A site asks, a fleet administrator answers, and two people tell each other eight words twice.

    Raises:
        DemoFailedError: those of the request differ.
    """
    request, answer = f"{medium}/{site}.request", f"{medium}/{site}.answer"
    group = ("--group", f"{GROUP}={hardware_target()}")
    asked = hands.site(site, "init", "--id", site, *group, "--request", request, home=home)
    options = ("--stage", STAGE, "--dispatcher", DISPATCHER)
    hub = ("site", "enroll", request, "--stage", STAGE, "--dispatcher", card(DISPATCHER))
    theirs = (*options, "--card", f"../{DISPATCHER}/{DISPATCHER}.card")
    wanted = StoryAct(f"enroll-{site}", hub, ("enroll", site), theirs)
    draft(hands, wanted)
    (signed,) = sign(hands, wanted, [FLEET], show=40 if site == SITE else 2)
    submit(hands, [wanted.signed(FLEET)], show=1)
    hands.hub(CLERK, "site", "answer", site, "--out", answer, since="The answer ", show=1)
    words = {name: _words_of(name, signed.out) for name in ("request", "answer")}
    if not words["request"] or words["request"] != first_match(EIGHT_WORDS, asked.out):
        raise DemoFailedError("demo-words", "Both ends print different words.", subject=site)
    fingerprint = paper(hands.folder).read_text(encoding="utf-8")
    typed = ("--fingerprint", fingerprint, "--words", words["answer"])
    hands.site(site, "init", "--answer", answer, *typed, home=home)
    rows = [(f"Read aloud, of the {name}", said) for name, said in words.items()]
    hands.story.measured(f"{site}.words", [*rows, ("From paper", fingerprint)], words)


def _words_of(what: str, said: str) -> str:
    """The eight words of the request or the answer, where whoever signs is shown them."""
    return first_match(EIGHT_WORDS, first_match(rf"(?m)^ *[Tt]he words of \w+ {what}.*$", said))


def enrol_site(hands: Hands) -> None:
    """Chapter: the site comes to trust this organisation, and nobody else."""
    hands.story.chapter(
        "A site is enrolled",
        "The site's request and the answer are carried by hand. The fleet administrator and "
        "whoever installs the site tell each other eight words of both, and the latter types the "
        "organisation's fingerprint from paper; after that the site believes nothing but "
        f"signatures. {how_cut_off(hands)}",
    )
    enrol(hands)


def how_cut_off(hands: Hands) -> str:
    """How the site is kept from the network here."""
    hands.story.measured("network", [], {"cut_off_by": " ".join(hands.away) or "audit hook"})
    if hands.away == UNSHARE:
        return (
            "Its commands run without a network: in a namespace that has no interface "
            "(unshare -rn), and sealift-site itself refuses every socket."
        )
    return (
        "This machine allows no network namespace of our own (unshare -rn); what keeps the site "
        "from the network here is sealift-site itself, which refuses every socket."
    )


def deliver(hands: Hands) -> None:
    """Chapter: both models are assigned, exported, carried and imported, and they answer."""
    hands.story.chapter(
        "A bundle is written, carried and imported",
        "The dispatcher says what the site should run, and signs a bundle: a folder on a medium. "
        "The site believes none of it before it has checked all of it.",
    )
    for model in (DIGITS, BOOSTED):
        assign(hands, f"{model}/1")
    folder = export(hands)
    hands.site(SITE, "verify", folder)
    hands.site(SITE, "import", folder)
    hands.site(SITE, "status")
    hands.story.tell("\nWhat it offers is a folder that any server can read. Here is one:")
    answer(hands, DIGITS, "v1")
    answer(hands, BOOSTED, "boosted")


def assign(hands: Hands, version: str, site: str = SITE) -> None:
    """Say that the site should run `version`."""
    hands.hub(DISPATCHER, "assign", site, version, *on_group(), *signed_at_hub())


def export(
    hands: Hands,
    site: str = SITE,
    medium: str = "medium",
    home: str = "hub",
    who: str = DISPATCHER,
) -> str:
    """Write a bundle for the site; its folder."""
    made = hands.hub(who, "export", site, "--to", medium, *signed_at_hub(who), home=home)
    return f"{medium}/sealift/{first_match(site + r'-[0-9]{6}', made.out)}"


def answer(hands: Hands, model: str, original: str) -> None:
    """Have the installed model answer the held-out rows, and compare it with its original.

    Raises:
        DemoFailedError: it is not as right as its original.
    """
    folder = f"site/models/{GROUP}/{model}/current"
    program = ("python", "-m", "sealift_registry.demo.answer", folder, f"sources/{HELD_OUT}")
    ran = hands.run(SITE, (*hands.away, *program))
    told: dict[str, Any] = json.loads(ran.out)
    accuracy = told["right"] / told["rows"]
    before = float(hands.training.wait_for(original)["accuracy"])
    rows = [
        ("installed, onnxruntime", f"{accuracy:.4f}  ({told['right']} of {told['rows']} rows)"),
        ("the original, as trained", f"{before:.4f}"),
        ("time to answer them all", f"{told['milliseconds']:.2f} ms"),
    ]
    values = {**told, "installed": accuracy, "original": before}
    hands.story.measured(f"accuracy of {model}", rows, values)
    if abs(accuracy - before) > CLOSE:
        raise DemoFailedError(
            "demo-accuracy", f"{model} answers otherwise than its original.", subject=model
        )


def ship_second(hands: Hands) -> None:
    """Chapter: the alias moves, and the second version goes the same way."""
    hands.story.chapter(
        "A better version, the same way",
        f"The scientist moves the alias {ALIAS}. Nothing changes anywhere until people approve.",
    )
    with hands.working(SCIENTIST, f"moves the alias {ALIAS} to v2, in MLflow"):
        hands.training.move_alias(ALIAS, 2)
    with hands.beside(enrol_other_site):
        hands.hub(CLERK, *mlflow(f"@{ALIAS}"))
    with hands.beside(_take_in_third):
        hands.hub(CLERK, "convert", f"{DIGITS}/2", "--for", hardware_target(), show=1)
        judge(hands, ask_for(hands, f"{DIGITS}/2", "Learned from seven times as many rows"))
        assign(hands, f"{DIGITS}/2")
        hands.site(SITE, "import", export(hands))
        answer(hands, DIGITS, "v2")


def enrol_other_site(hands: Hands) -> None:
    """A second site is enrolled and sent the first version, for the last chapter."""
    hands.story.tell(
        f"\nA second site, {OTHER_SITE}, is enrolled meanwhile and sent the first version. The "
        "last chapter will attack it; its home and its medium lie in tampered/."
    )
    (hands.folder.tampered / "medium").mkdir()
    enrol(hands, OTHER_SITE, f"tampered/{OTHER_SITE}", OTHER_MEDIUM)
    assign(hands, f"{DIGITS}/1", OTHER_SITE)
    export(hands, OTHER_SITE, OTHER_MEDIUM)


def _take_in_third(hands: Hands) -> None:
    hands.story.tell("\nMeanwhile a third version was taken in, whose labels were spoiled:")
    hands.hub(CLERK, *mlflow("/3"), show=1)
    hands.hub(CLERK, "convert", f"{DIGITS}/3", "--for", hardware_target(), show=1)


def go_back(hands: Hands) -> None:
    """Chapter: back to the first version, and it stays so."""
    story = hands.story
    story.chapter(
        "Back to the first, in a moment",
        "Going back needs no network, no medium and no hub, whatever has expired. It holds when "
        "the same bundle is imported again, and the hub will read of it.",
    )
    reason = "The night shift sees odd readings"
    back = hands.site(SITE, "rollback", DIGITS, "--reason", reason)
    story.measured(
        "rollback",
        [("rollback, with the start of the command", f"{back.seconds:.2f} s")],
        {"seconds": round(back.seconds, 3)},
    )
    answer(hands, DIGITS, "v1")
    hands.site(SITE, "import", f"medium/sealift/{SITE}-000002")
    _check_runs(hands, 1)


def _check_runs(hands: Hands, version: int) -> None:
    link = hands.folder.root / "site" / "models" / GROUP / DIGITS / "current"
    name = link.resolve().name
    rows = [("models/…/current is still", f"{name[:24]}…")]
    hands.story.measured("current", rows, {"current": name, "version": version})
    if not name.startswith(f"{version}-"):
        raise DemoFailedError(
            "demo-rollback", f"The rollback did not hold: {name} is current.", subject=DIGITS
        )


def go_home(hands: Hands) -> None:
    """Chapter: the receipt and the site's log go home."""
    hands.story.chapter(
        "The receipt goes home",
        "The site signs what it installed and held, and sends its log along; the hub checks that "
        "it continues what it has seen before.",
    )
    hands.site(SITE, "return", "--to", "medium")
    hands.hub(CLERK, "receive", "medium")
    hands.hub(CLERK, "show", SITE, show=20)


def prove(hands: Hands) -> None:
    """Chapter: what happened, for an auditor, on both ends."""
    hands.story.chapter(
        "What happened, for an auditor",
        "Every promotion, transfer and import is an entry in a log that cannot be changed unseen: "
        "one at the hub, one at each site, each witnessing the other.",
    )
    with hands.beside(_prove_at_site):
        hands.hub("auditor", "audit", "list", "--limit", "100", "--oldest-first", show=100)
        hands.hub("auditor", "audit", "verify")


def _prove_at_site(hands: Hands) -> None:
    hands.site("auditor", "audit", "list", "--limit", "100", show=100)
    hands.site("auditor", "audit", "verify")
