"""Compares builds with the least that any build must do, on one machine in one run.

The floor is what no build can avoid: decompressing the sets, and writing as many bytes as the
finished image has. Ratios to it are comparable between a laptop and a server.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from firstboot.core.refusal import Refusal
from image.atomic_files import replace
from image.base.sets import BaseSets
from image.download.cache import cache_folder
from image.inputs.base_sets import obtain

ROUNDS = 5

SITE = Path("examples/one-port-of-each.yaml")

MIB = 1 << 20


class Spent(NamedTuple):
    """What a command took: `seconds`, `cpu` in seconds of all processors together, and the most
    memory of one of its processes, in MiB."""

    seconds: float
    cpu: float
    peak_mib: float


class Spread(NamedTuple):
    """A ratio of two figures of the same round: its median over the rounds, its least and its
    greatest value. What disturbs a machine is longer than a round, and disturbs both figures."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        return cls(median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Figures:
    """Times in seconds, sizes in MiB. Each is the best of all rounds, because disturbances only
    ever make a run longer; `peak_mib` is the worst one.

    `floor_s` is the time of xz alone plus `copy_s`. `synced_copy_s` is a copy that waits, as a
    build does, until the disk has it. `check_cpu_s` is the processor time of `./exitisp check`
    with a site. `ratios` are by name.
    """

    cold_s: float
    warm_s: float
    floor_s: float
    copy_s: float
    synced_copy_s: float
    cold_cpu_s: float
    warm_cpu_s: float
    floor_cpu_s: float
    check_cpu_s: float
    peak_mib: float
    image_mib: float
    compressed_mib: float
    sets_mib: float
    ratios: Mapping[str, Spread]


def measure(root: Path, sets: Path | None, output: Path) -> None:
    """Measure, print a table, and write the figures as JSON to `output`."""
    base = obtain(sets, root / "image" / "hardenedbsd.lock.yaml", cache_folder())
    if not isinstance(base, BaseSets):
        raise Refusal(sets or "the base system", "it comes as packages", "Measure with sets")
    files = [str(base.base.path), str(base.kernel.path)]
    folder = base.base.path.parent
    output = output.absolute()
    output.parent.mkdir(parents=True, exist_ok=True)
    turns: list[dict[str, Spent]] = []
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=output.parent) as name:
        work = Path(name)
        image, copy = work / "exitisp.img", work / "copy.img"
        for turn in range(ROUNDS):
            print(f"round {turn + 1} of {ROUNDS}", file=sys.stderr)
            shutil.rmtree(work / "cache", ignore_errors=True)
            found = {}
            for kind in ("cold", "warm"):
                change(work / "changed", f"{turn} {kind}")
                found[kind] = build(root, folder, work, image)
            copying = ["sh", "-c", 'cp "$1" "$2" && sync "$2"', "sh", str(image), str(copy)]
            for kind, command in (
                ("xz", ["xz", "--decompress", "--stdout", *files]),
                ("copy", ["cp", str(image), str(copy)]),
                ("synced copy", copying),
            ):
                copy.unlink(missing_ok=True)
                found[kind] = spent(command)
            found["check"] = spent(ours(root, "check", str(root / SITE)), plain())
            turns.append(found)
        size = image.stat().st_blocks * 512 / MIB
        compressed = compressed_size(image) / MIB
    figures = summary(turns, size, compressed, (base.base.size + base.kernel.size) / MIB)
    replace(output, (json.dumps(rounded(asdict(figures)), indent=2) + "\n").encode())
    print(table(figures))


