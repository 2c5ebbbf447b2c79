"""Writes formats.md, schemas/ and examples/ from the types in sealift_signing.

Run it after changing a document:  .venv/bin/python docs/reference/make_formats.py
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
import sys
import textwrap
import types
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

sys.path.insert(0, str(Path(__file__).parent))

from format_examples import Example, examples
from format_list import FORMATS, Format

from sealift_signing import dsse, features, shape, statements, vocabulary
from sealift_signing.vocabulary import Between, Spelling
from sealift_sync import packs
from sealift_sync.artifact import (
    LARGEST_PACKED,
    PACKED,
    Artifact,
    ArtifactFile,
    Pack,
    config_bytes,
    manifest_bytes,
)

HERE = Path(__file__).parent
WIDEST_STRING = 88
Hint = Any
"""A type hint, which Python's own types cannot describe."""

TOP = """\
# Documents

```{{note}}
This page, its schemas and its examples are written by `docs/reference/make_formats.py` from the
types in `sealift_signing`, and a test compares them. Edit those, not this.
```

Sealift's own documents are the ones below. Next to them a medium carries TUF metadata, which is as
the [TUF specification](https://theupdateframework.github.io/specification/latest/) says, in the
compact spelling of python-tuf's writer, with these additions: a key says under `x-sealift-person`
whose it is, and a threshold counts people; root, targets and fleet may name keys under
`x-sealift-compromised`, a sorted list of their texts, whose signatures then count for no new
version of any role below them; a delegation may say under `x-sealift-floor` from which number on
the keys count that it names; and each version of a role that people sign names what it follows.

A floor is a whole number from 1 to 10^15 - 1. A site keeps, by delegator, role and set of keys, the
highest version that it took, and takes none below it. Of keys that are new to it, it takes none
below what their delegator states so; where that states nothing, none below the highest number that
it ever took of the role. `recall` has no floor, and root's is that of its chain.

It does so in its signed part, under `x-sealift-follows`: the number (`version`) of the one that it
was made from, the sha256 of that one's signed part (`digest`) and, unless it is the first to do so,
the sha256 of what that one says under `x-sealift-follows` itself, in the spelling below (`link`).
Under `set_aside` it names other versions that are not to count. A site takes a newer version only
if it descends so from the one that the site keeps, or sets that one aside; of `recall` it takes
any.

## What holds for every document

- A document is UTF-8 JSON in the one spelling of
  [RFC 8785](https://www.rfc-editor.org/rfc/rfc8785): members sorted, no spaces. There is no null
  and no fraction; a quantity that is not whole is a decimal string, and whole numbers reach to
  2^53. **A reader refuses any other spelling**, a member twice, and a member it does not know.
- `format` and `requires` are looked at first: a reader that does not know the format, or a feature
  under `requires`, says so in one sentence and looks at nothing else.
- What bears trust is strict for ever. A member that came later is a *feature*: where it stands,
  `requires` names it, with the release that first read it (`name@0.3`; the first ones stand by
  their names alone). A reader that lacks some names all of them.
- What informs (receipts, site requests, returns; in evidence, its details) may say anything under
  `more`: names, each with any JSON. A reader keeps and shows it, and no rule ever goes by it.
- What is shown below is indented, and long strings are cut at "…", for people to read; each example
  leads to its exact bytes. The examples tell one story, are really signed, and are the same bytes
  wherever they are made. Their keys are made from published sentences: trust them in nothing.
- A JSON Schema says what a document looks like; what a reader checks besides is listed with each.
- `organisation` is the sha256 of the first root, `enrolment` that of the site answer, `made` the
  time by the clock of whoever signed.

Texts with a rule are spelled so everywhere; the schemas hold the patterns:

{spellings}

## Features

A site's request and its receipts tell under `reads` what its software reads: each kind of document
with its format (`transfer:1`), and its features. What is written for a site uses no feature that it
lacks.

{features}

## Signed statements

What people and machines say is an
[in-toto Statement v1](https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md) in a
[DSSE](https://github.com/secure-systems-lab/dsse/blob/master/protocol.md) envelope. The envelope
is canonical too: exactly one signature, base64 without spare bits, `keyid` as TUF computes it. So
it has one sha256, and that is its name. A subject is matched by name *and* digest, and no two
subjects of a statement share either.

{envelope}
[Schema](schemas/envelope.json)
"""

