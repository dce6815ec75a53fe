"""The notes of a release, in Markdown: what it is made of, what changed, and how to verify it."""

import html
import json
from collections.abc import Sequence

from image.diff import Contents, difference
from image.release.signature import NAMESPACE, PRINCIPAL


def render(
    version: str,
    new: Contents,
    old: tuple[str, Contents] | None,
    changes: Sequence[str],
) -> str:
    """Return the notes of release `version`, with the contents `new`.

    `old` is the previous release with its version; None for the first one. `changes` are paragraphs
    of Markdown that people wrote.
    """
    parts = [f"# exitisp {version}", *changes, "## Made of", _table(new)]
    if old is not None:
        name, contents = old
        lines = [_plain(line) for line in difference(contents, new)]
        parts.append(f"## What changed since {name}")
        parts.append(_fenced("\n".join(lines)) if lines else "Nothing that is in the image.")
    parts += ["## Verify", VERIFY.format(principal=PRINCIPAL, namespace=NAMESPACE)]
    return "\n\n".join(parts) + "\n"


VERIFY = """\
```sh
ssh-keygen -Y verify -f allowed_signers -I {principal} -n {namespace} \\
    -s SHA256SUMS.sig < SHA256SUMS
sha256sum -c SHA256SUMS
```

`allowed_signers` has the key of the releases, from a place that you trust, as a line
`{principal} namespaces="{namespace}" ssh-ed25519 AAAA...`."""


def _table(contents: Contents) -> str:
    rows = [("base", name, fact) for name, fact in sorted(contents.base.items())]
    rows += [("package", name, fact) for name, fact in sorted(contents.packages.items())]
    rows += [("wizard", name, fact) for name, fact in sorted(contents.wizard.items())]
    lines = [f"| {kind} | {_cell(name)} | {_cell(fact)} |" for kind, name, fact in rows]
    return "\n".join(["| part | name | version, or hash |", "|---|---|---|", *lines])


def _cell(text: str) -> str:
    return html.escape(_plain(text), quote=False).replace("\\", "\\\\").replace("|", "\\|")


def _plain(text: str) -> str:
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)


def _fenced(text: str) -> str:
    """Return a code block whose fence is longer than any run of backticks inside."""
    runs = [0, *(len(run) for run in "".join(c if c == "`" else " " for c in text).split())]
    fence = "`" * max(3, max(runs) + 1)
    return f"{fence}\n{text}\n{fence}"
