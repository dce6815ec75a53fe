"""Kernels and modules are read as they are, and damaged ones are refused in a sentence."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstboot.core.refusal import Refusal
from image.kernel import modules, sysctl
from image.kernel.elf import Object
from tests.image.kernel import objects
from tests.image.kernel.objects import FOLDER, NUMBER, TUNED, Plan
from tests.image.kernel.trees import ICE, KERNEL, PF

LINKED = objects.kernel(KERNEL)
RELOCATABLE = objects.module(PF)


def test_names_are_put_together_across_objects() -> None:
    found = sysctl.read([Object("kernel", LINKED), Object("pf.ko", RELOCATABLE)])
    expected = {*KERNEL.sysctls, *PF.sysctls}
    parents = {name.rpartition(".")[0] for name in expected} | {"net", "net.inet", "hw.ix"}
    assert found.keys() == (expected | parents) - {""}
    assert found["net.pf.default_to_drop"].object.name == "pf.ko"


def test_a_module_without_the_one_that_it_needs_has_no_names() -> None:
    assert sysctl.read([Object("pf.ko", RELOCATABLE)]) == {}


def test_what_a_name_stands_for_is_told() -> None:
    found = sysctl.read([Object("kernel", LINKED)])
    assert found["net"].is_node
    assert found["hw.ix.flow_control"].tunable
    assert found["net.inet.ip.redirect"].writable
    assert not found["net.inet.ip.redirect"].tunable
    assert not found["net.inet.tcp.tcbhashsize"].writable
    assert not found["net.inet.icmp.reply_src"].is_number


@pytest.mark.parametrize("make", [objects.kernel, objects.module])
def test_code_that_names_a_node_is_seen(make: Callable[[Plan], bytes]) -> None:
    one = Object("one", make(Plan(sysctls={"a": FOLDER, "b": FOLDER}, used=["b"])))
    assert not one.uses(one.symbols("sysctl___a")["sysctl___a"])
    assert one.uses(one.symbols("sysctl__")["sysctl___b"])


@pytest.mark.parametrize("data", [objects.kernel(KERNEL), objects.module(ICE)])
def test_objects_say_what_they_are(data: bytes) -> None:
    facts = modules.read(Object("one", data))
    assert facts.modules in ({"aio"}, {"ice"})
    assert facts.drivers in ({"pci/ix", "pci/ixl"}, {"pci/ice"})


def test_the_devices_of_a_driver_are_known() -> None:
    facts = modules.read(Object("kernel", LINKED))
    assert facts.chips == {"ix": {(0x8086, 0x1563)}, "ixl": {(0x8086, 0x1572)}}


def test_a_text_is_a_whole_one() -> None:
    one = Object("one", objects.kernel(Plan(texts=["override_nrxds"])))
    assert one.has_text("override_nrxds")
    assert not one.has_text("nrxds")
    assert not one.has_text("override")
    assert not one.has_text("sysctl__children"), "names of symbols are not the kernel's texts"


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"MZ" * 400, LINKED[:200], LINKED[:-200]])
def test_what_is_no_object_is_refused(data: bytes) -> None:
    with pytest.raises(Refusal, match="kernel: not a whole kernel or module for amd64"):
        Object("kernel", data)


def test_sysctls_of_another_make_are_refused() -> None:
    data = objects.kernel(Plan(sysctls={"net.a": NUMBER, "net.b": TUNED}, texts=["x"]))
    with pytest.raises(
        Refusal, match="its sysctls are not declared as FreeBSD 14 and 15 declare them: a sysctl"
    ):
        sysctl.read([Object("kernel", data.replace(b"\0net\0", b"\0n.t\0"))])


@given(
    st.sampled_from([LINKED, RELOCATABLE]),
    st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_damage_ends_in_a_refusal_or_in_names(data: bytes, changes: list[tuple[int, int]]) -> None:
    damaged = bytearray(data)
    for at, value in changes:
        damaged[at % len(damaged)] = value
    try:
        one = Object("kernel", bytes(damaged))
        sysctl.read([one])
        modules.read(one)
    except Refusal:
        pass
