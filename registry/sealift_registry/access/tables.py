"""The tables of accounts. What decides who may do what stands in the log; rows are found by it."""

from __future__ import annotations

from sqlalchemy import Column, Table

from sealift_registry.storage.schema import BytesType, Number, Text, metadata

account = Table(
    "account",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("made", Text, nullable=False),
)
"""One row an account that there ever was. No name is given twice."""

account_grant = Table(
    "account_grant",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account", Text, nullable=False, index=True),
    Column("role", Text, nullable=False),
    Column("team", Text),
    Column("site", Text),
)
"""One row a role that an account has, to be looked for; the log alone says who has it."""

account_secret = Table(
    "account_secret",
    metadata,
    Column("account", Text, primary_key=True),
    Column("body", BytesType, nullable=False),
)
"""What an account signs in with, such as its password's hash; the log has the row's sha256."""

invitation = Table(
    "invitation",
    metadata,
    Column("id", Text, primary_key=True),
    Column("secret", Text, nullable=False, unique=True),
    Column("account", Text, nullable=False, index=True),
    Column("body", BytesType, nullable=False),
)
"""One row an invitation that nobody used yet; `secret` is the sha256 of what was handed over."""

session = Table(
    "session",
    metadata,
    Column("id", Text, primary_key=True),
    Column("secret", Text, nullable=False, unique=True),
    Column("account", Text, nullable=False, index=True),
    Column("body", BytesType, nullable=False),
    Column("seen", Text),
)
"""One row a session that has not ended; `seen` is when it was last used, by the minute."""

api_token = Table(
    "api_token",
    metadata,
    Column("id", Text, primary_key=True),
    Column("secret", Text, nullable=False, unique=True),
    Column("account", Text, nullable=False, index=True),
    Column("body", BytesType, nullable=False),
    Column("used", Text),
)
"""One row a token that was not revoked."""

account_challenge = Table(
    "account_challenge",
    metadata,
    Column("challenge", Text, primary_key=True),
    Column("account", Text, nullable=False),
    Column("ends", Text, nullable=False),
)
"""One row a challenge that waits for somebody's signature; it is answered once."""

one_time_code = Table(
    "one_time_code",
    metadata,
    Column("account", Text, primary_key=True),
    Column("step", Number, primary_key=True, autoincrement=False),
)
"""One row a span of thirty seconds whose code an account has used: none is used twice."""

sign_in_failure = Table(
    "sign_in_failure",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("failures", Number, nullable=False, autoincrement=False),
    Column("began", Text, nullable=False),
    Column("until", Text, nullable=False),
)
"""How often signing in failed, by what is counted together, and until when that one waits."""

once_answer = Table(
    "once_answer",
    metadata,
    Column("route", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("account", Text, nullable=False),
    Column("body_sha256", Text, nullable=False),
    Column("run", Text, nullable=False),
    Column("status", Number, autoincrement=False),
    Column("answer", BytesType),
    Column("made", Text, nullable=False, index=True),
)
"""What a request by its Idempotency-Key was answered; without `status`, the answer is not known."""
