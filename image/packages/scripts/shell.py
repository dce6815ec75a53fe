"""Package scripts for sh(1), as the ports framework makes them, understood by what they do.

A small part of the shell is parsed and followed: assignments, ``if``, ``case``, ``set --``,
``&&`` and the commands below. A condition that depends on the system, such as whether a group
exists, is followed both ways; one that depends on variables alone is decided, for a package that is
installed into the running system (no PKG_ROOTDIR). Everything else is not understood, above all
substitution of commands, output to files, and commands that are not listed here.

Sources: sh(1); Mk/Scripts/do-users-groups.sh, Keywords/sample.ucl, Keywords/ldconfig.ucl and
bsd.port.mk of the ports tree.
"""

import fnmatch
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from firstboot.core.limits import SCRIPT
from image.packages.scripts.effects import (
    AddGroup,
    AddMember,
    AddUser,
    CopySample,
    Effect,
    FindLibraries,
    MakeHome,
    NotUnderstood,
)

PREFIX = "/usr/local"

_BLANK = re.compile(r"(?:[ \t]|\\\n|#[^\n]*)+")
_OPERATOR = re.compile(r"\n|;;|;|&&|\|\||\||\)|\(|&")
_TO_NOWHERE = re.compile(r"(?:[12]?>&[12]|[12]?>>?[ \t]*/dev/null)(?=[\s;&|)]|$)")
_REDIRECTION = re.compile(r"[0-9]*[<>]")
_PART = re.compile(
    r"""'(?P<single>[^']*)'
    |"(?P<double>(?:[^"\\]|\\.)*)"
    |\\(?P<escaped>[^\n])
    |(?P<variable>\$(?:\{[^}'"`$\\]*\}|\w+|[\#@*?]))
    |(?P<plain>[^\s'"\\$;&|()<>`\#]+|\#)""",
    re.VERBOSE | re.DOTALL,
)
_VARIABLE = re.compile(r"\$\{(\w+|[#@])(?:(%|:-)([^}]*))?\}|\$(\w+|[#@])")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_ESCAPED = re.compile(r'\\(["\\$`\n])')
_NAME = re.compile(r"[a-z_][a-z0-9_.-]{0,31}")
_KEYWORDS = (
    *("if", "then", "else", "elif", "fi", "case", "in", "esac"),
    *("for", "while", "until", "do", "done", "{", "}", "!"),
)


class Part(NamedTuple):
    """A piece of a word; in `quoted` pieces that are not `literal` only variables count."""

    text: str
    quoted: bool
    literal: bool


Word = tuple[Part, ...]


class Token(NamedTuple):
    """An operator, or a word."""

    operator: str
    word: Word = ()

    @property
    def keyword(self) -> str:
        """The word as it stands, if nothing in it is quoted."""
        if any(part.quoted for part in self.word):
            return ""
        return "".join(part.text for part in self.word)


def tokens(text: str) -> Iterator[Token]:
    """The words and operators of a script. Redirections to /dev/null are left out.

    Raises NotUnderstood.
    """
    at = 0
    while at < len(text):
        if blank := _BLANK.match(text, at):
            at = blank.end()
        elif operator := _OPERATOR.match(text, at):
            if operator[0] == "&":
                raise NotUnderstood("runs something in the background")
            yield Token(operator[0])
            at = operator.end()
        elif nowhere := _TO_NOWHERE.match(text, at):
            at = nowhere.end()
        elif _REDIRECTION.match(text, at):
            raise NotUnderstood("reads or writes a file")
        else:
            word = []
            while part := _PART.match(text, at):
                word.append(_part(part))
                at = part.end()
            if not word:
                raise NotUnderstood(f"has {text[at : at + 20]!r}")
            yield Token("", tuple(word))


def _part(found: re.Match[str]) -> Part:
    kind = found.lastgroup
    text = found[kind or 0]
    if kind == "double":
        if "`" in text or "$(" in text:
            raise NotUnderstood("uses the output of a command")
        return Part(text, True, False)
    return Part(text, kind in ("single", "escaped"), kind in ("single", "escaped", "plain"))


@dataclass(frozen=True)
class Command:
    words: tuple[Word, ...]
    negated: bool = False


@dataclass(frozen=True)
class Pipe:
    """Only conditions have one."""

    commands: tuple[Command, ...]
    negated: bool = False


@dataclass(frozen=True)
class And:
    """`right` runs when `left` has succeeded."""

    left: "Node"
    right: "Node"


@dataclass(frozen=True)
class If:
    condition: "Node"
    then: tuple["Node", ...]
    otherwise: tuple["Node", ...]


@dataclass(frozen=True)
class Case:
    word: Word
    branches: tuple[tuple[tuple[Word, ...], tuple["Node", ...]], ...]


