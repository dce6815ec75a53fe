"""Every command on the pages: each is understood, and those that cost little are run.

Commands of the box run on a stand-in of one.
"""

import lzma
import re
import shlex
import shutil
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from invoke.exceptions import Exit

import tasks
from firstboot.box import cli
from firstboot.box.apply import apply_site
from firstboot.box.site_input import STANDARD_INPUT
from firstboot.box.systems.freebsd import SYSTEM
from image import file_manifest
from image.commandline.program import LISTS
from tests.command import exitisp
from tests.docs.pages import ROOT, Code, pages
from tests.firstboot.box.box import Box, altered, changed, example, make
from tests.firstboot.box.test_site_input import sent
from tests.firstboot.site.abuse.complaints import FAIL2BAN, letter
from tests.image.test_audit import FEED, sbom
from tests.image.test_diff import manifest, tree

HOST, BOX = "./exitisp", "exitisp"

NOT_RUN = {
    r"build\b": "makes images of base sets: tests/image/test_build.py, tests/boot",
    r"boot\b": "a console for people: tests/qemu/test_terminal.py",
    r"test\b": "is what runs this",
    r"lab\b": "takes minutes: tests/qemu/lab",
    r"bench\b": "takes minutes: tests/image/test_bench.py, tests/qemu/bench",
    r"release\b": "builds twice: tests/image/release/test_release.py",
    r"freeze\b": "takes minutes, and a Python for FreeBSD: tests/image/freeze",
    r"flash .": "writes to a disk: tests/image/flash",
    r"lock --update\b": "takes the mirrors: tests/image/inputs",
    r"paper .*--sign\b": "keeps keys: tests/firstboot/site/paper/test_signing.py",
    r"paper .*--twin\b": "of a pair with what papers need: tests/firstboot/site/paper/test_pair.py",
    r"relay-keys\b": "keeps keys: tests/firstboot/site/test_master_keys.py",
    r"docs$": "writes to this repository: tests/docs/test_made.py",
}
"""Commands that are read and not run: why, and where what they do is tested."""

NOT_RUN_ON_THE_BOX = {
    "setup": "a conversation: tests/firstboot/wizard",
    "reconfigure": "a conversation: tests/firstboot/wizard",
    "blackhole": "needs a transit that drops: tests/firstboot/box/test_blackhole.py",
    "unblackhole": "needs an address that is given up: tests/firstboot/box/test_blackhole.py",
    "upgrade": "writes to a disk: tests/firstboot/box/upgrade, tests/boot/test_upgrade.py",
    "slots": "of a disk with two slots: tests/firstboot/box/upgrade",
    "rollback --slot": "restarts: tests/firstboot/box/upgrade, tests/boot/test_upgrade.py",
    "confirm": "takes a change that waits: tests/firstboot/box/test_confirm.py",
    "keep": "of a disk with two slots: tests/firstboot/box/upgrade",
    "apply --confirm": "waits to be confirmed: tests/firstboot/box/test_confirm.py",
    "backup": "asks for a passphrase: tests/firstboot/box/backup/test_backup.py",
    "relay-keys": "of a site with offline keys: tests/firstboot/box/test_relay_keys.py",
    "report": "of a box that has a journal: tests/firstboot/box/reports",
    "restore": "a conversation: tests/firstboot/box/backup/test_backup.py",
    "top": "a screen for people: tests/firstboot/box/test_top.py",
    "watch": "of a site that names who is told: tests/firstboot/box/test_watch.py",
}

OTHERS = {
    "sudo": "writes to a disk",
    "rm": "removes .venv",
    "cp": "takes an example",
    "ssh-keygen": "of the box: a file it made; of a release: tests/image/release/test_release.py",
    "sha256sum": "of a release: tests/image/release/test_release.py",
    "bgpctl": "of the box: asks bgpd",
    "pfctl": "of the box: asks pf",
    "service": "of the box: stops relays",
    "shutdown": "of the box",
    "openssl": "opens a backup: tests/firstboot/box/backup/test_backup.py",
    "ssh": "reaches the box",
}
"""Other people's programs in blocks of commands, and what for."""


@dataclass(frozen=True)
class Shown:
    """A command on a page. In a sentence, a command may stand without what it needs."""

    code: Code
    words: tuple[str, ...]
    in_sentence: bool = False

    def __str__(self) -> str:
        return str(self.code)

    @property
    def arguments(self) -> tuple[str, ...]:
        return self.words[1:]

    @property
    def only_names(self) -> bool:
        return self.in_sentence and len(self.words) == 2


def shown() -> list[Shown]:
    """All lines of blocks of commands, and the commands in sentences."""
    found = []
    for page in pages():
        for line in page.blocks("sh"):
            words = shlex.split(line.text, comments=True)
            while words and re.match(r"[A-Z_]+=", words[0]):
                words.pop(0)
            if words:
                found.append(Shown(line, tuple(words)))
        found += [
            Shown(span, tuple(shlex.split(span.text)), in_sentence=True)
            for span in page.spans()
            if re.match(r"(\./)?exitisp \S", span.text)
        ]
    return found


def of(name: str) -> list[Shown]:
    return [one for one in shown() if one.words[0] == name]


