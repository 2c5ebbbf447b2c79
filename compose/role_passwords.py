"""Give the database's roles the passwords of a password file: a step of compose/setup.

The password itself never leaves this container: the server is sent what it would keep of it.
"""

import os
import sys
from pathlib import Path

import psycopg
from psycopg import sql

from sealift_registry.storage.postgres_address import connecting, of_argument


def main(url: str, file: Path) -> None:
    """Set them, as `url`'s administrator, of every other role in the file.

    The server is gone to as a hub goes: an address elsewhere is asked for TLS.
    """
    with psycopg.connect(url, **connecting(of_argument(url, "SEALIFT_SETUP_OWNER"))) as connection:
        for line in file.read_text("utf-8").splitlines():
            *_, role, password = line.split(":")
            if role == connection.info.user:
                continue
            kept = connection.pgconn.encrypt_password(
                password.encode(), role.encode(), b"scram-sha-256"
            )
            connection.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(
                    sql.Identifier(role), sql.Literal(kept.decode())
                )
            )


if __name__ == "__main__":
    main(sys.argv[1], Path(os.environ["PGPASSFILE"]))
