"""`--engines`: the same tests with hubs that keep rows and blobs in their homes, or on servers.

`make test` runs with `embedded` all tests but those that start servers of their own. Those are run
by `make test-shared` with `servers`, and before them those of `SHARED` with `shared`
(`tests.stores`). Each module of the rooms below is in one of the lists. A test in one of `SHARED`
that is about SQLite alone says so itself, by `pytest.mark.embedded` and the reason. Neither is
skipped: they are not collected, and the end of the run lists them.

With `--drawn N` a run of `shared` has of these modules `ALWAYS`, and one in N of the others: each
run has others, by its name (`tests.sampling`). `.ci/run` draws; `make test-shared` alone plays all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests import sampling

HERE = Path(__file__).parent
ROOMS = ("desk", "journey", "registry")
"""Folders each of whose modules is in a list."""

SHARED: Mapping[str, tuple[str, ...]] = {
    "registry": (
        *("artifact_policies", "audit_page", "built_elsewhere", "delivery"),
        *("delivery_locks", "entries_and_signatures", "exports_base", "exports_check_rows"),
        *("exports_delta", "exports_packs", "exports_plan", "exports_resume", "guide"),
        *("home_told", "hostile_words", "hub_cli", "hub_clock", "hub_entries", "hub_retiring"),
        *("hub_setup", "hub_terminal", "intake_origins", "letting_rows_out", "limits_of_drafts"),
        *("jobs", "lists", "log_concurrency", "log_reading", "log_tampering", "log_writer"),
        *("never_run_there", "newest_receipt", "numbers_left_out", "promised_runtimes"),
        *("promotions", "proof_evidence", "pruned_history", "read_models"),
        *("regression", "regression_told", "replacing_keys", "restored_hub", "results_again"),
        *("rows_asked_at_a_site", "shown_and_signed", "signatures_that_count"),
        *("signed_deliveries", "site_rows", "stored_fsck", "stored_metadata", "stored_past"),
        *("stored_rows_checked", "stored_sites", "stored_statements", "submitting"),
        *("submitting_several", "unchanged", "waiting_transfers", "what_sites_read"),
        *(
            "g2_01_accounts",
            *("g2_16_held_offices", "g2_30_signing_in", "g2_40_binding"),
            "g2_50_serving",
            "g2_60_reading",
            "g2_110_wanting",
            *("k1_80_every_log", "k1_95_overview", "k1_110_what_needs_a_person"),
        ),
        *("g2_165_downloads", "g2_180_job_events", "g2_240_within_reach"),
        "g2_210_sessions_served",
        *("g2_217_own_things_served", "g2_223_administering_served"),
        "g2_307_long_names",
        "g2_230_unknown_and_many",
        "g2_235_sessions_attacked",
        "g2_320_known_devices",
        *("g2_270_bypasses", "g2_271_refusals_told", "g2_280_programs_tokens"),
        "g2_250_signed_documents",
        "g2_266_comments",
        "g2_245_delivering",
        "g2_202_tour",
        *("g2_26_account_command", "g2_185_tokens_served", "g2_190_writing"),
        "g2_67_the_journey_over_http",
        *("k1_04_what_counts_at_the_hub", "k1_06_what_expires_leaves", "k1_132_policy_changes"),
        "k1_12_people_at_the_hub",
    ),
    "journey": ("random_journeys", "thin_journey", "tutorial"),
    "desk": (
        *("beginning", "every_act_waits", "honest_days", "honest_people", "honest_sites"),
        *("lost_keys", "mistaken", "what_was_seen"),
    ),
}
"""Tests that play with a hub: they run over both."""

ALWAYS = frozenset(
    {
        "registry/g2_202_tour",
        "registry/g2_67_the_journey_over_http",
        "registry/log_concurrency",
        "registry/delivery_locks",
        "registry/stored_metadata",
        "registry/stored_rows_checked",
    }
)
"""Modules of `SHARED` that are in each draw: what is promised first, and what engines differ in."""
DEAREST = (
    *("registry/replacing_keys", "registry/regression", "journey/random_journeys"),
    *("registry/home_told", "registry/restored_hub", "desk/honest_sites", "journey/tutorial"),
    *("registry/promised_runtimes", "registry/delivery", "desk/every_act_waits"),
    *("registry/read_models", "registry/never_run_there", "registry/newest_receipt"),
    *("registry/g2_270_bypasses", "registry/hostile_words", "registry/promotions"),
    *("registry/regression_told", "desk/what_was_seen", "desk/honest_people"),
    *("registry/hub_retiring", "desk/honest_days", "journey/thin_journey"),
)
"""Modules of `SHARED` that take longest there, longest first: each draw has its share of them."""

ALONE: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "registry": {
        "It is about older files of SQLite's; test_postgres_schema has what is on a server.": (
            "migrations",
            "migrating_history",
        ),
        "SQLite keeps in a column whatever is put there; a server refuses it.": ("stored_types",),
        "It is about a folder that can only be read.": ("read_only_hub",),
        "It is about files on the disk of a server, before they are taken in.": (
            "g2_170_uploads",
            "g2_300_many_uploads",
        ),
        "It is about the process that serves a hub in its home.": (
            "g2_150_the_page_of_desks",
            "g2_56_server_process",
            "g2_80_a_careless_month",
            "g2_285_files_sent_by_the_kernel",
            "g2_291_connections",
            "g2_269_a_programs_day",
            "g2_238_proxies",
            "g2_272_large_files",
        ),
        "It asks a server of a test's own, and no hub.": (
            *("g2_115_a_desks_client", "k1_122_asking_mlflow"),
        ),
        "Its questions are asked on both elsewhere; it is about how many entries there are.": (
            "k1_120_the_questions",
        ),
        "It kills servers, each of which has a store of its own.": ("g2_204_server_under_load",),
        "It is about what is refused before any row is read.": ("g2_321_odd_input",),
        "It is about what a desk makes of a server's answers.": (
            *("g2_123_reading_at_desks", "g2_130_signing_at_desks"),
            "g2_276_evidence_keys",
            *(
                "g2_140_a_hostile_server",
                "g2_310_a_servers_words",
                "g2_310_told_as_it_is",
                "g2_151_more_at_desks",
                "g2_217_at_ones_desk",
            ),
            "g2_77_next_steps_at_desks",
        ),
        "It is about settings.toml, and one hub that goes by it.": (
            "g2_256_named_places",
            "g2_90_words_of_the_hub",
            "g2_259_asking_from_desks",
            "g2_70_dispatching_at_desks",
        ),
        "It asks at random, and what it asks is the same on both.": ("g2_200_described",),
        "It asks no hub: models, conversions, proofs and comparisons.": (
            *("conversion_hardware", "converted_names", "far_from_zero", "frameworks"),
            *("honoured_as_parts", "honoured_drawn", "honoured_forests", "honoured_sklearn"),
            *("honoured_trees", "old_operators", "plain_words", "proof_answers_shown"),
            *("proof_batches", "proof_cost", "proof_findings", "proof_fooled", "proof_memory"),
            *("proof_missing", "proof_rows", "proof_still", "proof_ties", "proof_withheld"),
            *("proof_words", "regression_figures", "regression_spread", "scaled_nested"),
            *("scaled_trees", "scan_formats", "scan_models", "unknown_operators", "quoting"),
            *("workers", "workspace", "site_state", "unquoted_rows", "intake_goldens"),
            *("intake_staging", "g2_20_rights"),
        ),
        "Its hub keeps what it makes as that of a module that runs twice does.": (
            *("intake_dvc", "intake_mlflow", "intake_one_repository", "intake_remotes"),
            *("intake_yaml", "proof_check_rows", "proof_repeated", "real_runtimes"),
            *("conversion_building", "runtimes", "proof_told"),
            *("regression_breaking", "regression_likeness", "regression_named"),
            "regression_rows",
            "g2_260_asking_for_models",
        ),
    },
    "journey": {
        "It asks no hub, or is about one command's own file.": (
            *("add_a_framework", "how_tos", "log_file", "site_alone"),
        ),
        "Its story has a whole home copied by a thief: rows on a server are not in it.": ("demo",),
    },
    "desk": {
        "It asks no hub: desks, and a hub's files on paper.": (
            *("alone", "clocks_and_names", "commands", "every_byte", "interrupted", "memory"),
            *("signing", "terminal", "typing", "wrong_clocks", "g2_160_bind_account"),
            "k1_130_policies",
            "k1_07_people_leave",
        ),
    },
}
"""Tests that run once, by why they do."""
ITSELF = ("g1_", "g3_", "postgres_", "goldens_rows")
"""How modules begin that name their engines themselves: one, or both beside each other."""
STARTING = ("servers", "test_engines.py")
"""What else starts servers: a folder, and a module."""


def listed(room: str) -> Iterator[str]:
    """The modules of a room that are in a list, as often as they are."""
    yield from SHARED.get(room, ())
    for names in ALONE.get(room, {}).values():
        yield from names


def starts_servers(module: Path) -> bool:
    """Whether a module of tests starts a server of its own, whatever `--engines` says."""
    if module.parent.name in ROOMS:
        return module.stem.removeprefix("test_").startswith(ITSELF)
    return module.parent.name in STARTING or module.name in STARTING


def of_both() -> list[str]:
    """The modules of `SHARED`, as ROOM/NAME: the dearest first."""
    every = [f"{room}/{name}" for room, names in SHARED.items() for name in names]
    return [*DEAREST, *(one for one in every if one not in DEAREST)]


def drawn_of(one_in: int) -> list[str]:
    """The modules that this run plays: `ALWAYS`, and one of every few that cost the same."""
    if one_in < 1:
        raise pytest.UsageError("--drawn is 1, which is all modules, or more.")
    others = [one for one in of_both() if one not in ALWAYS]
    groups = [others[at : at + one_in] for at in range(0, len(others), one_in)]
    picked = [sampling.drawn(group, 1, f"modules {group[0]}")[0] for group in groups]
    return [one for one in of_both() if one in ALWAYS or one in picked]


class Apart:
    """The plugin of `--engines=embedded`, or of `servers`: without what starts one, or that alone.

    A module that is named on the command line is run in any case.
    """

    def __init__(self, *, servers: bool) -> None:
        self._servers = servers

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Collect what belongs here."""
        if not collection_path.name.startswith("test_"):
            return None
        return None if starts_servers(collection_path) == self._servers else True


