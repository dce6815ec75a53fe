"""The sources of a release: a commit, and nothing beside it."""

import subprocess
from pathlib import Path

from firstboot.core.refusal import Refusal


def clean_commit(root: Path) -> str:
    """The hash of the commit that the checkout `root` has, and has nothing else than that.

    What git ignores does not count: nothing of it is taken. Raises Refusal.
    """
    changed = _git(root, "status", "--porcelain", "-z", "--untracked-files=all").split("\0")[:-1]
    if changed:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        raise Refusal(
            root,
            expected="a checkout with nothing that is not committed",
            found=f"{changed[0][3:]}{more}",
            remedy="commit or remove it: a release is made of what others can fetch",
        )
    return _git(root, "rev-parse", "--verify", "HEAD").strip()


def write_out(root: Path, folder: Path) -> None:
    """Write the files of the clean checkout `root` into `folder`, as git keeps them."""
    _git(root, "checkout-index", "--all", f"--prefix={folder}/")


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, errors="replace"
        )
    except FileNotFoundError as error:
        raise Refusal(
            "git",
            expected="git in PATH, which knows what is committed",
            found="none",
            remedy="install it, on Debian and Ubuntu: sudo apt install git",
        ) from error
    if done.returncode:
        raise Refusal(
            root,
            expected="a checkout of a git repository",
            found=f"'{' '.join(done.stderr.split())[:200]}'",
            remedy="clone the repository, and make the release there",
        )
    return done.stdout
