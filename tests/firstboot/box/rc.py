"""Scripts of rc.d, run here in a folder that stands for /, with stand-ins for programs."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.box_programs import search
from tests.firstboot.box.box import ROOT

RC_SUBR = """\
warn() { echo "WARNING: $*" >&2; }
load_rc_config() { :; }
run_rc_command() { eval "\\${${1}_cmd}"; }
"""

PLACE = re.compile(
    r"(?<![\w./$])/(?=(?:cfg|data|etc|var|usr|dev/gpt|dev/msdosfs|dev/nvme)\b|dev/\$)"
)
"""Where a path on the box begins."""


@dataclass(frozen=True)
class Script:
    """The script is `root`/script; programs that it finds by their names are in `root`/bin."""

    root: Path

    @classmethod
    def make(cls, root: Path, overlay: str, name: str, folder: str = "etc/rc.d") -> "Script":
        for made in ("bin", "etc"):
            (root / made).mkdir()
        (root / "etc/rc.subr").write_text(RC_SUBR)
        (root / "etc/gettytab").write_text("exitisp.console:\n")
        text = (ROOT / "overlays" / overlay / "files" / folder / name).read_text()
        (root / "script").write_text(PLACE.sub(f"{root}/", text))
        return cls(root)

    def program(self, name: str, body: str) -> None:
        """Have the program `name`, or the one at that path on the box, do `body`."""
        path = self.root / (name if "/" in name else f"bin/{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def mounts(self, *names: str) -> None:
        """Have mount(8) print these file systems."""
        self.program("mount", "\n".join(f"echo 'x on {self.root}/{name} (ufs)'" for name in names))

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["sh", self.root / "script", *(words or ("start",))],
            capture_output=True,
            text=True,
            env={"PATH": f"{self.root}/bin:{search()}"},
            timeout=60,
        )
