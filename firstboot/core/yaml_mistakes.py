"""Mistakes that make a text something else than YAML: what each is, and the text without it.

PyYAML stops at the first place where it understands nothing any more, which is often behind the
mistake. So a mistake is looked for in the lines around, told as a person would, and mended, and the
rest of the text is read on.
"""

import re
from dataclasses import dataclass

import yaml

from firstboot.core.characters import comment, name_of
from firstboot.core.fault import Fault, listed, quote
from firstboot.core.yaml_nodes import DEEPEST, TooDeep, compose

MOST = 20
"""Mistakes of syntax that are looked for in one text."""

LONGEST = 1 << 16
"""Characters of a text that is read on after its first mistake: reading takes a second for it."""

_PAIR = re.compile(r"(?P<start>\s*(?:- +)*)(?P<key>[\w.-]+)\s*:(?:\s+(?P<value>\S.*))?$")
_CONFLICT = re.compile(r"(?:<{7}|={7}|>{7})(?: |$)")
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2022\xb7"
_QUOTES = "\u201c\u201d\u201e\u201f\u2018\u2019\u201a\u201b\xab\xbb\u2039\u203a\xb4"
_COLONS = "\uff1a\ua789\u2236"


@dataclass(frozen=True)
class Vocabulary:
    """The keys that a document may have, and those whose values are never shown."""

    keys: frozenset[str] = frozenset()
    secrets: frozenset[str] = frozenset()


NOTHING_KNOWN = Vocabulary()


def read(text: str, words: Vocabulary) -> tuple[yaml.Node | None, list[Fault]]:
    """The document in `text` and what is wrong with it as YAML; None if too little can be read.

    Mistakes are mended as well as can be guessed, so that the rest is read.
    """
    faults: list[Fault] = []
    lines = text.split("\n")
    tried: set[int] = set()
    while True:
        try:
            root, odd = compose("\n".join(lines))
        except TooDeep as deep:
            problem = f"lists and mappings are nested deeper than {DEEPEST} levels"
            return None, [*faults, Fault(deep.line, (), problem, "Write it with fewer levels")]
        except yaml.MarkedYAMLError as error:
            found = _Explanation(lines, error, words)
            faults.append(found.fault)
            if len(faults) >= MOST or len(text) > LONGEST or found.fault.line in tried:
                return None, _apart(faults)
            tried.add(found.fault.line)
            lines = found.mended
        except (yaml.YAMLError, ValueError, OverflowError):
            line = next((at for at, one in enumerate(lines, 1) if re.search(r"\\U|^%", one)), 1)
            problem = "a character escape or a YAML version is out of range"
            return None, [*faults, Fault(line, (), problem, "Write the character itself")]
        else:
            return root, [*_apart(faults), *odd]


def _apart(faults: list[Fault]) -> list[Fault]:
    """One mistake a line: what is told of it second is mostly a consequence."""
    first: dict[int, Fault] = {}
    for fault in faults:
        first.setdefault(fault.line, fault)
    return list(first.values())


def typos(text: str, words: Vocabulary) -> tuple[str, list[Fault]]:
    """`text` with mended slips of the keyboard in single lines, and a fault for each kind of them:
    tabs, and a missing space, colon or hyphen.

    A line of a longer text may look like any of them, so only look in a text that is faulty.
    """
    lines = text.split("\n")
    slips: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for at, line in enumerate(lines):
        for _ in range(3):
            slip = _slip(lines, at, words)
            if slip is None:
                break
            column, problem, remedy, lines[at] = slip
            slips.setdefault((problem, remedy), []).append((at + 1, column))
        del line
    faults = []
    for (problem, remedy), places in slips.items():
        more = [str(line) for line, _ in places[1:6]]
        if more:
            so = f"{', '.join(more)}, ..." if len(places) > 6 else listed(more)
            problem += f"; line{'s' * (len(more) > 1)} {so} likewise"
        faults.append(Fault(places[0][0], (), problem, remedy, places[0][1]))
    return "\n".join(lines), sorted(faults, key=lambda fault: fault.line)


Slip = tuple[int, str, str, str]
"""The column, the problem, the remedy, the mended line."""


