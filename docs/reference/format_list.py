"""Sealift's own documents, each with what formats.md says of it besides its members."""

from __future__ import annotations

import dataclasses
from typing import Any

from sealift_registry.conversion.build_result import BuildResult
from sealift_registry.conversion.work_order import WorkOrder
from sealift_registry.proof.proof_report import ProofReport
from sealift_registry.regression.regression_report import RegressionReport
from sealift_registry.runtimes.runtimes_report import RuntimesReport
from sealift_signing import (
    account_binding,
    documents,
    drafts,
    organisation_memory,
    statements,
    version_links,
)
from sealift_signing.policy import Policy
from sealift_signing.transparency import entry, extract
from sealift_sync.check_rows import CheckRows


@dataclasses.dataclass(frozen=True)
class Format:
    """One document: its type, where it lies, who signs it, and what a reader does besides."""

    title: str
    kind: type[Any]
    example: str
    lies: str
    signed_by: str
    words: str
    checks: tuple[str, ...] = ()

    @property
    def is_statement(self) -> bool:
        """Whether this is the predicate of a signed statement."""
        return hasattr(self.kind, "PREDICATE_TYPE")

    @property
    def slug(self) -> str:
        """The name of its schema's file."""
        return self.title.removesuffix(".json").lower().replace(" ", "-")


