"""Plant a base system into a tree."""

from image.accounts import Accounts
from image.base.source import UnpackedBase
from image.populate import plant, read_accounts
from image.tree import Tree


def plant_all(base: UnpackedBase) -> tuple[Tree, Accounts]:
    """Return the tree of a base system, and its accounts. Raises Refusal."""
    tree = Tree()
    name = "its packages" if base.packages else base.parts[0][0]
    accounts = read_accounts([part for _, part in base.parts], name)
    for name, part in base.parts:
        plant(tree, part, accounts, name)
    return tree, accounts