def _slip(lines: list[str], at: int, words: Vocabulary) -> Slip | None:
    line = lines[at]
    start = comment(line)
    code = line[:start].rstrip()
    body = code.lstrip()
    if _CONFLICT.match(line):
        return (
            1,
            "two versions of the file are in conflict here (git)",
            "Keep one of them, and delete the lines with <<<<<<<, ======= and >>>>>>>",
            "",
        )
    if "\t" in line[len(code) : start]:
        return (
            line.index("\t", len(code)) + 1,
            "there is a tab before a comment or the end of the line",
            "Put a space in its place",
            code + line[len(code) : start].replace("\t", " ") + line[start:],
        )
    if not body:
        return None
    indent = code[: len(code) - len(body)]
    column = len(indent) + 1
    if "\t" in indent:
        tab = indent.index("\t") + 1
        return (
            tab,
            "the line is indented with a tab, which YAML does not allow",
            "Indent with spaces, as many as the lines around",
            _indented(lines, at, line),
        )
    if "\t" in body and re.search(r"(?:^-|:)[ ]*\t", body):
        mended = line[: len(indent)] + re.sub(r"((?:^-|:)[ ]*)\t+", r"\1 ", line[len(indent) :])
        return (
            len(indent) + body.index("\t") + 1,
            "there is a tab between key and value",
            "Put a space in its place",
            mended,
        )
    if body[0] in _DASHES and body[1:2].isspace():
        return (
            column,
            f"the line starts with {name_of(body[0])}, which is not a hyphen",
            "Start an item of a list with a hyphen and a space",
            f"{indent}-{line.lstrip()[1:]}",
        )
    if re.match(r"-[^\s-]", body):
        return (
            column,
            "there is no space after the hyphen",
            "Start an item of a list with a hyphen and a space",
            f"{indent}- {line.lstrip()[1:]}",
        )
    return _pair_slip(line, code, words)


def _pair_slip(line: str, code: str, words: Vocabulary) -> Slip | None:
    found = re.match(rf"(\s*(?:- +)*)([\w-]+)(\s*)([:={_COLONS}]?)(\s*)(.*)$", code)
    if not found or _plain_key(found[2]) not in words.keys:
        return None
    start, key, before, mark, after, value = found.groups()
    at = found.end(2) + 1
    mended = f"{start}{key}: {value}{line[len(code) :]}"
    shown = "..." if _plain_key(key) in words.secrets else value[:30] or "..."
    remedy = f"Write {key}: {shown}"
    if mark == ":" and value and not after and not before:
        return at, f"there is no space after the colon of {quote(key)}", remedy, mended
    if mark and mark != ":":
        name = "an equals sign" if mark == "=" else name_of(mark)
        return at, f"there is {name} after {quote(key)} where a colon belongs", remedy, mended
    if not mark and before and value and not re.search(r":(\s|$)", value):
        return at, f"there is no colon after {quote(key)}", remedy, mended
    if not mark and not value and not start.lstrip().startswith("-"):
        return at, f"there is no colon after {quote(key)}", f"Write {key}:", mended
    return None


def _plain_key(text: str) -> str:
    return text.lower().replace("-", "_")


def _indented(lines: list[str], at: int, line: str) -> str:
    """A line whose indentation has tabs, indented as the line above it asks for."""
    body = line.lstrip()
    above = next((one for one in reversed(lines[:at]) if _code(one)), "")
    if above.lstrip().startswith("- ") and not body.startswith("- "):
        depth = len(above) - len(above.lstrip()) + 2
    else:
        depth = len(above) - len(above.lstrip())
    if _code(above).endswith(":"):
        depth += 2
    own = len(line[: len(line) - len(body)].replace("\t", "  "))
    return " " * (own if own in range(depth) and depth - own >= 2 else depth) + body


def _code(line: str) -> str:
    """A line without its comment and the spaces around."""
    return line[: comment(line)].strip()


