"""YAML as a graph of nodes, without anchors, aliases and tags, and no deeper than DEEPEST.

Anchors, aliases and tags are mistakes that are collected, so that reading goes on.
"""

import re
from typing import Any

import yaml

from firstboot.core.fault import Fault, quote

DEEPEST = 20
"""Lists and mappings within each other; PyYAML takes minutes for a file of nothing but `[`."""

_SURROGATE = re.compile("[\ud800-\udfff]")


class TooDeep(Exception):
    """Lists and mappings are nested deeper than DEEPEST; `line` counts from 1."""

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line


def compose(text: str) -> tuple[yaml.Node | None, list[Fault]]:
    """The only document in `text`, None if it is empty, and the anchors, aliases and tags in it.

    Raises TooDeep, yaml.YAMLError, and ValueError or OverflowError for numbers out of range.
    """
    loader = _Loader(text)
    try:
        return loader.get_single_node(), loader.faults
    finally:
        loader.dispose()


class _Loader(yaml.SafeLoader):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.faults: list[Fault] = []
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event: Any = self.get_event()  # type: ignore[no-untyped-call]
            name = f"*{event.anchor}"
            self._fault(
                event,
                f"{quote(name)} is read as a YAML alias, which is not used here",
                "Write the value out; put a text that starts with * in quotes",
            )
            return yaml.ScalarNode("", name, event.start_mark, event.end_mark, style='"')
        event = self.peek_event()  # type: ignore[no-untyped-call]
        self._look(event)
        inside = isinstance(event, yaml.CollectionStartEvent)
        self._depth += inside
        if self._depth > DEEPEST:
            raise TooDeep(event.start_mark.line + 1)
        try:
            node: yaml.Node | None = super().compose_node(parent, index)
        finally:
            self._depth -= inside
        return node

    def _look(self, event: Any) -> None:
        if isinstance(event, yaml.ScalarEvent) and _SURROGATE.search(event.value):
            self._fault(
                event,
                "there is half a character (a UTF-16 surrogate) in the text",
                "Write the character itself, or \\U and eight hexadecimal digits",
            )
        if event.anchor is not None:
            self._fault(
                event,
                f"'&{event.anchor}' is read as a YAML anchor, which is not used here",
                "Remove it; put a text that starts with & in quotes",
            )
            event.anchor = None
        if event.tag is not None:
            self._fault(
                event,
                f"{quote(event.tag)} is read as a YAML tag, which is not used here",
                "Remove it; put a text that starts with ! in quotes",
            )
            event.tag = None

    def _fault(self, event: Any, problem: str, remedy: str) -> None:
        mark = event.start_mark
        self.faults.append(Fault(mark.line + 1, (), problem, remedy, mark.column + 1))
