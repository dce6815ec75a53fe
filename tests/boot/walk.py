"""A walk through the pages as a newcomer takes it: their commands typed in a terminal, their
answers given to the wizard. Nothing that a page says stands here as well."""

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pexpect

from firstboot.wizard.terminal import MORE
from qemu.terminal import PlainText
from tests.docs.pages import ROOT, Page

README = Page(ROOT / "README.md")
GUIDE = Page(ROOT / "docs" / "getting-started.md")

LAUNCHER = "./exitisp"

Turn = tuple[str, str]
"""A part of a question, and what is typed after it."""


def commands(page: Page, task: str) -> list[list[str]]:
    """The commands `./exitisp TASK ...` that `page` shows in blocks, as words."""
    lines = (shlex.split(line.text, comments=True) for line in page.blocks("sh"))
    return [words for words in lines if words[:2] == [LAUNCHER, task]]


def answers(page: Page, given: Mapping[str, str]) -> list[Turn]:
    """The block of answers on `page`: a line for each question, what is typed behind its colon.

    Where it says `<name>`, that is for the person to choose, and `given` has it. Raises KeyError
    for one that `given` does not have.
    """
    return [_turn(line.text, given) for line in page.blocks("answers")]


def _turn(line: str, given: Mapping[str, str]) -> Turn:
    question, _, answer = line.partition(":")
    answer = answer.strip()
    if answer.startswith("<") and answer.endswith(">"):
        answer = given[answer[1:-1]]
    return question, answer


@dataclass
class Terminal:
    """A terminal in which a person runs one command; `log` keeps what it shows."""

    process: "pexpect.spawn[str]"
    log: Path

    @classmethod
    def run(cls, words: list[str], folder: Path, cache: Path) -> "Terminal":
        """Run a command of the pages in `folder`, with `cache` as the cache of downloads."""
        command = [str(ROOT / LAUNCHER), *words[1:]]
        log = folder / f"{words[1]}.log"
        process = pexpect.spawn(
            command[0],
            command[1:],
            cwd=str(folder),
            env={**os.environ, "XDG_CACHE_HOME": str(cache), "EXITISP_PYTHON": sys.executable},
            encoding="utf-8",
            codec_errors="replace",
            dimensions=(24, 100),
            timeout=120,
        )
        process.logfile_read = log.open("w")
        return cls(process, log)

    def expect(self, *texts: str, timeout: float = 120.0) -> int:
        """Wait until one of `texts` is shown, and say which."""
        return self.process.expect_exact(list(texts), timeout=timeout)

    def type(self, line: str) -> None:
        """Type `line` and Enter."""
        self.process.send(f"{line}\r")

    def answer(self, turns: list[Turn], first: float, others: float) -> None:
        """Answer all questions, the first of which may take `first` seconds, each other one
        `others`; turn the pages in between."""
        patience = first
        for question, answer in turns:
            while self.expect(question, MORE, timeout=patience) == 1:
                self.type("")
            self.type(answer)
            patience = others

    def end(self, keys: str = "", timeout: float = 60.0) -> int | None:
        """Type `keys`, wait for the command's end, and give its exit status."""
        self.process.send(keys)
        self.process.expect(pexpect.EOF, timeout=timeout)
        self.process.close()
        return self.process.exitstatus

    def shown(self) -> str:
        """All that was shown until now, without escape sequences."""
        return PlainText().feed(self.log.read_bytes()).decode(errors="replace")