class Shared:
    """The plugin of `--engines=shared`."""

    def __init__(self, one_in: int) -> None:
        self._left = Counter[str]()
        self._drawn = drawn_of(one_in)

    def pytest_report_header(self) -> str:
        """Say how many of the modules this run has."""
        return f"modules that run over both: {len(self._drawn)} of {len(of_both())}"

    def not_drawn(self) -> tuple[str, str] | None:
        """A title that says how to draw the same again, and the modules that this run leaves."""
        left = " ".join(one for one in of_both() if one not in self._drawn)
        again = f"--drawn and --testrunuid={sampling.run()}"
        return (f"not drawn in this run ({again} draw the same again)", left) if left else None

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Collect the tests of `SHARED` alone, and of them those that were drawn."""
        if not collection_path.name.startswith("test_"):
            return None
        room, name = collection_path.parent.name, collection_path.stem.removeprefix("test_")
        return None if f"{room}/{name}" in self._drawn else True

    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """And of them what is not about SQLite alone."""
        alone = []
        for item in items:
            mark = item.get_closest_marker("embedded")
            if mark is not None:
                self._left[f"{item.nodeid.partition('[')[0]}: {mark.args[0]}"] += 1
                alone.append(item)
        items[:] = [item for item in items if item not in set(alone)]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was not drawn, and what does not run over a server and why."""
        told = self.not_drawn()
        if told:
            terminalreporter.section(told[0])
            terminalreporter.write_line(told[1])
        terminalreporter.section("about SQLite or a folder alone, and so not run on a server")
        for room, reasons in ALONE.items():
            for why, names in reasons.items():
                for name in names:
                    terminalreporter.write_line(f"{room}/test_{name}.py: {why}")
        for line in self._left:
            terminalreporter.write_line(line)