def test_blocks_show_commands_that_are_known_here() -> None:
    assert {one.words[0] for one in shown()} == {HOST, BOX, *OTHERS}


class TestHost:
    @pytest.fixture(scope="class")
    def folder(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """A folder with the files that the pages name."""
        made = tmp_path_factory.mktemp("folder")
        shutil.copytree(ROOT / "examples", made / "examples")
        for name in ("site.yaml", "old.yaml", "new.yaml"):
            shutil.copy(ROOT / "examples" / "one-port-of-each.yaml", made / name)
        (made / "dist").mkdir()
        (made / "dist/exitisp.img").touch()
        for name in ("last-release.json", "dist/exitisp.json"):
            (made / name).write_text(file_manifest.render(manifest(tree())))
        (made / "dist" / "exitisp.cdx.json").write_text(sbom("tor-0.4.9.12"))
        (made / "complaint.eml").write_bytes(letter(FAIL2BAN).as_bytes())
        (made / "vuln.xml.xz").write_bytes(lzma.compress(FEED.encode()))
        return made

    @pytest.mark.parametrize("command", of(HOST), ids=str)
    def test_commands_and_options_exist(self, command: Shown) -> None:
        if command.only_names:
            assert command.arguments[0] in {*tasks.program().commands, *LISTS, "--version"}
        else:
            understood(command.arguments)

    @pytest.mark.parametrize("wrong", ["build --set x", "bild", "lock --renew", "flash a b c"])
    def test_what_does_not_exist_is_not_understood(self, wrong: str) -> None:
        with pytest.raises(Exit, match=r"no such|takes no"):
            understood(tuple(wrong.split()))

    def test_what_costs_little_is_run(self, folder: Path) -> None:
        tried = set()
        for command in dict.fromkeys(one.words for one in of(HOST) if not one.only_names):
            # As a shell does it.
            words = [
                name
                for word in command[1:]
                for name in (sorted(map(str, folder.glob(word))) if "*" in word else [word])
            ]
            if not any(re.match(one, " ".join(words)) for one in NOT_RUN):
                ran = exitisp(*words, folder=folder)
                assert ran.returncode == 0, f"{command}: {ran.stderr}"
                tried.update(words[:1])
        assert tried >= {"check", "render", "compare", "audit", "abuse", "flash"}


def understood(arguments: tuple[str, ...]) -> None:
    """Reads a command line. Raises Exit with a message for a command or option that is unknown."""
    reader = tasks.program()
    reader.create_config()
    try:
        reader.parse_core([HOST, *arguments])
        reader.parse_collection()
        reader.parse_tasks()
    except Exit as ended:
        if ended.message:
            raise


def options() -> list[Code]:
    """Options of commands that stand alone in a sentence, or with what they take."""
    return [span for page in pages() for span in page.spans() if span.text.startswith("--")]


@pytest.mark.parametrize("option", options(), ids=str)
def test_options_that_stand_alone_are_those_of_a_command(option: Code) -> None:
    commands = tasks.program().commands.values()
    flags = {one.flag for command in commands for one in command.parameters if not one.positional}
    assert option.text.split()[0] in {*flags, "--help", "--version"}


class TestBox:
    def test_commands_of_the_box_are_run(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        box = configured_twice(tmp_path / "box")
        monkeypatch.setattr(cli, "_machine", lambda options: box.machine)
        monkeypatch.chdir(tmp_path)
        for name in ("FILE", "site.yaml"):
            (tmp_path / name).write_bytes(altered(("asn: 65536", "asn: 65539")))
        tried = set()
        for command in dict.fromkeys(one.arguments for one in of(BOX)):
            arguments = ["1" if re.fullmatch(r"[0-9]|NUMBER", word) else word for word in command]
            said_for = {"PEER": "upstream-a", "COMMAND": "status"}
            arguments = [said_for.get(word, word) for word in arguments]
            if command in {("apply",), ("apply", "--dry-run"), ("check",)}:
                arguments.append("FILE")
            if not " ".join(command).startswith(tuple(NOT_RUN_ON_THE_BOX)):
                site = (tmp_path / "FILE").read_bytes()
                with sent(site) if {*STANDARD_INPUT} & {*arguments} else nullcontext():
                    assert cli.main(arguments) == 0, capsys.readouterr().err
                tried.add(arguments[0])
        daily = {
            "apply",
            "check",
            "diff",
            "family",
            "history",
            "raise",
            "rollback",
            "show",
            "status",
        }
        assert tried == {*daily, "drain", "undrain", "metrics", "abuse", "--version"}

    @pytest.mark.parametrize("name", NOT_RUN_ON_THE_BOX)
    def test_those_that_are_not_run_exist(self, name: str) -> None:
        assert cli.main([*name.split(), "--help"]) == 0

    def test_a_command_that_is_none_is_not_understood(self) -> None:
        assert cli.main(["upgarde"]) == 2


def configured_twice(root: Path) -> Box:
    """A box that runs its second generation."""
    site = example()
    box = make(root, site.value)
    box.is_like(site.value)
    said: Any = [].append
    apply_site(site, box.machine, said)
    apply_site(changed(("asn: 65536", "asn: 65538")), box.machine, said)
    box.programs.up.update(service.name for service in SYSTEM.services)
    return box