BOTTOM = """\
## Checkpoint

How large a log is and what its root is: a [signed note](https://c2sp.org/signed-note) with a
[checkpoint](https://c2sp.org/tlog-checkpoint), by the log's own Ed25519 key. A transfer carries the
hub's, a receipt the site's. It is text and not JSON, and has one spelling as well: one signature
line, and base64 without spare bits.

```text
{checkpoint}```

[Example](examples/checkpoint.txt), signed by `hub-log`

## Artifact

A bundle is an [OCI image layout](https://github.com/opencontainers/image-spec/blob/main/image-layout.md)
of one manifest for each artifact, with the media types of
[ModelPack](https://github.com/modelpack/model-spec). TUF signs the manifest, and the manifest names
every file by its digest. It is canonical like all other documents, and holds no time.

```json
{manifest}
```

A layer is a file (`…weight.v1.raw`, with its path) or a *pack* (`…weight.v1.tar`): an archive of
small files. Where an artifact has {worth} files or more of at most {largest} KiB, each of them lies
in a pack: in which one, the first hexadecimal digit of its path's SHA-256 says. A path that a tar
archive cannot name (POSIX.1-2017, `pax`, ustar) is a file of its own all the same. A transfer of
artifacts that have packs says `packs` under `requires`, also if it leaves them all out.

`{packed}` lists the files of a pack in order of their paths, a line for each: its sha256, a
space, its bytes in decimal, a space, its path, a line feed. From that list follows every byte of
the archive but the files' own, and a reader accepts no other:

- for each file a ustar header: mode `0000644`, numbers of owner and group `0000000`, time
  `00000000000`, type `0`, version `00`, no other name and no device; a path beyond 100 bytes is
  parted at the first `/` that leaves at most 100 for the name;
- the file, and zeros up to a multiple of 512 bytes;
- at the end 1,024 zeros, and nothing behind them.

A reader refuses two files in one place, in packs or not, letter case set aside.
"""


def page() -> str:
    """formats.md."""
    told = examples()
    envelope = _shown(json.loads(told["request.json"].data))
    top = TOP.format(spellings=_spellings(), features=_features(), envelope=_fenced(envelope))
    parts = [top, *(_section(one, told[one.example]) for one in FORMATS)]
    bottom = BOTTOM.format(
        checkpoint=told["checkpoint.txt"].data.decode(),
        manifest=json.dumps(_manifest(), indent=2),
        worth=packs.WORTH_PACKING,
        largest=LARGEST_PACKED // 1024,
        packed=PACKED,
    )
    return "\n".join([*parts, bottom])


def _manifest() -> Any:  # noqa: ANN401 - JSON
    """A manifest of a file and of a pack; the pack is shorter than they are."""
    contents = {"vocabulary/a.txt": b"apple", "vocabulary/b.txt": b"bread"}
    files = {
        path: ArtifactFile(path, sha256(data).hexdigest(), len(data))
        for path, data in (contents | {"model.onnx": b"weights"}).items()
    }
    packed = tuple(files[path] for path in contents)
    archive = packs.archive(packed, lambda file: contents[file.path]).read()
    pack = Pack(packed, sha256(archive).hexdigest())
    path = vocabulary.CatalogPath.parse("catalog/vision/digits/3/cpu-x86_64")
    config = config_bytes(path, "onnx", files.values(), (pack,))
    about = ArtifactFile("config.json", sha256(config).hexdigest(), len(config))
    return json.loads(manifest_bytes(Artifact(path, tuple(files.values()), about, (pack,))))


def schemas() -> dict[str, dict[str, Any]]:
    """Every JSON Schema, by file name."""
    found = {f"{one.slug}.json": _schema_of(one) for one in FORMATS}
    return found | {"envelope.json": shape.schema(dsse._Envelope, title="envelope")}  # noqa: SLF001 - the page documents what only dsse itself reads


def files() -> dict[str, bytes]:
    """Everything this program writes, by its path below docs/reference."""
    made = {"formats.md": page().encode()}
    for name, schema in schemas().items():
        made[f"schemas/{name}"] = (json.dumps(schema, indent=2) + "\n").encode()
    return made | {f"examples/{name}": one.data for name, one in examples().items()}


def _schema_of(one: Format) -> dict[str, Any]:
    schema = shape.schema(one.kind, title=one.title)
    if not one.is_statement:
        return schema
    dialect = {name: schema.pop(name) for name in ("$schema", "title")}
    subject = shape.schema(statements.Subject, title="subject")
    inner = {name: value for name, value in subject.items() if name not in dialect}
    members = {
        "_type": {"const": statements.STATEMENT},
        "predicateType": {"const": one.kind.PREDICATE_TYPE},
        "subject": {"type": "array", "minItems": 1, "items": inner},
        "predicate": schema,
    }
    return dialect | {
        "type": "object",
        "properties": members,
        "required": list(members),
        "additionalProperties": False,
    }


def _section(one: Format, example: Example) -> str:
    links = f"[Schema](schemas/{one.slug}.json) · [example](examples/{one.example})"
    if example.signer:
        links += (
            f", signed by `{example.signer}`, sha256 `{sha256(example.data).hexdigest()[:12]}…`"
        )
    statement = one.is_statement
    value = json.loads(dsse.read(example.data, what="it").payload if statement else example.data)
    lines = [
        f"## {one.title}\n",
        f"{one.words}\n",
        f"**Signed by** {one.signed_by}.  \n**Lies** in {one.lies}."
        + (f"  \n**Predicate type** `{one.kind.PREDICATE_TYPE}`." if statement else "")
        + "\n",
        *_tables(one.kind),
        *(
            ["A reader also checks:\n", *(f"- {check}" for check in one.checks), ""]
            if one.checks
            else []
        ),
        _fenced(_shown(value)),
        f"{links}\n",
    ]
    return "\n".join(lines)


