"""Write the digests behind the images' tags: `make compose-pin`, on a machine with a network.

A tag is whatever its publisher says today; a digest is one image. `postgres:18-trixie` becomes
`postgres:18-trixie@sha256:…`, in docker-compose.yml and in the Dockerfile. Run it again for what
the tags are by then. `git diff` shows what came, and `git checkout` takes it back.
"""

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
NAMED = re.compile(r"(?m)^(?P<before> *image: |FROM )(?P<tag>[^\s@]+)(?:@sha256:[0-9a-f]{64})?")
"""A line that names an image. One that is built here has no digest to write."""
BUILT_HERE = "sealift-hub:"
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
ASKING = (
    ("docker", ("docker", "buildx", "imagetools", "inspect", "--format", "{{.Manifest.Digest}}")),
    ("skopeo", ("skopeo", "inspect", "--format", "{{.Digest}}")),
)
"""Programs that ask a registry for the digest behind a tag, which is that for every machine."""


def asked(tag: str) -> str:
    """The digest behind a tag.

    Raises:
        SystemExit: no program could tell, with the words of each.
    """
    said = []
    for program, command in ASKING:
        if shutil.which(program) is None:
            said.append(f"{program} is not there")
            continue
        name = f"docker://{tag}" if program == "skopeo" else tag
        done = subprocess.run([*command, name], check=False, capture_output=True, text=True)
        digest = done.stdout.strip()
        if done.returncode == 0 and DIGEST.fullmatch(digest):
            return digest
        words = (done.stderr or done.stdout).strip().splitlines()
        said.append(f"{program}: {words[-1] if words else 'no answer'}")
    raise SystemExit(
        f"The digest of {tag} could not be had, and nothing was changed ({'; '.join(said)}). "
        "It takes a network, and docker with buildx, or skopeo."
    )


def main(files: Sequence[Path] = (ROOT / "docker-compose.yml", ROOT / "Dockerfile")) -> None:
    """Ask for every digest first, and then write; so all are new or none is."""
    texts = {file: file.read_text("utf-8") for file in files}
    named = [one["tag"] for text in texts.values() for one in NAMED.finditer(text)]
    tags = dict.fromkeys(tag for tag in named if not tag.startswith(BUILT_HERE))
    digests = {tag: asked(tag) for tag in tags}

    def pinned(found: re.Match[str]) -> str:
        tag = found["tag"]
        return f"{found['before']}{tag}@{digests[tag]}" if tag in digests else found[0]

    for file, text in texts.items():
        file.write_text(NAMED.sub(pinned, text), "utf-8")
    for tag, digest in digests.items():
        print(f"{tag}@{digest}")


if __name__ == "__main__":
    main()
