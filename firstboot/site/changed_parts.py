"""Says in a few words which parts of a site differ from those of another one."""

from dataclasses import fields

from firstboot.site.model import Site

MOST_NAMED = 3
"""Members of a list that are named."""


def changed_parts(old: Site | None, new: Site | None) -> str:
    """``peers (content, upstream-a), relays``; empty if nothing differs, or if a site is None."""
    if old is None or new is None:
        return ""
    parts = []
    for one in fields(Site):
        before, after = getattr(old, one.name), getattr(new, one.name)
        if before != after:
            parts.append(one.name + _members(before, after))
    return ", ".join(parts)


def _members(before: object, after: object) -> str:
    """The names of members that differ, in brackets, if the parts are lists of what has names."""
    if not isinstance(before, tuple) or not isinstance(after, tuple):
        return ""
    if not all(isinstance(getattr(one, "name", None), str) for one in (*before, *after)):
        return ""
    old, new = ({str(one.name): one for one in part} for part in (before, after))
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    more = ", ..." if len(names) > MOST_NAMED else ""
    return f" ({', '.join(names[:MOST_NAMED])}{more})" if names else ""
