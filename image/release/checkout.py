"""The sources of a release: one commit and nothing else."""

import subprocess
from pathlib import Path

from firstboot.core.refusal import Refusal


def clean_commit(root: Path) -> str:
    """Return the hash of the commit in the checkout `root`.

    Raises Refusal if anything is changed or added. Ignored files do not count, because a release
    takes none of them.
    """
    changed = _git(root, "status", "--porcelain", "-z", "--untracked-files=all").split("\0")[:-1]
    if changed:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        raise Refusal(
            root,
            f"the checkout has changes that are not committed: {changed[0][3:]}{more}",
            "Commit or remove them: a release is made of what others can fetch",
        )
    return _git(root, "rev-parse", "--verify", "HEAD").strip()


def write_out(root: Path, folder: Path) -> None:
    """Write the files of the clean checkout `root` into `folder`, as git stores them."""
    _git(root, "checkout-index", "--all", f"--prefix={folder}/")


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, errors="replace"
        )
    except FileNotFoundError as error:
        raise Refusal(
            "git",
            "the program is missing",
            "Install it, on Debian and Ubuntu with: sudo apt-get install git",
        ) from error
    if done.returncode:
        raise Refusal(
            root,
            f"git failed here: {' '.join(done.stderr.split())[:200]}",
            "Clone the repository, and make the release there",
        )
    return done.stdout