Node = Command | Pipe | And | If | Case


@dataclass
class Parser:
    """Recursive descent over the tokens of a script."""

    rest: list[Token]

    def list(self, *ends: str) -> tuple[Node, ...]:
        """Commands up to one of the keywords `ends`, which is left; all of them without."""
        found: list[Node] = []
        while self.rest:
            token = self.rest[0]
            if token.operator in ("\n", ";"):
                self.rest.pop(0)
            elif (token.operator or token.keyword) in ends:
                return tuple(found)
            else:
                found.append(self.chain())
        if ends:
            raise NotUnderstood(f"ends before '{ends[0]}'")
        return tuple(found)

    def chain(self) -> Node:
        node = self.pipe()
        while self.rest and self.rest[0].operator == "&&":
            self.rest.pop(0)
            while self.rest and self.rest[0].operator == "\n":
                self.rest.pop(0)
            node = And(node, self.pipe())
        return node

    def pipe(self) -> Node:
        negated = bool(self.rest) and self.rest[0].keyword == "!"
        if negated:
            self.rest.pop(0)
        node = self.command()
        commands = [node]
        while self.rest and self.rest[0].operator == "|":
            self.rest.pop(0)
            commands.append(self.command())
        if len(commands) == 1 and isinstance(node, Command):
            return Command(node.words, negated)
        if len(commands) == 1 and not negated:
            return node
        if not all(isinstance(one, Command) for one in commands):
            raise NotUnderstood("has a pipe")
        return Pipe(tuple(one for one in commands if isinstance(one, Command)), negated)

    def command(self) -> Node:
        keyword = self.rest[0].keyword if self.rest else ""
        if keyword == "if":
            return self.condition()
        if keyword == "case":
            return self.case()
        if keyword in _KEYWORDS:
            raise NotUnderstood(
                f"has '{keyword}'" if keyword else "has an operator without command"
            )
        words = []
        while self.rest and not self.rest[0].operator:
            words.append(self.rest.pop(0).word)
        if not words:
            raise NotUnderstood("has an operator without command")
        return Command(tuple(words))

    def condition(self) -> If:
        self.rest.pop(0)
        condition = self.list("then")
        if len(condition) != 1:
            raise NotUnderstood("has a condition of several commands")
        self.rest.pop(0)
        then = self.list("else", "elif", "fi")
        word = self.rest[0].keyword
        otherwise: tuple[Node, ...] = ()
        if word == "elif":
            return If(condition[0], then, (self.condition(),))
        self.rest.pop(0)
        if word == "else":
            otherwise = self.list("fi")
            self.rest.pop(0)
        return If(condition[0], then, otherwise)

    def case(self) -> Case:
        self.rest.pop(0)
        word = self.rest.pop(0).word
        if not self.rest or self.rest.pop(0).keyword != "in":
            raise NotUnderstood("has 'case' without 'in'")
        branches = []
        while self._skip_lines() != "esac":
            patterns = []
            if self.rest[0].operator == "(":
                self.rest.pop(0)
            while self.rest and self.rest[0].operator != ")":
                token = self.rest.pop(0)
                if token.operator not in ("", "|"):
                    raise NotUnderstood("has a 'case' that cannot be read")
                if not token.operator:
                    patterns.append(token.word)
            if not self.rest:
                raise NotUnderstood("ends within 'case'")
            self.rest.pop(0)
            branches.append((tuple(patterns), self.list(";;", "esac")))
            if self.rest[0].operator == ";;":
                self.rest.pop(0)
        self.rest.pop(0)
        return Case(word, tuple(branches))

    def _skip_lines(self) -> str:
        while self.rest and self.rest[0].operator in ("\n", ";"):
            self.rest.pop(0)
        if not self.rest:
            raise NotUnderstood("ends within 'case'")
        return self.rest[0].keyword


def parse(text: str) -> tuple[Node, ...]:
    """The commands of a script. Raises NotUnderstood."""
    try:
        return Parser(list(tokens(text))).list()
    except (IndexError, ValueError, RecursionError):
        raise NotUnderstood("cannot be parsed") from None


def effects(text: str) -> tuple[Effect, ...]:
    """What the script `text` does, in its order. Raises NotUnderstood."""
    if len(text) > SCRIPT:
        raise NotUnderstood(f"has more than {SCRIPT} characters")
    try:
        run = _Run()
        run.all(parse(text.removeprefix("#!/bin/sh\n")))
    except (IndexError, ValueError, RecursionError):
        raise NotUnderstood("cannot be parsed") from None
    return tuple(dict.fromkeys(run.found))


