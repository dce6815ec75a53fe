"""Options that do not go together are refused, never ignored."""

from collections.abc import Mapping

from firstboot.core.refusal import Refusal


def refuse(where: str, options: Mapping[str, object]) -> None:
    """Raises Refusal if one of `options`, by flag, has a value.

    `where` says in what case they do not apply: ``with --base rehearsal``.
    """
    for flag, value in options.items():
        if value:
            raise Refusal(flag, f"it does not apply {where}", "Leave it out")
