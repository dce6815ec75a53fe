"""Package scripts in Lua, as the keyword @sample of the ports framework makes them.

A small part of Lua is parsed and followed, as `image.packages.scripts.shell` follows the shell:
assignments, ``if``, the loop over words, and the functions that copy a sample. pkg(8) runs such a
script with its arguments in ``arg``, which the first line names: ``-- args: etc/x.conf.sample``.
A relative path is below the prefix (pkg.prefixed_path).

Sources: pkg-lua-script(5); Keywords/sample.ucl of the ports tree, of which there are many versions.
"""

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from firstboot.core.limits import SCRIPT
from image.packages.scripts.effects import CopySample, Effect, NotUnderstood
from image.packages.scripts.shell import PREFIX

_TOKEN = re.compile(
    r"""(?P<blank>\s+|--\[\[.*?\]\]|--[^\n]*)
    |"(?P<double>(?:[^"\\\n]|\\.)*)"
    |'(?P<single>(?:[^'\\\n]|\\.)*)'
    |(?P<name>[A-Za-z_]\w*(?:[.:][A-Za-z_]\w*)*)
    |(?P<number>\d+)
    |(?P<symbol>==|~=|\.\.|[=(){}\[\],\#;])""",
    re.VERBOSE | re.DOTALL,
)
_ARGUMENTS = re.compile(r"\s*-- args: ([^\n]*)")


class Token(NamedTuple):
    kind: str
    text: str


Value = str | int | list[str] | None


def effects(text: str) -> tuple[Effect, ...]:
    """What the script `text` does, in its order. Raises NotUnderstood."""
    if len(text) > SCRIPT:
        raise NotUnderstood(f"has more than {SCRIPT} characters")
    named = _ARGUMENTS.match(text)
    run = _Run(_tokens(text), {"arg": named[1].split() if named else [], "args": []})
    try:
        run.block()
    except (IndexError, ValueError, RecursionError):
        raise NotUnderstood("cannot be parsed") from None
    if run.rest:
        raise NotUnderstood(f"has '{run.rest[0].text}'")
    return tuple(dict.fromkeys(run.found))


def _tokens(text: str) -> list[Token]:
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if not match:
            raise NotUnderstood(f"has {text[at : at + 20]!r}")
        kind = match.lastgroup or ""
        if kind in ("single", "double"):
            if "\\" in match[kind]:
                raise NotUnderstood(f"has {match[0]!r}")
            found.append(Token("text", match[kind]))
        elif kind != "blank":
            found.append(Token(kind, match[0]))
        at = match.end()
    return found


