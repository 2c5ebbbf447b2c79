"""How Sphinx builds the documentation: `make docs`."""

import tomllib
from pathlib import Path

with (Path(__file__).parent.parent / "pyproject.toml").open("rb") as settings:
    release = tomllib.load(settings)["project"]["version"]

project = "Sealift"
author = "The Sealift authors"
copyright = "The Sealift authors"

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
nitpicky = True

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"Sealift {release}"
# A page of this documentation loads nothing from elsewhere.
html_show_sphinx = False
