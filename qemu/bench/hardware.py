"""A real box, measured from a machine beside it: tuned, stock, and the two compared."""

import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from firstboot.core.refusal import Refusal
from image.atomic_files import replace, writing
from qemu.bench.bench_setup import Setup, read
from qemu.bench.figures import Measure
from qemu.bench.generator import ANSWERED, PASSED, SENT, TAKEN, Generator
from qemu.bench.spread import spread
from qemu.bench.stand_in import stand_in
from qemu.lab.progress import Progress
from qemu.world.borrowed import borrowed, check
from qemu.world.net import Port, World

ROUNDS = 5
MEASURES = (PASSED, SENT, ANSWERED, TAKEN)
LIMIT = 0.99
"""A box that passes this share of what is sent may be faster than the generator."""

Values = Mapping[str, Sequence[float]]
"""The value of each round, by the name of the measure."""


@dataclass(frozen=True, slots=True)
class Asked:
    """`file` says how machine and box are connected. With `virtual`, a Linux machine in namespaces
    stands in for the box. `against` has the figures of another run."""

    file: Path
    output: Path
    virtual: bool = False
    against: Path | None = None


def measure(asked: Asked) -> None:
    """Measure the box, print a table, and write all figures as JSON. Raises Refusal."""
    setup = read(asked.file)
    others = figures(asked.against) if asked.against else {}
    with writing(asked.output):
        asked.output.parent.mkdir(parents=True, exist_ok=True)
    if not asked.virtual:
        for link in setup.links:
            check(link.device)
        confirm(setup)
    found: dict[str, list[float]] = {}
    with (
        tempfile.TemporaryDirectory(prefix="exitisp-bench-") as folder,
        World(Path(folder)) as world,
        _wires(world, setup, asked.virtual) as ports,
    ):
        for measure, value in _samples(Generator(setup, ports), setup):
            found.setdefault(measure.name, []).append(value)
            told = {"virtual": asked.virtual, "seconds": setup.seconds, "rounds": found}
            if setup.bgp is not None:
                told["routes"] = setup.bgp.routes
            replace(asked.output, (json.dumps(told, indent=2) + "\n").encode())
    print(table(found, others))
    print(f"{asked.output}: all figures")


def confirm(setup: Setup) -> None:
    """Say what will be sent and where to, and ask. Raises Refusal unless yes is typed."""
    print(f"{' and '.join(link.device for link in setup.links)} will be taken from this machine.")
    if setup.lan and setup.transit:
        print(
            f"As many packets as it can send, for {setup.seconds} s and {ROUNDS} times, go from "
            f"{setup.lan.address.ip} through {setup.lan.box} to {setup.transit.address.ip}."
        )
    if setup.resolver:
        print(f"As many questions as it can ask go to {setup.resolver}.")
    if setup.bgp and setup.transit:
        print(f"{setup.bgp.routes} made-up routes are announced to {setup.transit.box}.")
    print("Do this with boxes of your own, on which nobody depends. Type yes: ", end="", flush=True)
    if sys.stdin.readline().strip() != "yes":
        raise Refusal("--hardware", "yes was not typed", "Run the same command again to measure")


def figures(path: Path) -> Values:
    """Return the figures of a run from its file. Raises Refusal if it has none."""
    try:
        rounds = json.loads(path.read_text())["rounds"]
        return {str(name): [float(one) for one in values] for name, values in rounds.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refusal(
            path,
            f"it has no figures of bench --hardware ({error})",
            "Name the file that a run with --output has written",
        ) from error


def table(found: Values, others: Values) -> str:
    """Return a line for each measure: its median, least and most; and those of `others`, with the
    ratio of the medians, and the least and most that rounds of both can have."""
    lines = []
    for one in MEASURES:
        values, before = found.get(one.name), others.get(one.name)
        if not values:
            continue
        line = f"{one.name:38}{spread(values, 1):>36}"
        if before and min(before) > 0:
            ratio = median(values) / median(before)
            least, most = min(values) / max(before), max(values) / min(before)
            line += f"{spread(before, 1):>36}{ratio:8.2f} ({least:.2f}-{most:.2f})"
        lines.append(f"{line}  {one.unit}{'' if one.more else ', less is better'}")
    passed, sent = found.get(PASSED.name), found.get(SENT.name)
    if passed and sent and median(passed) > LIMIT * median(sent):
        lines.append("The box passed all that this machine can send: it may be faster than that.")
    return "\n".join(lines)


@contextmanager
def _wires(world: World, setup: Setup, virtual: bool) -> Iterator[dict[str, Port]]:
    """The ends of the wires: to a stand-in, or this machine's cards as long as the block lasts."""
    if virtual:
        yield stand_in(world, setup)
        return
    with ExitStack() as cards:
        yield {
            name: cards.enter_context(borrowed(world.party(name, silent=True), link.device))
            for name, link in (("lan", setup.lan), ("transit", setup.transit))
            if link is not None
        }


def _samples(generator: Generator, setup: Setup) -> Iterator[tuple[Measure, float]]:
    progress = Progress()
    parts: list[tuple[str, object, Callable[[], dict[Measure, float]]]] = [
        ("packets", setup.sends_packets, generator.packets),
        ("questions", setup.resolver, generator.questions),
        ("routes", setup.bgp, generator.routes),
    ]
    for name, wanted, look in parts:
        for turn in range(ROUNDS if wanted else 0):
            with progress.stage(f"{name}, {turn + 1} of {ROUNDS}"):
                seen = look()
            yield from seen.items()