def summary(
    turns: Sequence[Mapping[str, Spent]], image: float, compressed: float, sets: float
) -> Figures:
    """Return the figures of all rounds. `turns` has what each command took in each round; the sizes
    are in MiB."""

    def best(kind: str) -> Spent:
        return Spent(*(min(values) for values in zip(*(one[kind] for one in turns), strict=True)))

    cold, warm, xz, copy = (best(kind) for kind in ("cold", "warm", "xz", "copy"))
    ratios = {
        "cold to floor": [
            one["cold"].seconds / (one["xz"].seconds + one["copy"].seconds) for one in turns
        ],
        "cold to floor, processor time": [
            one["cold"].cpu / (one["xz"].cpu + one["copy"].cpu) for one in turns
        ],
        "warm to copy": [one["warm"].seconds / one["copy"].seconds for one in turns],
        "warm to synced copy": [one["warm"].seconds / one["synced copy"].seconds for one in turns],
    }
    return Figures(
        cold_s=cold.seconds,
        warm_s=warm.seconds,
        floor_s=xz.seconds + copy.seconds,
        copy_s=copy.seconds,
        synced_copy_s=best("synced copy").seconds,
        cold_cpu_s=cold.cpu,
        warm_cpu_s=warm.cpu,
        floor_cpu_s=xz.cpu + copy.cpu,
        check_cpu_s=best("check").cpu,
        peak_mib=max(one[kind].peak_mib for one in turns for kind in ("cold", "warm")),
        image_mib=image,
        compressed_mib=compressed,
        sets_mib=sets,
        ratios={name: Spread.of(values) for name, values in ratios.items()},
    )


def rounded(figures: Any) -> Any:
    """Return `figures` with three digits after the point."""
    if isinstance(figures, dict):
        return {key: rounded(value) for key, value in figures.items()}
    if isinstance(figures, float):
        return round(figures, 3)
    return [rounded(value) for value in figures]


def change(overlay: Path, text: object) -> None:
    """Make an overlay with one file that contains `text`."""
    (overlay / "files" / "etc").mkdir(parents=True, exist_ok=True)
    (overlay / "overlay.yaml").write_text("description: The file that is changed.\n")
    (overlay / "files" / "etc" / "changed").write_text(f"{text}\n")


def build(root: Path, sets: Path, work: Path, image: Path) -> Spent:
    """Build as a user does, in a separate process."""
    command = ours(root, "build", "--sets", str(sets), "--packages", "none")
    more = ["--overlay", str(work / "changed"), "--output", str(image)]
    return spent([*command, *more], {**plain(), "XDG_CACHE_HOME": str(work / "cache")})


def ours(root: Path, *arguments: str) -> list[str]:
    return [sys.executable, str(root / "tasks.py"), *arguments]


def plain() -> dict[str, str]:
    """The environment without variables for Python: PYTHONDONTWRITEBYTECODE, which is usual in
    containers, would make it compile every module at each start."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def spent(command: Sequence[str], environment: Mapping[str, str] = os.environ) -> Spent:
    """Run `command` without its output. Raises CalledProcessError."""
    os.sync()
    began = time.perf_counter()
    nowhere = subprocess.DEVNULL
    process = subprocess.Popen(command, env=environment, stdout=nowhere, stderr=nowhere)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Spent(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def compressed_size(image: Path) -> int:
    """Return the bytes of the image compressed with zstd at its default level."""
    process = subprocess.Popen(["zstd", "--quiet", "--stdout", image], stdout=subprocess.PIPE)
    assert process.stdout
    total = 0
    while chunk := process.stdout.read(MIB):
        total += len(chunk)
    if process.wait():
        raise subprocess.CalledProcessError(process.returncode, "zstd")
    return total


def table(figures: Figures) -> str:
    """Return two tables: the figures, and the ratios."""
    rows = (
        ("cold build", figures.cold_s, "s"),
        ("warm build", figures.warm_s, "s"),
        ("floor: xz and a copy", figures.floor_s, "s"),
        ("copy of the image", figures.copy_s, "s"),
        ("copy, on the disk", figures.synced_copy_s, "s"),
        ("cold build, processors", figures.cold_cpu_s, "s"),
        ("warm build, processors", figures.warm_cpu_s, "s"),
        ("check, processors", figures.check_cpu_s, "s"),
        ("peak memory", figures.peak_mib, "MiB"),
        ("image", figures.image_mib, "MiB"),
        ("image, compressed", figures.compressed_mib, "MiB"),
        ("sets", figures.sets_mib, "MiB"),
    )
    lines = [f"{name:34}{value:8.2f} {unit}" for name, value, unit in rows]
    lines += ["", f"{'':34}{'ratio':>8}{'least':>8}{'most':>8}"]
    lines += [
        f"{name:34}{one.median:8.2f}{one.least:8.2f}{one.most:8.2f}"
        for name, one in figures.ratios.items()
    ]
    return "\n".join(lines)
