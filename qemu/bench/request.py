"""Benchmarks as the command line asks for them."""

from dataclasses import dataclass
from pathlib import Path

from image.artifacts import Base, last_built
from image.bench import measure as measure_build
from image.host import ensure, program
from image.reference_image import made
from qemu.bench.bgp import measure as measure_table
from qemu.bench.crowd import FLOOD
from qemu.bench.crowd import measure as measure_crowd
from qemu.bench.feed import FULL_TABLE, possible
from qemu.bench.hardware import Asked
from qemu.bench.hardware import measure as measure_box
from qemu.bench.network import measure as measure_configuration
from qemu.boottime import measure as measure_starts
from qemu.needs import MACHINE, WORLD


@dataclass(frozen=True, slots=True)
class Request:
    """The options of `./exitisp bench`; None, zero and the empty text mean the default.

    `root` is the folder of the project. `install` allows apt-get to install missing programs.
    """

    root: Path
    lock: Path
    sets: Path | None = None
    image: Path | None = None
    configured: Path | None = None
    routes: int = 0
    flood: int = 0
    hardware: Path | None = None
    virtual: bool = False
    against: Path | None = None
    output: Path | None = None
    install: bool = False


def measure_builds(request: Request) -> None:
    """Compare builds with the least that any build has to do. Raises Refusal."""
    ensure([program("xz", "xz-utils"), program("zstd", "zstd")], install=request.install)
    measure_build(request.root, request.sets, request.output or Path("dist/bench.json"))


def measure_boots(request: Request) -> None:
    """Compare the starts of an image with those of a stock installation. Raises Refusal."""
    ensure(MACHINE, install=request.install)
    image = request.image or last_built(Base.HARDENEDBSD)
    with made(request.sets, request.lock) as stock:
        images = {"stock": stock, "unconfigured": image}
        if request.configured:
            images["configured"] = request.configured
        measure_starts(images, request.output or Path("dist/bench-boot.json"))


def measure_network(request: Request) -> None:
    """Compare the speed of a configured box with that of a stock system. Raises Refusal."""
    count = possible(request.routes or FULL_TABLE)
    ensure([*MACHINE, *WORLD, program("dnsperf", "dnsperf")], install=request.install)
    image = request.image or last_built(Base.HARDENEDBSD)
    with made(request.sets, request.lock) as stock:
        output = request.output or Path("dist/bench-network.json")
        measure_configuration(image, stock, count, request.root / "build/bench", output)


def measure_resolver(request: Request) -> None:
    """Compare the resolver under load with that of a stock system, on this machine. Raises
    Refusal."""
    programs = ("unbound", "unbound"), ("dnsperf", "dnsperf")
    ensure([*WORLD, *(program(*one) for one in programs)], install=request.install)
    output = request.output or Path("dist/bench-resolver.json")
    measure_crowd(output, request.flood or FLOOD)


def measure_bgp(request: Request) -> None:
    """Compare the rendered BGP policy with one rule, and with BIRD, on this machine. Raises
    Refusal."""
    count = possible(request.routes or FULL_TABLE)
    programs = ("bird", "bird2"), ("bgpd", "openbgpd"), ("ip", "iproute2"), ("newuidmap", "uidmap")
    ensure([program(*one) for one in programs], install=request.install)
    measure_table(request.output or Path("dist/bench-bgp.json"), count)


def measure_hardware(request: Request) -> None:
    """Measure a real box from this machine. Raises Refusal."""
    assert request.hardware is not None
    programs = [("trafgen", "netsniff-ng"), ("dnsperf", "dnsperf"), ("bird", "bird2")]
    programs += [("ip", "iproute2"), ("unbound", "unbound")] if request.virtual else []
    ensure([program(*one) for one in programs], install=request.install)
    output = request.output or Path("dist/bench-hardware.json")
    measure_box(Asked(request.hardware, output, request.virtual, request.against))