class _Explanation:
    """What a person did that made PyYAML stop: `fault`, and the lines without it."""

    def __init__(self, lines: list[str], error: yaml.MarkedYAMLError, words: Vocabulary) -> None:
        self._lines = lines
        self._words = words
        self.problem, self.context = error.problem or "", error.context or ""
        mark = error.problem_mark or error.context_mark
        start = error.context_mark or mark
        self.at = min(mark.line, len(lines) - 1) if mark else 0
        self.column = mark.column if mark else 0
        self.start = min(start.line, len(lines) - 1) if start else 0
        self.start_column = start.column if start else 0
        self.mended = list(lines)
        self.fault = self._explain()

    def _explain(self) -> Fault:
        for look in (
            self._unclosed_quote,
            self._escape,
            self._document,
            self._item_beside_key,
            self._bracket,
            self._colon_in_value,
            self._reserved,
            self._text_after_value,
            self._no_colon,
            self._indentation,
        ):
            found = look()
            if found:
                return found
        self.mended[self.at] = ""
        what = self.problem.replace("<", "").replace(">", "")
        return self._fault(
            self.at,
            f"the line is not YAML ({what})",
            "Write it as key: value, and put a text with special characters in quotes",
        )

    def _fault(self, at: int, problem: str, remedy: str, column: int = -1) -> Fault:
        return Fault(at + 1, (), problem, remedy, column + 1)

    def _unclosed_quote(self) -> Fault | None:
        for at, line in enumerate(self._lines[: self.at + 1]):
            found = re.search(r"(?:[:\[{,]\s*|^\s*(?:- +)+)([\"'])", line)
            if not found or _code(line).startswith("#"):
                continue
            mark, opened = found[1], found.start(1)
            rest = line[opened + 1 :]
            ends = re.sub(r"\\.", "__", rest) if mark == '"' else rest.replace("''", "__")
            if mark not in ends:
                self.mended[at] = line[:opened] + self._quoted(rest.split(" #", maxsplit=1)[0])
                return self._fault(
                    at,
                    f"the quotation mark {mark} is not closed in this line",
                    f"Add {mark} at the end of the text",
                    opened,
                )
        return None

    def _escape(self) -> Fault | None:
        if "escape" not in self.problem and "hexadecimal" not in self.problem:
            return None
        line = self._lines[self.at]
        self.mended[self.at] = line.replace("\\", "")
        return self._fault(
            self.at,
            "a backslash in double quotes starts an escape that YAML does not know",
            "Write \\\\ for a backslash",
            self.column,
        )

    def _document(self) -> Fault | None:
        if "another document" in self.problem:
            self.mended[self.at] = ""
            keys = [re.match(r"[\w-]+:", line) for line in self._lines]
            above = {found[0] for found in keys[: self.at] if found}
            if any(found[0] in above for found in keys[self.at :] if found):
                self.mended = self._lines[: self.at]
            return self._fault(
                self.at,
                "a second YAML document starts here (---)",
                "Keep one document in the file and delete the line ---",
            )
        if "document start" not in self.problem:
            return None
        first = next((at for at, one in enumerate(self._lines) if _code(one)), 0)
        depth = len(self._lines[first]) - len(self._lines[first].lstrip())
        ended = any(_code(one) == "..." for one in self._lines[: self.at])
        if depth and not ended:
            self.mended = [self._shifted(one, -depth) for one in self._lines[: self.at]]
            self.mended += self._lines[self.at :]
            return self._fault(
                first,
                "the first key is indented, and other keys are not",
                "Start it at the beginning of the line",
            )
        self.mended = [("" if _code(one) == "..." else one) for one in self._lines]
        return self._fault(
            self.at,
            "the document ended above, and this is behind its end",
            "Delete the line ... above",
        )

    def _item_beside_key(self) -> Fault | None:
        if "sequence entries are not allowed" not in self.problem:
            return None
        line = self._lines[self.at]
        found = _PAIR.match(line[: comment(line)].rstrip())
        if found and (found["value"] or "").startswith("- "):
            self.mended[self.at] = f"{found['start']}{found['key']}:"
            return self._fault(
                self.at,
                f"the first item of the list {quote(found['key'])} is in the line of its key",
                "Write each item in a line of its own below the key, after a hyphen and a space",
                self.column,
            )
        return None

    def _bracket(self) -> Fault | None:
        if "flow" not in self.context and "flow" not in self.problem:
            return None
        opened = "[" if "sequence" in self.context else "{"
        close = "]" if opened == "[" else "}"
        line = self._lines[self.start]
        code = line[: comment(line)].rstrip()
        if self.at > self.start or "stream end" in self.problem:
            self.mended[self.start] = code.rstrip(",") + close
            return self._fault(
                self.start,
                f"the bracket {opened} is not closed in this line",
                f"Add {close} after the last item",
                self.start_column,
            )
        rest = code[self.column :]
        if rest and rest[0] not in ",:":
            self.mended[self.at] = f"{code[: self.column]}, {rest}"
            return self._fault(
                self.at,
                "there is no comma between two items",
                "Put a comma and a space between the items",
                self.column,
            )
        self.mended[self.at] = re.sub(r",\s*,", ",", code)
        if self.mended[self.at] == code:
            self.mended[self.at] = ""
        return self._fault(
            self.at,
            f"an item is missing before {quote(rest[:1])}",
            "Remove it, or put a text with it in quotes",
            self.column,
        )

    def _colon_in_value(self) -> Fault | None:
        if "mapping values are not allowed" not in self.problem:
            return None
        line = self._lines[self.at]
        found = _PAIR.match(line[: comment(line)].rstrip())
        value = (found["value"] or "") if found else ""
        if found and re.search(r":(\s|$)", value):
            where = "ends with a colon" if value.endswith(":") else "has a colon and a space in it"
            self.mended[self.at] = f"{found['start']}{found['key']}: {self._quoted(value)}"
            return self._fault(
                self.at,
                f"the value of {quote(found['key'])} {where}, which YAML reads as one more key",
                self._in_quotes(found["key"], value),
                self.column,
            )
        above = next((at for at in range(self.at - 1, -1, -1) if _code(self._lines[at])), None)
        if above is None:
            return None
        upper = self._lines[above]
        code = _code(upper)
        if not re.search(r":(\s|$)", code):
            self.mended[above] = upper[: comment(upper)].rstrip() + ":"
            word = code.removeprefix("- ")
            return self._fault(above, f"there is no colon after {quote(word)}", f"Write {word}:")
        depth = self._depth(above)
        self.mended[self.at] = " " * depth + line.lstrip()
        return self._fault(
            self.at,
            f"the line is indented further than line {above + 1}, which already has a value",
            f"Indent it by {depth} spaces like line {above + 1}" if depth else "Do not indent it",
        )

    def _reserved(self) -> Fault | None:
        scanning = ("alias", "anchor", "tag", "block scalar", "directive")
        if "cannot start any token" not in self.problem and not any(
            f"scanning a {kind}" in self.context or f"scanning an {kind}" in self.context
            for kind in scanning
        ):
            return None
        at, column = (self.start, self.start_column) if self.context else (self.at, self.column)
        if "cannot start any token" in self.problem:
            at, column = self.at, self.column
        line = self._lines[at]
        char = line[column : column + 1]
        rest = line[column : comment(line)].rstrip()
        self.mended[at] = line[:column] + self._quoted(rest)
        if not line[:column].strip():
            self.mended[at] = ""
        return self._fault(
            at,
            f"a value cannot start with {char}" if char else "the line is cut off",
            "Put the whole value in quotes",
            column,
        )

    def _text_after_value(self) -> Fault | None:
        line = self._lines[self.at]
        code = line[: comment(line)].rstrip()
        found = re.match(r"(?P<start>\s*(?:- +)*(?:[\w.-]+:\s+)?)(?P<value>[\"'\[{].*)$", code)
        if not found or self.column <= found.start("value"):
            return None
        value = found["value"]
        closed = {"[": "]", "{": "}"}.get(value[0], value[0])
        self.mended[self.at] = found["start"] + self._quoted(value)
        what = "bracket" if closed in "]}" else "quotation mark"
        return self._fault(
            self.at,
            f"there is text after the closing {what} {closed}",
            "Put the whole value in quotes, or delete what follows",
            self.column,
        )

    def _no_colon(self) -> Fault | None:
        at = self.start if "expected ':'" in self.problem else self.at
        code = _code(self._lines[at])
        if re.search(r":(\s|$)", code) or code.startswith(("- ", "[", "{")):
            return None
        word = (code.split() or [""])[0]
        if "expected ':'" not in self.problem and "scalar" not in self.problem:
            return None
        self.mended[at] = ""
        return self._fault(at, f"there is no colon after {quote(word)}", "Write key: value")

    def _indentation(self) -> Fault | None:
        if "block end" not in self.problem and "mapping values" not in self.problem:
            return None
        line = self._lines[self.at]
        own = len(line) - len(line.lstrip())
        above = next(
            (at for at in range(self.at - 1, -1, -1) if _code(self._lines[at])), self.start
        )
        depths = {self._depth(above): above, self.start_column: self.start}
        if _code(self._lines[above]).startswith("- ") or line.lstrip().startswith("- "):
            outer = self._lines[above]
            depths.setdefault(len(outer) - len(outer.lstrip()), above)
        depths.pop(own, None)
        if not depths:
            return None
        depth = min(depths, key=lambda one: (abs(one - own), -one))
        self.mended[self.at] = " " * depth + line.lstrip()
        return self._fault(
            self.at,
            f"the line is indented by {own} {_spaces(own)}, which fits no line above it",
            f"Indent it by {depth} {_spaces(depth)}, like line {depths[depth] + 1}",
        )

    def _depth(self, at: int) -> int:
        """The column at which the key of a line starts."""
        line = self._lines[at]
        found = re.match(r"\s*(?:- +)*", line)
        return found.end() if found else 0

    def _shifted(self, line: str, by: int) -> str:
        depth = len(line) - len(line.lstrip())
        return " " * max(depth + by, 0) + line.lstrip()

    def _quoted(self, text: str) -> str:
        return '"' + text.strip().replace("\\", "").replace('"', "").replace("'", "") + '"'

    def _in_quotes(self, key: str, value: str) -> str:
        if _plain_key(key) in self._words.secrets or len(value) > 40:
            return "Put the value in quotes"
        return f"Put it in quotes: {key}: {self._quoted(value)}"


def _spaces(count: int) -> str:
    return "space" if count == 1 else "spaces"


def typographic(text: str) -> str:
    """What is wrong with the first character of a value without quotes; empty if nothing is."""
    if text[:1] and text[0] in _QUOTES:
        return f"the value starts with {name_of(text[0])}, which is not a quotation mark of YAML"
    return ""


def straight(text: str) -> str:
    """`text` without the quotation marks of typography around it."""
    return text.strip(_QUOTES)
