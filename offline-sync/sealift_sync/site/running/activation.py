"""Making an installed version current: one link, then the host group's own hook and health check.

The link is switched first, because a server reloads what it finds there; if the hook or the check
fails, it is switched back and the hook runs again. What was recalled is never switched back to:
where nothing else can take its place, nothing runs. What was committed is what the log says, and
the links follow it.

What is new in a place is asked of the group's own runtime first, before anything is switched
(`runtime_checks`): what it does not answer as it must is not switched to. Others may work here
meanwhile, and what should run is looked at again afterwards.

A server that holds a model in memory stops because a hook told it so. Where that failed, it is
remembered: every import runs the hook again, and until it succeeds nobody reads that all is well.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from sealift_signing import file_access
from sealift_signing.canonical import Json
from sealift_signing.drawing import drawn
from sealift_signing.errors import SealiftError
from sealift_signing.transparency.entry import Term
from sealift_sync.site.running import programs, runtime_checks
from sealift_sync.site.running.choices import Choice, Choices, Place
from sealift_sync.site.running.model_tree import ModelTree
from sealift_sync.site.running.programs import CommandFailedError
from sealift_sync.site.running.runtime_checks import CheckOutcome
from sealift_sync.site.setup.disk_reserve import A_HOOKS
from sealift_sync.site.setup.open_site import OpenSite
from sealift_sync.site.state.check_results import CheckResult, check_json, record_check
from sealift_sync.site.state.records import Current

BACK = "going back waits for no check"
LACKING = {"no-blob", "blob-damaged"}
"""The store has lost what should be shown: to try again changes nothing, and another may do."""


@dataclass(frozen=True)
class Activation:
    """What was done in one place, and how it ended; `already` means nothing was to be done.

    `untold` is why whoever serves what was stopped may still do so: what the hook said.
    `checked` is what the group's own runtime answered; None where nobody expects it to be asked.
    """

    place: Place
    before: int | None
    after: int | None
    outcome: Literal["activated", "already", "stopped", "switched-back"]
    words: str
    untold: str = ""
    checked: CheckResult | None = None

    @property
    def went_well(self) -> bool:
        """Whether what was meant to happen did."""
        return self.outcome != "switched-back" and not self.untold


def activate(site: OpenSite, reason: str, *, stopping: bool = False) -> tuple[Activation, ...]:
    """Bring what runs in line with what should run; every change is an entry of its own.

    Args:
        site: the site.
        reason: why now, for the log: a transfer's id, or the words of who rolled back.
        stopping: it is there to stop something. The hook is run again where something was stopped
            and it failed, and no runtime is asked about what takes the place of nothing that stops.

    Raises:
        FailedError: a place could not be switched; all others were.
    """
    tree = ModelTree(site.home, lost=site.state.lost())
    choices = Choices(site.state, site.enrolment)
    tree.repair(choices.current.values())
    done: list[Activation] = []
    failed: SealiftError | None = None
    for place in sorted(site.state.untold()) if stopping else ():
        try:
            done.append(stop_again(site, tree, Place(*place), reason))
        except SealiftError as bad:
            failed = failed or bad
    # What waits for no check comes first: what is recalled stops before anything else is asked.
    due = sorted(choices.wanted(), key=lambda one: choices.moves_on(*one))
    asks = {place for place, choice in due if _asks(site, choices, place, choice)}
    stopped = {place for place in asks if _is_recalled(choices, place)}
    for place in sorted(stopped):
        try:
            done.append(stop_recalled(site, place, reason))
        except SealiftError as bad:
            failed = failed or bad
    for place, _ in due:
        if stopping and place in asks - stopped:
            continue
        try:
            done += _settle(site, place, reason)
        except SealiftError as bad:  # one place that fails must not keep a recall from another
            failed = failed or bad
    if failed:
        raise failed
    return tuple(done)


def _asks(site: OpenSite, choices: Choices, place: Place, choice: Choice | None) -> bool:
    """Whether a runtime is asked before `place` is switched to `choice`."""
    if choice is None or not choices.moves_on(place, choice):
        return False
    running = choices.current.get(place)
    here = running is not None and running.sha256 == choice.sha256
    return not here and not runtime_checks.why_unchecked(site, place, choice)


def _is_recalled(choices: Choices, place: Place) -> bool:
    """Whether what runs in `place` must stop."""
    running = choices.current.get(place)
    return running is not None and choices.recalled(Choice(running.path, running.sha256))


def _settle(site: OpenSite, place: Place, reason: str) -> Iterator[Activation]:
    """Switch `place` to what should run there; where that fails after a recall, to what is next.

    It ends, because what failed is not wanted again, and nothing is asked about twice.
    """
    asked: dict[Choice, CheckOutcome] = {}
    while True:
        choices = Choices(site.state, site.enrolment)
        choice, running = choices.wants(place), choices.current.get(place)
        before = Choice(running.path, running.sha256) if running else None
        if choice == before:
            return
        asks = _asks(site, choices, place, choice)
        if asks and _is_recalled(choices, place):
            yield stop_recalled(site, place, reason)
            continue
        if asks and choice is not None and choice not in asked:
            asked[choice] = runtime_checks.ask(site, place, choice)
            site = site.as_set_now()
            continue  # others worked here meanwhile
        retired = choices.retired(place)
        why = f"{reason}: retired: {drawn(retired.reason, 500)}" if retired else reason
        tree = ModelTree(site.home, lost=site.state.lost())
        answered = _answered(site, choices, place, choice, asked)
        done = switch(site, tree, place, before, choice, why, answered=answered)
        yield done
        if done.outcome != "switched-back" or done.after is not None:
            return


def _answered(
    site: OpenSite,
    choices: Choices,
    place: Place,
    choice: Choice | None,
    asked: Mapping[Choice, CheckOutcome],
) -> CheckOutcome | None:
    """What was answered about `choice`, or why it was not asked; None where that goes back."""
    if choice is None or not choices.moves_on(place, choice):
        return None
    return asked.get(choice) or partial(runtime_checks.unchecked, site, place, choice)


def stop_recalled(site: OpenSite, place: Place, reason: str) -> Activation:
    """Stop what runs in `place` before its successor is asked about, which takes its time.

    Raises:
        FailedError: it could not be logged, or its link not taken away.
    """
    running = Choices(site.state, site.enrolment).current[place]
    tree = ModelTree(site.home, lost=site.state.lost())
    return switch(site, tree, place, Choice(running.path, running.sha256), None, reason)


def stop_again(site: OpenSite, tree: ModelTree, place: Place, reason: str) -> Activation:
    """Run the hook of a place where nothing runs once more, for it failed.

    Raises:
        FailedError: it could not be logged.
    """
    return switch(site, tree, place, None, None, reason)


def switch(  # noqa: PLR0913 - all that a switch is, each said by name
    site: OpenSite,
    tree: ModelTree,
    place: Place,
    before: Choice | None,
    after: Choice | None,
    reason: str,
    otherwise: Callable[[], None] = lambda: None,
    *,
    answered: CheckOutcome | None = None,
) -> Activation:
    """Switch one place from `before` to `after`, or back again if what watches over it objects.

    Args:
        site: the site.
        tree: its models.
        place: where.
        before: what runs there.
        after: what shall run there, or None for nothing.
        reason: why, for the log.
        otherwise: what else is written, in the same transaction, where it was not activated.
        answered: what the runtime said of `after`; of what goes back it is not asked.

    Raises:
        FailedError: it could not be linked or logged; the link is as it was.
    """
    recalled = before is not None and before.sha256 in site.state.recalls()
    back = None if recalled else before
    untold = ""
    try:
        failure, checked = _try(site, tree, place, after, answered, recalled=recalled)
        if failure and after is not None:
            tree.switch(place, back)
            untold = _hook_again(site, tree, place, back)
            failure += untold
        elif failure:
            untold = failure
        elif checked is not None and checked.failure and back is None and _untold(site, place):
            untold = _hook_again(site, tree, place, None)
        done = _told(place, before, after, back, failure, checked)
        if done.after is None:
            done = replace(done, untold=untold.strip())
        _commit(site, done, after, reason, otherwise)
    except (SealiftError, KeyboardInterrupt):
        with suppress(SealiftError):  # what went wrong first is what must be told
            tree.switch(place, back)
        raise
    return done


def _untold(site: OpenSite, place: Place) -> bool:
    """Whether something was stopped in `place`, and its hook failed."""
    return tuple(place) in site.state.untold()


def _try(
    site: OpenSite,
    tree: ModelTree,
    place: Place,
    after: Choice | None,
    answered: CheckOutcome | None,
    *,
    recalled: bool,
) -> tuple[str, CheckResult | None]:
    """Switch `place` to `after`, unless its runtime answers otherwise than it must.

    Returns:
        Why that failed, empty where it did not or was not begun; and what the runtime answered.
    """
    checked = None
    try:
        if after is not None:
            tree.check_not_lost(after)
            checked = (
                answered() if answered else runtime_checks.passed_over(site, place, after, BACK)
            )
        if checked is None or not checked.failure:
            _show(site, tree, place, after)
    except CommandFailedError as bad:
        return str(bad), checked
    except SealiftError as bad:
        if after is None or not (recalled or bad.code in LACKING):
            raise
        return bad.what, checked  # a fallback that cannot be shown does not keep a recalled one
    return "", checked


def _show(site: OpenSite, tree: ModelTree, place: Place, after: Choice | None) -> None:
    """Show `after` to consumers, and have whoever serves it and whoever watches say so.

    Raises:
        CommandFailedError: one of them objects.
    """
    settings = site.home.settings.group(place.group)
    tree.switch(place, after)
    _run(settings.hook, "hook", site, tree, place, after)
    if after is not None:
        _run(settings.health_check, "health check", site, tree, place, after)


def _told(
    place: Place,
    before: Choice | None,
    after: Choice | None,
    back: Choice | None,
    failure: str,
    checked: CheckResult | None,
) -> Activation:
    was = before.path.version if before else None
    where = f"{place.model} in host group {place.group}"
    if after is None:
        words = f"{where} stopped; nothing runs there now."
        if failure:
            words = f"{where} stopped. But its server was not told, and may still run it: {failure}"
        return Activation(place, was, None, "stopped", words)
    stays = back.path.version if back else None
    if checked is not None and checked.failure:
        told = f"version {stays} runs on" if back else "nothing runs there"
        words = f"{where}: version {after.path.version} was not switched to, {told}. "
        return Activation(
            place, was, stays, "switched-back", words + checked.failure, checked=checked
        )
    if failure:
        told = f"switched back to version {stays}" if back else "nothing runs there"
        words = f"{where}: version {after.path.version} failed, {told}. {failure}"
        return Activation(place, was, stays, "switched-back", words, checked=checked)
    words = f"{where} runs version {after.path.version}."
    return Activation(place, was, after.path.version, "activated", words, checked=checked)


def _commit(
    site: OpenSite,
    done: Activation,
    after: Choice | None,
    reason: str,
    otherwise: Callable[[], None],
) -> None:
    """State and log entry together; the links already are what this says."""
    place = done.place
    kinds = {"activated": "activated", "stopped": "stopped", "switched-back": "activation-failed"}
    terms = [Term("model", place.model), Term("host-group", place.group)]
    if after is not None:
        terms.append(Term("artifact", after.sha256))
    data: dict[str, Json] = {
        "before": done.before or 0,
        "after": done.after or 0,
        "words": done.words,
        "reason": reason,
    }
    if done.checked is not None:
        data["checked"] = check_json(done.checked)
    with site.state.transaction():
        if done.checked is not None and after is not None and done.checked.outcome != "not-checked":
            record_check(site.state, place.group, after.sha256, done.checked, site.clock())
        if done.outcome == "switched-back" and after is not None:
            site.state.add_failure(*place, after.sha256, done.words)
            if done.after is None:
                site.state.clear_current(*place)
        elif after is None:
            site.state.clear_current(*place)
        else:
            site.state.set_current(Current(place.group, after.path, after.sha256, site.clock()))
        if done.outcome != "activated":
            otherwise()
        site.state.set_untold(*place, done.untold)
        site.record(site.entry(f"model.{kinds[done.outcome]}", data, terms))


def _hook_again(site: OpenSite, tree: ModelTree, place: Place, before: Choice | None) -> str:
    """Whatever the hook loaded must be unloaded again, so it runs once more."""
    try:
        _run(site.home.settings.group(place.group).hook, "hook", site, tree, place, before)
    except CommandFailedError as bad:
        return f" After switching back, {bad}"
    return ""


def _run(
    command: tuple[str, ...],
    what: str,
    site: OpenSite,
    tree: ModelTree,
    place: Place,
    choice: Choice | None,
) -> None:
    if not command:
        return
    seconds = site.home.settings.group(place.group).timeout_seconds
    with programs.output_file() as output, site.reserve.resting(A_HOOKS):
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=programs.environment(place, choice, tree.link(place)),
                cwd=site.home.models,
                start_new_session=True,
                umask=file_access.callers_umask(),
            )
        except OSError as bad:
            raise CommandFailedError(
                f"The {what} {command[0]} could not be started: {bad.strerror or bad}."
            ) from bad
        try:
            code = programs.wait(process, output, seconds)
        except subprocess.TimeoutExpired:
            programs.end(process)
            raise CommandFailedError(
                f"The {what} {command[0]} took longer than {seconds} seconds."
            ) from None
        except KeyboardInterrupt:
            programs.end(process)  # it is in a session of its own, where Ctrl-C does not reach it
            raise
        if code:
            said = programs.quote(output)
            raise CommandFailedError(f"The {what} {command[0]} ended with {code}{said}.")
