"""Let only reviewed programs run as their owner or group (set-id bits, chmod(2)).

The key `setid` of an overlay.yaml lists every such file of the base, with the reason why it keeps
or loses the bits. A file in no list stops the build: it came with a new base, and nobody has
reviewed it yet.
"""

from collections.abc import Iterable

from firstboot.core.refusal import Refusal
from image.overlay import Overlay, SetId
from image.packages.reviewed import SET_ID
from image.tree import Kind, Tree


def settle(tree: Tree, overlays: Iterable[Overlay], reviewed: Iterable[str] = ()) -> None:
    """Clear the set-id bits of every file of `tree` that a list says loses them.

    `reviewed` are paths of packages that may have these bits. Raises Refusal for a file in no list.
    """
    rules: dict[str, SetId] = {
        rule.path: rule for one in overlays for rule in one.recipe.value.setid
    }
    allowed = {*reviewed, *(path for path, rule in rules.items() if rule.keeps)}
    for path, entry in list(tree.items()):
        if entry.kind is not Kind.FILE or not tree[path].mode & SET_ID or path in allowed:
            continue
        if path not in rules:
            raise Refusal(
                f"/{path}",
                f"the mode is {entry.mode:04o}: the program would run as its owner or group, "
                "and no overlay lists it",
                "List it in 'setid' of an overlay.yaml, with the reason to keep or lose it",
            )
        tree.amend(path, mode=tree[path].mode & ~SET_ID)