@dataclass
class _Run:
    """Follows the commands of a script. None is the value of a variable that is not known."""

    variables: dict[str, str] = field(default_factory=lambda: {"PKG_PREFIX": PREFIX})
    arguments: list[str] = field(default_factory=list)
    found: list[Effect] = field(default_factory=list)

    def all(self, nodes: tuple[Node, ...]) -> None:
        for node in nodes:
            self.one(node)

    def one(self, node: Node) -> None:
        match node:
            case Command(words, negated):
                if negated:
                    raise NotUnderstood("has '!' outside of a condition")
                self.command(words)
            case And(left, right):
                known = self.test(left) if self._is_test(left) else None
                if not self._is_test(left):
                    self.one(left)
                if known is not False:
                    self.one(right)
            case If(condition, then, otherwise):
                known = self.test(condition)
                before = dict(self.variables)
                if known is not False:
                    self.all(then)
                after, self.variables = self.variables, before if known is None else self.variables
                if known is not True:
                    self.all(otherwise)
                if known is None and after != self.variables:
                    raise NotUnderstood("sets variables by what the system has")
            case Case(word, branches):
                value = self.value(word)
                for patterns, nodes in branches:
                    if any(fnmatch.fnmatchcase(value, self.value(one)) for one in patterns):
                        self.all(nodes)
                        return
            case Pipe():
                raise NotUnderstood("has a pipe")

    def _is_test(self, node: Node) -> bool:
        return isinstance(node, Command) and self.value(node.words[0]) in ("[", "test")

    def test(self, node: Node) -> bool | None:
        """What the condition `node` comes to; None if that depends on the system."""
        match node:
            case And(left, right):
                both = self.test(left), self.test(right)
                if False in both:
                    return False
                return None if None in both else True
            case Pipe(commands, negated):
                asked = self.fields(commands[0].words)
                rest = [self.value(one.words[0]) for one in commands[1:]]
                if rest != ["grep"] or not _is_question(asked):
                    raise NotUnderstood("has a condition that is not known here")
                return None
            case Command(words, negated):
                known = self._test(self.fields(words))
                return known if known is None or not negated else not known
            case _:
                raise NotUnderstood("has a condition that is not known here")

    def _test(self, fields: list[str]) -> bool | None:
        name = posixpath.basename(fields[0])
        if name in ("[", "test"):
            fields = fields[1:-1] if name == "[" else fields[1:]
            match fields:
                case ["!", *rest]:
                    known = self._test(["test", *rest])
                    return None if known is None else not known
                case ["-n", text]:
                    return bool(text)
                case ["-z", text]:
                    return not text
                case ["-f" | "-e" | "-d" | "-L", _]:
                    return None
                case [left, "=" | "==", right]:
                    return left == right
                case [left, "!=", right]:
                    return left != right
                case [left, "-eq", right]:
                    return left == right
                case [left, "-ne", right]:
                    return left != right
        if _is_question(fields):
            return None
        if name == "service" or name == "ldconfig":
            self.run(fields)
            return True
        raise NotUnderstood(f"asks '{' '.join(fields)}'")

    def command(self, words: tuple[Word, ...]) -> None:
        rest = list(words)
        while rest and rest[0][0].literal and not rest[0][0].quoted:
            assigned = _ASSIGNMENT.match(rest[0][0].text)
            if not assigned:
                break
            head = rest[0][0]._replace(text=rest[0][0].text[assigned.end() :])
            self.variables[assigned[0][:-1]] = self.value((head, *rest[0][1:]))
            rest.pop(0)
            if rest:
                raise NotUnderstood("sets a variable for one command")
        if rest:
            self.run(self.fields(tuple(rest)))

    def run(self, fields: list[str]) -> None:
        if not fields:
            raise NotUnderstood("has a command without a name")
        name = posixpath.basename(fields[0])
        if fields[0] not in _PROGRAMS.get(name, ()):
            raise NotUnderstood(f"runs '{' '.join(fields)}'")
        match [name, *fields[1:]]:
            case ["echo" | "printf" | ":" | "true", *_]:
                pass
            case ["set", "--", *arguments]:
                self.arguments = arguments
            case ["pw", "groupadd", group, "-g", gid] if _NAME.fullmatch(group):
                self.found.append(AddGroup(group, _number(gid)))
            case ["pw", "useradd", user, *options] if _NAME.fullmatch(user):
                self.found.append(_user(user, options))
            case ["pw", "groupmod", group, "-m", user]:
                self.found.append(AddMember(group, user))
            case ["install", *options]:
                self.found.append(_home(options))
            case ["cp", "-p", source, target]:
                self.found.append(CopySample(source, target))
            case ["chmod", "u+w", target] if any(
                isinstance(one, CopySample) and one.target == target for one in self.found
            ):
                pass
            case ["service", "ldconfig", "restart" | "start"]:
                self.found.append(FindLibraries())
            case ["ldconfig", "-m", *folders] if set(folders) <= {f"{PREFIX}/lib"}:
                self.found.append(FindLibraries())
            case ["ldconfig", "-R"]:
                self.found.append(FindLibraries())
            case _:
                raise NotUnderstood(f"runs '{' '.join(fields)}'")

    def fields(self, words: tuple[Word, ...]) -> list[str]:
        """The words as the command gets them. A variable that is not quoted is split at blanks."""
        found: list[str] = []
        for word in words:
            if len(found) + len(self.arguments) > SCRIPT:
                raise NotUnderstood(f"has a command with more than {SCRIPT} words")
            if word == (Part("$@", False, False),):
                found += self.arguments
                continue
            value = self.value(word)
            bare = "".join(part.text for part in word if part.literal and not part.quoted)
            if set(bare) & set("*?[~") and value != "[":
                raise NotUnderstood(f"has the pattern '{value}'")
            split = any(not part.quoted and not part.literal for part in word)
            found += value.split() if split else [value]
        return found

    def value(self, word: Word) -> str:
        """The text of a word, with the values of variables."""
        parts: list[str] = []
        length = 0
        for part in word:
            parts.append(part.text if part.literal else self._expand(_unescaped(part)))
            length += len(parts[-1])
            if length > SCRIPT:
                raise NotUnderstood(f"makes a text of more than {SCRIPT} characters")
        return "".join(parts)

    def _expand(self, text: str) -> str:
        def one(found: re.Match[str]) -> str:
            name = found[1] or found[4]
            value = self._variable(name)
            if found[2] == "%":
                suffix = found[3]
                if set(suffix) & set("*?["):
                    raise NotUnderstood(f"has {found[0]}")
                return value.removesuffix(suffix)
            return value or (found[3] or "" if found[2] else "")

        if "$" in _VARIABLE.sub("", text):
            raise NotUnderstood(f"has {text!r}")
        if sum(len(one(found)) for found in _VARIABLE.finditer(text)) > SCRIPT:
            raise NotUnderstood(f"makes a text of more than {SCRIPT} characters")
        return _VARIABLE.sub(one, text)

    def _variable(self, name: str) -> str:
        if name == "#":
            return str(len(self.arguments))
        if name == "@":
            return " ".join(self.arguments)
        if name.isdecimal():
            number = int(name)
            return self.arguments[number - 1] if 0 < number <= len(self.arguments) else ""
        return self.variables.get(name, "")


