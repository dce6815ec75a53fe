"""The lint on real sets: this project's overlays name nothing that their kernel does not know."""

from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from firstboot.site.render import render
from image import build, overlay, root
from image.download.cache import cache_folder
from image.inputs.base_sets import obtain
from image.kernel.kernel import Certainty, Kernel, Known
from image.kernel.lint import check, lint, on_some_kernels
from image.kernel.mentions import in_overlay, in_text
from image.tree import Tree
from tests.base_sets import NONE, found
from tests.command import ROOT
from tests.firstboot.site.daemons.sites import BOX, EXAMPLES, example
from tests.image.kernel.trees import make

OVERLAYS = overlay.load_all(ROOT / "overlays")


@pytest.fixture(scope="module", params=found(), ids=str)
def real(request: pytest.FixtureRequest) -> Tree:
    if request.param is None:
        pytest.skip(NONE)
    sets = obtain(request.param, ROOT / "image" / "hardenedbsd.lock.yaml", cache_folder())
    base = build.unpack(sets, OVERLAYS, cache_folder().parent)
    return root.make_tree(base, OVERLAYS, 0)


@pytest.fixture(scope="module")
def kernel(real: Tree) -> Kernel:
    return Kernel(real, ["pf"])


def test_the_overlays_name_nothing_unknown(real: Tree) -> None:
    found = lint(real, OVERLAYS)
    assert len(found) > 50
    made = {one.mention.name for one in found if one.certainty is Certainty.MADE}
    assert all(name.startswith("dev.") for name in made), "the others are declared"


def test_a_variable_that_is_read_by_its_whole_name_is_not_said_to_be_made(kernel: Kernel) -> None:
    assert kernel.look_up("hw.vtblk.writecache_mode") == Known(Certainty.MADE)
    assert kernel.reads("hw.vtblk.writecache_mode") == Known(Certainty.READ)


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_is_rendered_names_nothing_unknown(real: Tree, name: str) -> None:
    loaded = [one for place in OVERLAYS for one in in_overlay(place.folder)]
    rendered = [
        one
        for file in render(example(name), BOX, ROOT / "overlays")
        for one in in_text(Path("/", file.path), file.text)
    ]
    assert len(rendered) > 20
    assert len(check(real, [*loaded, *rendered], on_some_kernels(OVERLAYS))) == len(loaded) + len(
        rendered
    )


@pytest.mark.parametrize(
    ("path", "line", "close"),
    [
        ("files/etc/sysctl.conf", "net.inet.ip.redirects=0", "net.inet.ip.redirect"),
        ("files/etc/sysctl.conf", "net.inet.ip.fastforwarding=1", None),
        ("files/etc/sysctl.conf", "net.inet.tcp.maxtcptw=1", None),
        ("files/boot/loader.conf.d/x.conf", 'hw.ix.rxd="2048"', None),
        ("files/boot/loader.conf.d/x.conf", 'hw.ix.flow_contol="0"', "hw.ix.flow_control"),
        ("files/boot/loader.conf.d/x.conf", 'fib_dxt_load="YES"', "fib_dxr"),
        ("files/etc/rc.d/x", "sysctl -n hw.ncpus", "hw.ncpu"),
        ("templates/x.j2", "sysctl dev.ixl.{{ n }}.fw_lldpp=0", None),
    ],
)
def test_a_planted_name_is_found(
    real: Tree, tmp_path: Path, path: str, line: str, close: str | None
) -> None:
    planted = make(tmp_path, {path: f"\n{line}\n"})
    with pytest.raises(Refusal) as caught:
        lint(real, [*OVERLAYS, planted])
    told = str(caught.value)
    assert told.startswith(f"{planted.folder / path}:2: ")
    if close:
        assert f"perhaps to '{close}'" in told


def test_thousands_of_names_are_declared(kernel: Kernel) -> None:
    assert len(kernel.sysctls) > 2000
    for name in ("kern.osreldate", "net.inet.ip.forwarding", "net.pf.states_hashsize", "hw.ncpu"):
        assert name in kernel.sysctls


def test_drivers_and_their_devices_are_known(kernel: Kernel) -> None:
    assert {"pci/ix", "pci/ixl", "pci/igb", "pci/em", "virtio_pci/vtnet"} <= kernel.drivers
    assert (0x8086, 0x1563) in kernel.facts.chips["ix"], "X550"
    assert (0x8086, 0x37CE) in kernel.facts.chips["ixl"], "X722"
