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
from dataclasses import asdict, dataclass
from pathlib import Path

from firstboot.core.refusal import Refusal
from image.atomic_files import replace
from image.base.sets import BaseSets
from image.download.cache import cache_folder
from image.inputs.base_sets import obtain

ROUNDS = 3
"""Each figure is the best of this many, because disturbances only ever make a run longer."""

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Figures:
    """Times in seconds, sizes in MiB. `floor_s` is the time of xz alone plus `copy_s`.
    `synced_copy_s` is a copy that waits, as a build does, until the disk has it."""

    cold_s: float
    warm_s: float
    floor_s: float
    copy_s: float
    synced_copy_s: float
    peak_mib: float
    image_mib: float
    compressed_mib: float


def measure(root: Path, sets: Path | None, output: Path) -> None:
    """Measure, print a table, and write the figures as JSON to `output`."""
    base = obtain(sets, root / "image" / "hardenedbsd.lock.yaml", cache_folder())
    if not isinstance(base, BaseSets):
        raise Refusal(sets or "the base system", "it comes as packages", "Measure with sets")
    files = [str(base.base.path), str(base.kernel.path)]
    folder = base.base.path.parent
    output = output.absolute()
    output.parent.mkdir(parents=True, exist_ok=True)
    times: dict[str, list[float]] = {}
    peaks = []
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=output.parent) as name:
        work = Path(name)
        image, copy = work / "exitisp.img", work / "copy.img"
        for turn in range(ROUNDS):
            print(f"round {turn + 1} of {ROUNDS}", file=sys.stderr)
            cache = work / "cache"
            shutil.rmtree(cache, ignore_errors=True)
            for kind in ("cold", "warm"):
                change(work / "changed", f"{turn} {kind}")
                seconds, peak = build(root, folder, work, image)
                times.setdefault(kind, []).append(seconds)
                peaks.append(peak)
            copying = ["sh", "-c", 'cp "$1" "$2" && sync "$2"', "sh", str(image), str(copy)]
            for kind, command in (
                ("xz", ["xz", "--decompress", "--stdout", *files]),
                ("copy", ["cp", str(image), str(copy)]),
                ("synced copy", copying),
            ):
                copy.unlink(missing_ok=True)
                times.setdefault(kind, []).append(timed(command))
        size = image.stat().st_blocks * 512 / MIB
        compressed = compressed_size(image) / MIB
    best = {kind: min(found) for kind, found in times.items()}
    figures = Figures(
        best["cold"],
        best["warm"],
        best["xz"] + best["copy"],
        best["copy"],
        best["synced copy"],
        max(peaks),
        size,
        compressed,
    )
    rounded = {key: round(value, 3) for key, value in asdict(figures).items()}
    replace(output, (json.dumps(rounded, indent=2) + "\n").encode())
    print(table(figures))


def change(overlay: Path, text: object) -> None:
    """Make an overlay with one file that contains `text`."""
    (overlay / "files" / "etc").mkdir(parents=True, exist_ok=True)
    (overlay / "overlay.yaml").write_text("description: The file that is changed.\n")
    (overlay / "files" / "etc" / "changed").write_text(f"{text}\n")


def build(root: Path, sets: Path, work: Path, image: Path) -> tuple[float, float]:
    """Build as a user does, in a separate process. Return the time in seconds and the peak memory
    in MiB.

    Environment variables for Python are left out: PYTHONDONTWRITEBYTECODE, which is usual in
    containers, would make it compile every module at each start.
    """
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    os.sync()
    began = time.perf_counter()
    process = subprocess.Popen(
        [
            *(sys.executable, str(root / "tasks.py"), "build"),
            *("--sets", str(sets), "--packages", "none"),
            *("--overlay", str(work / "changed"), "--output", str(image)),
        ],
        env={**plain, "XDG_CACHE_HOME": str(work / "cache")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, "build")
    return seconds, usage.ru_maxrss / 1024


def timed(command: list[str]) -> float:
    os.sync()
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


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
    rows = (
        ("cold build", figures.cold_s, "s", figures.cold_s / figures.floor_s, "x floor"),
        ("warm build", figures.warm_s, "s", figures.warm_s / figures.copy_s, "x copy"),
        ("", figures.warm_s, "s", figures.warm_s / figures.synced_copy_s, "x synced copy"),
        ("floor: xz and a copy", figures.floor_s, "s", None, ""),
        ("copy of the image", figures.copy_s, "s", None, ""),
        ("copy, on the disk", figures.synced_copy_s, "s", None, ""),
        ("peak memory", figures.peak_mib, "MiB", None, ""),
        ("image", figures.image_mib, "MiB", None, ""),
        ("image, compressed", figures.compressed_mib, "MiB", None, ""),
    )
    return "\n".join(
        f"{name:22}{value:9.2f} {unit:4}" + (f"{ratio:8.2f} {what}" if ratio is not None else "")
        for name, value, unit, ratio, what in rows
    )