_PROGRAMS = {
    "echo": ("echo", "/bin/echo"),
    "printf": ("printf",),
    ":": (":",),
    "true": ("true",),
    "set": ("set",),
    "pw": ("pw", "/usr/sbin/pw"),
    "install": ("install", "/usr/bin/install"),
    "cp": ("cp", "/bin/cp"),
    "chmod": ("chmod", "/bin/chmod"),
    "service": ("service", "/usr/sbin/service"),
    "ldconfig": ("ldconfig", "/sbin/ldconfig"),
}
"""The commands that are understood, by all names that they go by."""


def _unescaped(part: Part) -> str:
    return _ESCAPED.sub(r"\1", part.text) if part.quoted else part.text


def _is_question(fields: list[str]) -> bool:
    """Whether a command only asks what the system has."""
    return (
        len(fields) > 1 and fields[0] in _PROGRAMS["pw"] and fields[1] in ("groupshow", "usershow")
    )


def _number(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise NotUnderstood(f"has the number '{text}'")
    return int(text)


def _user(name: str, options: list[str]) -> AddUser:
    told: dict[str, str] = {}
    if len(options) % 2:
        raise NotUnderstood(f"gives pw useradd the option '{options[-1]}'")
    for option, value in zip(options[::2], options[1::2], strict=True):
        if option not in ("-u", "-g", "-L", "-c", "-d", "-s") or option in told:
            raise NotUnderstood(f"gives pw useradd the option '{option}'")
        told[option] = value
    if not {"-u", "-g", "-d", "-s"} <= told.keys():
        raise NotUnderstood(f"adds the user {name} without number, home or shell")
    return AddUser(
        name,
        _number(told["-u"]),
        _number(told["-g"]),
        told.get("-c", ""),
        told["-d"],
        told["-s"],
    )


def _home(options: list[str]) -> MakeHome:
    match options:
        case ["-d", "-g", group, "-o", owner, path] | ["-d", "-o", owner, "-g", group, path]:
            if path.startswith("/") and ".." not in path.split("/"):
                return MakeHome(path, owner, group)
    raise NotUnderstood(f"runs 'install {' '.join(options)}'")