@dataclass
class _Run:
    """Parses and follows statements at once. None is nil, or what is not known."""

    rest: list[Token]
    variables: dict[str, Value]
    found: list[Effect] = field(default_factory=list)

    def take(self, text: str) -> None:
        token = self.rest.pop(0)
        if token.text != text or token.kind == "text":
            raise NotUnderstood(f"has '{token.text}' where '{text}' should be")

    def next(self) -> str:
        """The keyword or symbol that comes next; empty at the end, and before a text."""
        return self.rest[0].text if self.rest and self.rest[0].kind != "text" else ""

    def block(self, follow: bool = True) -> None:
        """Statements up to ``end`` or ``else``, which are left. Unless `follow`, only parsed."""
        while self.rest and self.next() not in ("end", "else", "elseif"):
            self.statement(follow)

    def statement(self, follow: bool) -> None:
        word = self.next()
        if word == ";":
            self.rest.pop(0)
        elif word == "if":
            self.condition(follow)
        elif word == "for":
            self.loop(follow)
        else:
            self.simple(follow)

    def simple(self, follow: bool) -> None:
        if self.next() == "local":
            self.rest.pop(0)
        name = self.rest.pop(0)
        if name.kind != "name":
            raise NotUnderstood(f"has '{name.text}'")
        if self.next() == "=":
            self.rest.pop(0)
            value = self.expression(follow)
            if follow:
                self.variables[name.text] = value
        else:
            self.call(name.text, follow)

    def condition(self, follow: bool) -> None:
        self.rest.pop(0)
        known = self.question()
        self.take("then")
        self.block(follow and known is not False)
        if self.next() == "else":
            self.rest.pop(0)
            self.block(follow and known is not True)
        self.take("end")

    def question(self) -> bool | None:
        """What a condition comes to; None if that depends on the system."""
        negated = self.next() == "not"
        if negated:
            self.rest.pop(0)
        if self.next() == "pkg.stat":
            self.rest.pop(0)
            self.call("pkg.stat", False)
            return None
        left = self.expression(True)
        operator = self.rest.pop(0).text
        if negated or operator not in ("==", "~="):
            raise NotUnderstood("has a condition that is not known here")
        right = self.expression(True)
        return (left == right) is (operator == "==")

    def loop(self, follow: bool) -> None:
        """``for word in string.gmatch(TEXT, "%S+") do table.insert(LIST, word) end``"""
        self.rest.pop(0)
        name = self.rest.pop(0).text
        for text in ("in", "string.gmatch", "("):
            self.take(text)
        value = self.expression(follow)
        self.take(",")
        if self.rest.pop(0) != Token("text", "%S+"):
            raise NotUnderstood("has a loop that is not known here")
        for text in (")", "do", "table.insert", "("):
            self.take(text)
        target = self.rest.pop(0).text
        for text in (",", name, ")", "end"):
            self.take(text)
        if follow:
            if not isinstance(value, str):
                raise NotUnderstood("has a loop that is not known here")
            self.variables[target] = value.split()

    def expression(self, follow: bool) -> Value:
        token = self.rest.pop(0)
        value: Value
        if token.kind == "text":
            value = token.text
        elif token.kind == "number":
            value = int(token.text)
        elif token.text == "#":
            named = self.variables.get(self.rest.pop(0).text)
            value = len(named) if isinstance(named, list) else None
        elif token.text == "{":
            self.take("}")
            value = []
        elif token.text == "nil":
            value = None
        elif token.kind == "name" and self.next() == "(":
            value = self.call(token.text, follow)
        elif token.kind == "name" and self.next() == "[":
            self.take("[")
            number = self.rest.pop(0)
            self.take("]")
            value = self.item(token.text, number)
        elif token.kind == "name":
            value = self.variables.get(token.text)
        else:
            raise NotUnderstood(f"has '{token.text}'")
        while self.next() == "..":
            self.rest.pop(0)
            more = self.expression(follow)
            value = value + more if isinstance(value, str) and isinstance(more, str) else None
            if isinstance(value, str) and len(value) > SCRIPT:
                raise NotUnderstood(f"makes a text of more than {SCRIPT} characters")
        return value

    def item(self, name: str, number: Token) -> Value:
        held = self.variables.get(name)
        if number.kind != "number" or not isinstance(held, list):
            raise NotUnderstood(f"has '{name}[{number.text}]'")
        at = int(number.text) - 1
        return held[at] if 0 <= at < len(held) else None

    def call(self, name: str, follow: bool) -> Value:
        arguments: list[Value] = []
        self.take("(")
        while self.next() != ")":
            arguments.append(self.expression(follow))
            if self.next() == ",":
                self.rest.pop(0)
        self.take(")")
        if not follow:
            return None
        match name, arguments:
            case "pkg.prefixed_path", [str(path)]:
                return path if path.startswith("/") else f"{PREFIX}/{path}"
            case "string.gsub", [str(text), "%.sample$" | ".sample$" | ".sample", ""]:
                return text.removesuffix(".sample")
            case "pkg.copy", [str(source), str(target)]:
                self.found.append(CopySample(source, target))
                return None
            case (("pkg.print_msg" | "print"), [_]):
                return None
        raise NotUnderstood(f"calls {name}")
