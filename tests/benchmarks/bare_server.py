"""A server of the same make that does nothing: `python -m tests.benchmarks.bare_server PORT FILE`.

It answers one address with the bytes of a file, from memory, and knows nobody.
"""

from __future__ import annotations

import sys
from pathlib import Path

import uvicorn
from litestar import Litestar, Response, get

ADDRESS = "/bare"


def main(port: int, body: bytes) -> None:
    """Serve until told to end."""

    @get(ADDRESS, sync_to_thread=True)
    def bare() -> Response[bytes]:
        return Response(body, media_type="application/json")

    api = Litestar([bare], openapi_config=None, logging_config=None)
    uvicorn.run(api, host="127.0.0.1", port=port, log_level="critical", http="httptools")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]).read_bytes())