def _tables(kind: type[Any]) -> Iterator[str]:
    """The members of a type, and then of each type within it."""
    for found in _within(kind, []):
        if found is not kind:
            yield f"*{found.__name__}*: {_first_sentence(found)}\n"
        yield "| member | is |\n|---|---|"
        hints = get_type_hints(found, include_extras=True)
        meanings = _meanings(found)
        for field in dataclasses.fields(found):
            words = _words(hints[field.name])
            meaning = f". {meanings[field.name]}" if field.name in meanings else ""
            yield f"| `{field.name}` | {words}{meaning} |"
        yield ""


def _within(hint: Hint, seen: list[type[Any]]) -> list[type[Any]]:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type) and hint not in seen:
        seen.append(hint)
        for inner in get_type_hints(hint, include_extras=True).values():
            _within(inner, seen)
    for inner in get_args(hint) if get_origin(hint) is not Literal else ():
        _within(inner, seen)
    return seen


def _first_sentence(kind: type[Any]) -> str:
    text = inspect.getdoc(kind) or ""
    return text.split("\n\n")[0].replace("\n", " ")


def _meanings(kind: type[Any]) -> dict[str, str]:
    """What the strings below a dataclass's fields say of them."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(body, ast.ClassDef)  # noqa: S101 - a class's source is a class
    found = {}
    for field, after in zip(body.body, body.body[1:], strict=False):
        said = after.value if isinstance(after, ast.Expr) else None
        if isinstance(field, ast.AnnAssign) and isinstance(said, ast.Constant):
            assert isinstance(field.target, ast.Name)  # noqa: S101 - a dataclass's field is a name
            found[field.target.id] = inspect.cleandoc(str(said.value)).replace("\n", " ")
    return found


def _words(hint: Hint) -> str:
    """A type, said in words."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _annotated(arguments[0], arguments[1:])
    if origin in {Union, types.UnionType}:
        (inner,) = (arm for arm in arguments if arm is not type(None))
        return f"{_words(inner)}; may be absent"
    if origin is Literal:
        return " or ".join(f"`{json.dumps(arm)}`" for arm in arguments)
    if origin is None:
        plain = {str: "text", int: "a whole number", bool: "`true` or `false`"}
        return plain.get(hint) or f"*{hint.__name__}*, below"
    if issubclass(origin, Mapping):
        return f"an object, from {_words(arguments[0])} to {_words(arguments[1])}"
    return f"a list, each item {_words(arguments[0])}"


def _annotated(inner: Hint, rules: tuple[object, ...]) -> str:
    for rule in rules:
        if isinstance(rule, Spelling):
            return _cell(rule.words.partition(":")[0])
        if isinstance(rule, Between):
            most = "" if rule.most >= 10**15 - 1 else f" and at most {rule.most}"
            return f"a whole number, at least {rule.least}{most}"
        if isinstance(rule, shape.Largest):
            return f"{_words(inner)}, at most {rule.size:,} bytes of it"
        if isinstance(rule, shape.Distinct):
            twice = f"no `{rule.by}` twice" if rule.by else "none twice"
            return f"{_words(inner)}, {twice}"
    return "any JSON, carried and not interpreted"


def _spellings() -> str:
    """The texts with a rule, each with its name and its words."""
    found = {one.words for one in vars(vocabulary).values() if _is_rule(one)}
    rows = []
    for words in sorted(found):
        name, _, said = words.partition(": ")
        rows.append(f"| {_cell(name)} | {_cell(said)} |")
    head = "| what | spelled |\n|---|---|\n"
    return head + "\n".join(rows)


def _features() -> str:
    """Every feature of every document."""
    rows = [
        f"| `{one.full}` | `{one.spelled}` | {one.since} | {one.words} |"
        for one in sorted(features.FEATURES)
    ]
    head = "| feature | under `requires` | since | the document says that |\n|---|---|---|---|\n"
    return head + "\n".join(rows)


def _is_rule(value: object) -> bool:
    return isinstance(value, Spelling)


def _cell(text: str) -> str:
    """Text in a table, where a bar ends the cell and an angle would begin a tag."""
    return text.replace("|", "\\|").replace("<", "&lt;")


def _shown(value: object) -> str:
    """JSON for people: indented, and with long strings cut."""
    return json.dumps(_cut(value), indent=2, ensure_ascii=False)


def _cut(value: object) -> object:
    if isinstance(value, dict):
        return {name: _cut(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_cut(item) for item in value]
    if isinstance(value, str) and len(value) > WIDEST_STRING:
        return value[: WIDEST_STRING - 1] + "…"
    return value


def _fenced(text: str) -> str:
    return f"```json\n{text}\n```\n"


def main() -> None:
    """Write every file, and take away examples and schemas that are no more."""
    made = files()
    for folder in ("schemas", "examples"):
        (HERE / folder).mkdir(exist_ok=True)
        for old in (HERE / folder).iterdir():
            if f"{folder}/{old.name}" not in made:
                old.unlink()
    for path, data in made.items():
        (HERE / path).write_bytes(data)


if __name__ == "__main__":
    main()
