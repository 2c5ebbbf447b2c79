# The hub's image: Python, the pinned packages with their hashes, Sealift; nothing that builds, and no root.
#
#   docker compose build hub
#
# What a build needs of the network: this one image, Debian's packages, and a Python package index. Where the index is a
# mirror of your own, name it: docker compose build --build-arg PIP_INDEX_URL=https://… hub

# `make compose-pin` writes the digest behind the tag.
FROM python:3.13-slim-trixie AS build

ARG PIP_INDEX_URL
ENV UV_LINK_MODE=copy UV_NO_CACHE=1
WORKDIR /build

# uv itself is pinned by its hash, too, and what has another hash than the list is refused. A few packages come as
# sources alone; what builds those, no list pins: that stays behind in this stage.
COPY requirements/uv.txt requirements/hub.txt requirements/
RUN python3 -m venv uv \
 && uv/bin/python -m pip install --no-cache-dir --require-hashes -r requirements/uv.txt \
 && python3 -m venv --without-pip /opt/sealift \
 && uv/bin/uv pip install --python /opt/sealift/bin/python --require-hashes \
      ${PIP_INDEX_URL:+--default-index "$PIP_INDEX_URL"} --compile-bytecode -r requirements/hub.txt

# After the packages, so that a change of ours does not fetch them again.
COPY pyproject.toml README.md LICENSE ./
COPY signing signing
COPY offline-sync offline-sync
COPY registry registry
COPY migrations migrations
RUN uv/bin/uv pip install --python /opt/sealift/bin/python --no-deps --no-build-isolation \
      --compile-bytecode ./signing ./offline-sync .


FROM python:3.13-slim-trixie

# git and ssh fetch models from repositories with DVC; LightGBM needs libgomp.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends git libgomp1 openssh-client \
 && rm -rf /var/lib/apt/lists/*

# A number that stays the same, since files on volumes and disks belong to it. Its home is a volume:
# the hub's home lies in it, and what whoever runs `sealift init` remembers of the organisation.
RUN groupadd --gid 10001 sealift \
 && useradd --uid 10001 --gid 10001 --no-log-init --create-home --home-dir /var/lib/sealift sealift \
 && chmod 0700 /var/lib/sealift \
 && install --directory --owner sealift --group sealift --mode 0700 /exchange

COPY --from=build /opt/sealift /opt/sealift
COPY compose/entrypoint compose/role_passwords.py compose/setup /opt/sealift/compose/

ENV PATH=/opt/sealift/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    SEALIFT_HOME=/var/lib/sealift/hub
USER 10001:10001
WORKDIR /exchange
ENTRYPOINT ["/opt/sealift/compose/entrypoint"]
CMD ["sealift", "next"]
