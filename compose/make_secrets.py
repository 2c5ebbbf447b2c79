"""Make the passwords of docker-compose.yml: `make compose-secrets`. What is there stays as it is.

They lie in secrets/, which only its owner gets into. The files themselves anybody may read who gets
there, since a container's user has another number than whoever made them; a container is shown only
the files that docker-compose.yml names for it.
"""

import json
import secrets
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "secrets"
PASSWORD = 24
"""Random bytes of each."""
FOLDER_MODE, FILE_MODE = 0o700, 0o444


def made() -> dict[str, str]:
    """New secrets: the content of each file."""
    owner, migrator, application, passphrase = (secrets.token_hex(PASSWORD) for _ in range(4))
    setup, hub = (
        {"accessKey": secrets.token_hex(10).upper(), "secretKey": secrets.token_hex(PASSWORD)}
        for _ in range(2)
    )
    return {
        "database_owner": owner,
        "pgpass_setup": _pgpass(postgres=owner, sealift_migrator=migrator, sealift_app=application),
        "pgpass_hub": _pgpass(sealift_app=application),
        "s3_server.json": _identities(setup, hub),
        "s3_setup": _credentials(setup),
        "s3_hub": _credentials(hub),
        "hub_passphrase": passphrase,
    }


def _pgpass(**passwords: str) -> str:
    """A password file of libpq: for each role, at our database alone."""
    return "".join(f"database:5432:*:{role}:{word}\n" for role, word in passwords.items())


def _credentials(key: dict[str, str]) -> str:
    """A credentials file of boto3."""
    return (
        "[default]\n"
        f"aws_access_key_id = {key['accessKey']}\n"
        f"aws_secret_access_key = {key['secretKey']}\n"
    )


def _identities(setup: dict[str, str], hub: dict[str, str]) -> str:
    """Who may do what at the S3 server: the hub reads and writes objects, in its bucket alone."""
    may = [f"{action}:sealift" for action in ("Read", "Write", "List", "Tagging")]
    identities = [
        {"name": "setup", "credentials": [setup], "actions": ["Admin"]},
        {"name": "hub", "credentials": [hub], "actions": may},
    ]
    return json.dumps({"identities": identities}, indent=2) + "\n"


def main(folder: Path = FOLDER) -> int:
    """Write them, unless some are there; the exit code.

    Some of them hold the same password: all are made at once, or none.
    """
    wanted = made()
    there = [name for name in wanted if (folder / name).exists()]
    if there and len(there) < len(wanted):
        missing = ", ".join(sorted(set(wanted) - set(there)))
        print(
            f"{folder} lacks {missing}, and what it has may belong to a database that is in use. "
            "Bring back what is missing; or, to begin anew, remove all of it and the volumes "
            "(docker compose down --volumes), which removes the hub.",
            file=sys.stderr,
        )
        return 1
    if there:
        print(f"The secrets are in {folder} already.")
        return 0
    folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
    folder.chmod(FOLDER_MODE)
    for name, content in wanted.items():
        file = folder / name
        file.write_text(content, "utf-8")
        file.chmod(FILE_MODE)
    print(f"{len(wanted)} secrets are in {folder}. Keep a copy where your other secrets are.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