FORMATS = (
    Format(
        "policy.json",
        Policy,
        "policy.json",
        "`targets/policy.json`",
        "`targets` (offline, two of three), through TUF",
        "What each stage asks before an artifact counts as promoted to it, and how long signatures "
        "last. A site keeps its own lower bounds besides (its pins), which a lowered policy does "
        "not lower.",
        (
            "There is at least one stage.",
            "`requester_may_approve` is true only where one approval suffices: one person alone.",
            "`evidence_by_policy` asks for some evidence of each, and never of `portable`.",
            "Where `approve_within_days` or `evidence_by_policy` stands, `requires` names it.",
            "Where a stage asks for `runtimes` or `regression`, it names `later-evidence`.",
        ),
    ),
    Format(
        "members.json",
        documents.Members,
        "members.json",
        "`targets/teams/<team>/members.json`",
        "`team.<team>` (more than half of its stewards), through TUF",
        "Who may request and approve what in one team, with which keys; and what the team has "
        "withdrawn. A site keeps the union of all withdrawals it ever saw.",
        (
            "`team` is the team whose path it lies under.",
            "One key stands for one person.",
            "A withdrawal names a digest, or a model of this team and a version: all below it.",
            "`check_rows` stands where check rows may leave the hub; `requires` names it there.",
            "Where a key has a `status`, `requires` names it; nobody who is compromised has one.",
            "`counts` stands with each retired key, with no other, and in the order of digests.",
        ),
    ),
    Format(
        "keys.json",
        documents.FleetKeys,
        "keys.json",
        "`targets/fleet/keys.json`",
        "`fleet`, through TUF",
        "The keys of machines that sign by themselves: the hub's log, scanners, builders, sites. "
        "A retired machine's evidence still counts where a request names it; a compromised one's "
        "never does.",
        (
            "Every key is one, and listed once.",
            "`starts` stands only at a key of a log, and names another that is listed.",
            "Where it stands, `requires` names `log-starts`.",
            "A site takes the hub's checkpoints by an active key, none behind the last by it.",
            "Nor does it take one behind `starts.size`.",
            "Of a new key without `starts` it goes back behind nothing that it saw.",
        ),
    ),
    Format(
        "assignment.json",
        documents.Assignment,
        "assignment.json",
        "`targets/sites/<site>/assignment.json`",
        "`site.<site>` (its dispatcher), through TUF",
        "What the host groups of one site should run, and which statements vouch for it.",
        (
            "`site` is the site whose path it lies under.",
            "Every artifact stands under its own model.",
            "`retire` and `back` are never empty, and name a host group and model once.",
            "Where one stands, `requires` names it.",
            "What is retired is not assigned; what goes back is, and no higher than its `version`.",
            "A site keeps running what is left out.",
            "It holds what is lower than what runs and is not said to go back from there.",
        ),
    ),
    Format(
        "recall.json",
        documents.RecallList,
        "recall.json",
        "`targets/recall.json`",
        "`recall` (a safety officer), through TUF",
        "What must stop, wherever it runs. It is read before everything else and honoured even "
        "where all metadata has expired; a site keeps the union of all recalls it ever saw.",
    ),
    Format(
        "lineage.json",
        version_links.Lineage,
        "lineage.json",
        "`metadata/<role>.lineage.json`",
        "nobody: it follows from the link that the role's newest version names",
        "What each version of a role that people sign says of the one it follows, but for the "
        "newest, whose own file is there: so whoever missed many versions sees in a few hundred "
        "bytes for each that the newest one descends from the one that they hold.",
        (
            "`role` is the role whose name it bears.",
            "The sha256 of each of `versions`, spelled as here, is the `link` of the one above.",
            "That of the first is the `link` that the role's newest version names.",
        ),
    ),
    Format(
        "Version given back",
        drafts.RoleVersion,
        "version.json",
        "a file of its own, and whole in a signer's memory",
        "nobody: `data` is signed as TUF has it",
        "One version of a role with its documents, as `sealift-sign write` gives it to a hub that "
        "lost it.",
        ("`roots` is of root every root since 1; of another role it is empty.",),
    ),
    Format(
        "Shared memory",
        drafts.Shared,
        "memory.json",
        "a file of its own, from `sealift-sign share`",
        "nobody: all of it is verified from the root that its reader trusts",
        "The newest version of each role that one signer knows, for another's "
        "`sealift-sign learn`. It says nothing of what was signed.",
    ),
    Format(
        "known.json",
        organisation_memory.OrganisationMemory,
        "known.json",
        "`known.json`, in the signer's memory of that organisation",
        "nobody: it is its owner's own",
        "What a signer knows of an organisation, and all that they signed.",
        ("Each file that it names lies in `files/`, under its sha256.",),
    ),
    Format(
        "Request",
        statements.Request,
        "request.json",
        "`statements/<sha256>.json`",
        "the person who requests",
        "Please bring exactly these artifacts to a stage. It never changes: an artifact or "
        "evidence that comes later needs a request of its own. The subjects are all artifacts, "
        "the source artifact among them.",
        (
            "`person` is active in the team, and signed with a key whose purpose is `request`.",
            "It is not dated more than a day ahead.",
            "A withdrawal is set aside only by its sha256 under `despite`; dates decide nothing.",
            "`artifact_policies` names variants that are subjects, none of them portable.",
            "Where it stands, `requires` names it.",
        ),
    ),
    Format(
        "Approval",
        statements.Approval,
        "approval.json",
        "`statements/<sha256>.json`",
        "the person who approves",
        "One person's signature on one request. Only approvals of one request count together, "
        "and its requester counts for none of them.",
        (
            "Organisation, team, model, version, stage and *all* subjects are the request's.",
            "`person` is active, and signed with a key whose purpose is `approve:<stage>`.",
            "The policy counts keys of that class, and knows that meaning.",
            "It is made no more than a day before its request, nor more than 30 days after it.",
            "The policy's `approve_within_days` is there in place of these 30 days, if it is said.",
            "Distinct people with distinct keys are counted; no key is a machine's or the hub's.",
            "`valid_until` lies ahead, at most the policy's longest validity after `made`.",
        ),
    ),
    Format(
        "Account binding",
        account_binding.AccountBinding,
        "account-binding.json",
        "the hub's rows alone; no site ever sees it",
        "a person, with a key that a document or a role names",
        "An account of a hub's server belongs to whoever signed this. It grants nothing that is "
        "signed: what a person may sign follows from the documents. The subject is the challenge.",
        (
            "`server` and `account` are those that the person named.",
            "`challenge` is one that this server gave out for that account, and takes once.",
            "`ends` lies ahead by the server's clock, at most an hour after it was asked.",
        ),
    ),
    Format(
        "Evidence",
        statements.Evidence,
        "scan.json",
        "`statements/<sha256>.json`",
        "a machine whose purpose in keys.json fits the kind: `scan` a scanner, `parity` and "
        "`provenance` a builder",
        "What a machine found out about the artifacts that are its subjects.",
        (
            "The counted request names it by its sha256.",
            "The verdict is `pass`, and so is every check.",
        ),
    ),
    Format(
        "Proof report",
        ProofReport,
        "proof-report.json",
        "the details of `parity` evidence",
        "the builder who signs that evidence",
        "What [the proof of a variant](../explanation/proof.md) found. The details hold one member "
        "besides: `picture`, the sha256 of a drawing that stays at the hub. Checks and verdict of "
        "the evidence are made of it.",
        (
            "The verdict is `pass` only where every check's is.",
            "`goldens` among the kinds has as many rows as the goldens have.",
            "No member holds a value of a row.",
        ),
    ),
    Format(
        "Runtimes report",
        RuntimesReport,
        "runtimes-report.json",
        "the details of `runtimes` evidence",
        "the builder who signs that evidence",
        "On which releases of a runtime a variant was proved, where its hardware target "
        "[promises a range](../how-to/promise-a-range-of-runtimes.md) of them.",
        ("It counts as long as its goldens are those that the version has.",),
    ),
    Format(
        "Regression report",
        RegressionReport,
        "regression-report.json",
        "the details of `regression` evidence",
        "the builder who signs that evidence",
        "What a candidate [does otherwise](../explanation/regression.md) than the version that is "
        "listed for the stage. Latency decides nothing.",
        (
            "It counts for its own stage, and as long as that version is the one listed there.",
            "`proved_by` is of the golden rows by which people approved that version.",
            "Where it is absent, no row but the candidate's was compared.",
            "Either `nothing` says why there is nothing to compare with, or `comparison` is there.",
            "No member holds a value of a row.",
        ),
    ),
    Format(
        "Work order",
        WorkOrder,
        "order.json",
        "`order.json`, beside a folder of the blobs that it names",
        "nobody: a result counts only for an order that the hub would make itself",
        "What to build, or to measure anew, on [any machine](../explanation/proof.md#who-proves) "
        "that has the hub's release of Sealift. The same state of the hub makes the same bytes.",
        (
            "The last part of `artifact` is the `id` of `hardware_target`.",
            "The model's files are among the files of `source`, and those are its manifest's.",
            "`software` is the release of Sealift that runs it.",
        ),
    ),
    Format(
        "Build result",
        BuildResult,
        "result.json",
        "`result.json`, beside `evidence/<sha256>.json`, and `variant/` and `check-rows` if any",
        "the builder who ran the order",
        "What came of a work order, which is the subject: all of it by digest, so that no part can "
        "be one of another result. The hub reads it once; it travels to no site.",
        (
            "The key is that of an active builder in keys.json, whose name there is `machine`.",
            "The order is the one that this hub would make now.",
            "`made` is not ahead of the hub's clock by more than five minutes.",
            "The evidence is of scan, parity and provenance; of parity alone where it measured.",
            "Of `runtimes` there may be evidence besides, where the order promises any.",
            "It is about `manifest`, dated `made`, and by active keys; builders' by this very key.",
            "Verdicts, checks, picture, recipe and manifest are what follows from the rest.",
        ),
    ),
    Format(
        "Site request",
        statements.SiteRequest,
        "site-request.json",
        "a file of its own, carried to the hub",
        "the site's new key, which it holds",
        "A site asks to be enrolled. The subject is the site's public key.",
    ),
    Format(
        "Site answer",
        statements.SiteAnswer,
        "site-answer.json",
        "a file of its own, carried to the site",
        "a fleet administrator",
        "What the site trusts from now on. Eight words cover every byte of it and are typed at the "
        "site; its sha256 is the enrolment's id. The subject is the site's request.",
        ("The organisation is the sha256 of the first root, and every root leads to the next.",),
    ),
    Format(
        "transfer.json",
        statements.Transfer,
        "transfer.json",
        "`transfer.json`",
        "the site's dispatcher, whom `site.<site>` names",
        "What one medium carries to one site: every other file with its size and digest. Files "
        "that it does not list are never read. The subject is the assignment.",
        ("It is for this site, this enrolment and this organisation.",),
    ),
    Format(
        "Check rows",
        CheckRows,
        "check-rows.json",
        "`checks/<sha256>`, as the first line",
        "nobody: `transfer.json` lists the file, and the details of `parity` evidence name it "
        "under `check_rows`",
        "Rows of inputs and what a variant must answer to them, for a site to ask its own runtime. "
        "This is the header of a file; after it come a line feed and the tensors, in the order of "
        "the header: every input, then every output, each of numbers followed by how far each may "
        "be off, as `float64` of the same shape. Tensors are little-endian and in C order, with "
        "nothing between them; a `text` is its length in four bytes and its UTF-8. A transfer that "
        "brings such a file says `check-rows` under `requires`.",
        (
            "The file has at most 64 MiB, and ends with the last tensor.",
            "There is an input and an output, and the first number of each shape is `rows`.",
            "It has at most 2,000,000 answers and texts of inputs.",
            "What numbers may be off is finite and not below zero.",
            "Where it is above 0.000001, it is at most a tenth of the output's largest answer.",
            "`free` names rows of labels alone, in order and none twice, and not every row.",
        ),
    ),
    Format(
        "Receipt",
        statements.Receipt,
        "receipt.json",
        "`returns/<site>/…`",
        "the site",
        "What became of a transfer, what the site holds, and how far it has seen each role. The "
        "subject is the transfer's transfer.json.",
    ),
    Format(
        "extract.json",
        extract.Extract,
        "extract.json",
        "`returns/<site>/<size of its log>/log/extract.json`",
        "nobody but for `checkpoint`, from which all follows but `more`",
        "The site's log on its way home: its entries from number `first` on, and what proves them.",
        (
            "The site signed `checkpoint`, for its own log of this organisation.",
            "From `edge`, the hashes of what is before `first`, the entries lead to its root.",
            "What the hub saw before lies on the way.",
        ),
    ),
    Format(
        "Log entry",
        entry.Entry,
        "entry.json",
        "the log's rows, at the hub and at each site",
        "nobody by itself: the log's checkpoint covers it",
        "One record of the append-only log. These bytes are what the log stores and hashes; the "
        "columns beside them are derived from them again by `fsck`.",
        (f"It has at most {entry.LARGEST_BODY:,} bytes.",),
    ),
)
