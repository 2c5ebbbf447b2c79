"""The group that every command of `sealift` belongs to."""

from __future__ import annotations

import click


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with `sealift init`; `sealift next` always says what is missing.",
)
@click.version_option(package_name="sealift-registry", prog_name="sealift")
def sealift() -> None:
    """The hub: ingest models, have people approve them, sign them, carry them to isolated sites."""
