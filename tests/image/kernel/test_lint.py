"""What the overlays name is on the kernel that they go with, or the build stops and says where."""

import os
from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from image import overlay
from image.kernel.kernel import Certainty
from image.kernel.lint import Checked, lint
from image.tree import Tree, file
from tests.image.kernel.objects import FOLDER, NUMBER, TUNED, Plan
from tests.image.kernel.trees import CRYPTO, KERNEL, PF, make, tree

SYSCTL = "files/etc/sysctl.conf"
TEMPLATE = "templates/sysctl.conf.j2"
LOADER = "files/boot/loader.conf.d/one.conf"
SCRIPT = "files/etc/rc.d/one"


def checked(folder: Path, *, on: Tree | None = None, **files: str) -> list[Checked]:
    paths = {globals()[name]: text for name, text in files.items()}
    return lint(on or tree(), [make(folder, paths)])


def refused(folder: Path, *, on: Tree | None = None, **files: str) -> str:
    with pytest.raises(Refusal) as caught:
        checked(folder, on=on, **files)
    return str(caught.value).removeprefix(str(folder))


def test_names_that_the_kernel_declares_pass(tmp_path: Path) -> None:
    found = checked(tmp_path, SYSCTL="# why\n\nnet.inet.ip.redirect=0\nkern.coredump = 0 # x\n")
    assert [(one.mention.name, one.certainty) for one in found] == [
        ("net.inet.ip.redirect", Certainty.DECLARED),
        ("kern.coredump", Certainty.DECLARED),
    ]


def test_a_wrong_name_is_told_with_its_line_and_the_right_one(tmp_path: Path) -> None:
    told = refused(tmp_path, SYSCTL="# one\nkern.coredump=0\nnet.inet.ip.redirects=0\n")
    assert told.startswith("/one/files/etc/sysctl.conf:3: ")
    assert "'net.inet.ip.redirects'" in told
    assert "perhaps to 'net.inet.ip.redirect'" in told


@pytest.mark.parametrize(
    "name", ["net.inet.tcp.redirect", "kern.tso", "net.inet.ip.redirect.tso", "tso", "dev.ix.tso"]
)
def test_a_name_of_parts_that_exist_elsewhere_is_wrong(tmp_path: Path, name: str) -> None:
    assert f"'{name}'" in refused(tmp_path, SYSCTL=f"{name}=0\n")


@pytest.mark.parametrize(
    "name", ["dev.ix.0.iflib.override_nrxds", "dev.ixl.3.fw_lldp", "kern.geom.redirect"]
)
def test_names_made_at_run_time_are_known_less_well(tmp_path: Path, name: str) -> None:
    (one,) = checked(tmp_path, SYSCTL=f"{name}=0\n")
    assert one.certainty is Certainty.MADE


def test_a_driver_in_a_module_has_the_texts_of_that_module(tmp_path: Path) -> None:
    (one,) = checked(tmp_path / "a", SYSCTL="dev.ice.0.fw_lldp_agent=0\n")
    assert one.certainty is Certainty.MADE
    assert "dev.ice.0.fw_lldp_agents" in refused(
        tmp_path / "b", SYSCTL="dev.ice.0.fw_lldp_agents=0"
    )
    assert "dev.ix.0.fw_lldp_agent" in refused(tmp_path / "c", SYSCTL="dev.ix.0.fw_lldp_agent=0")
    assert "dev.mce.0.iflib" in refused(tmp_path / "d", SYSCTL="dev.mce.0.iflib=0")


def test_what_cannot_be_changed_at_run_time_does_not_belong_into_sysctl_conf(
    tmp_path: Path,
) -> None:
    told = refused(tmp_path / "a", SYSCTL="net.inet.tcp.tcbhashsize=1\n")
    assert "Set it in loader.conf.d" in told
    assert "a node" in refused(tmp_path / "b", SYSCTL="net.inet.tcp=1\n")
    assert "Remove it" in refused(tmp_path / "c", SYSCTL="hw.ncpu=1\n")


def test_what_the_loader_cannot_set_does_not_belong_into_loader_conf(tmp_path: Path) -> None:
    told = refused(tmp_path, LOADER='net.inet.ip.redirect="0"\n')
    assert "Set it in sysctl.conf" in told


def test_a_number_has_to_be_one(tmp_path: Path) -> None:
    assert "a number" in refused(tmp_path / "a", SYSCTL="kern.coredump=NO\n")
    assert "a number" in refused(tmp_path / "b", LOADER='hw.ix.flow_control="full"\n')
    assert len(checked(tmp_path / "c", SYSCTL="net.inet.icmp.reply_src=lo1\n")) == 1


def test_variables_of_the_loader_and_of_the_kernel_pass(tmp_path: Path) -> None:
    text = """\
# a comment: wrong.name="1"
autoboot_delay="3"
loader_logo="none"
comconsole_speed="115200"
boot_serial="YES"
hw.ixl.rx_itr="62"
hint.uart.0.at="isa"
net.inet.tcp.tcbhashsize="1"	# entries
dev.ix.0.iflib.override_nrxds="4096"
"""
    found = checked(tmp_path, LOADER=text)
    assert len(found) == 8
    assert {one.certainty for one in found} == set(Certainty)


@pytest.mark.parametrize("line", ['autoboot_dely="3"', 'hw.ix.rxd="1"', 'hw.ixl.rx="1"'])
def test_a_variable_that_nobody_reads_is_told(tmp_path: Path, line: str) -> None:
    assert refused(tmp_path, LOADER=f"\n{line}\n").startswith(
        "/one/files/boot/loader.conf.d/one.conf:2: "
    )


def test_modules_are_files_or_compiled_in(tmp_path: Path) -> None:
    assert len(checked(tmp_path / "a", LOADER='pf_load="YES"\naio_load="YES"\n')) == 2
    told = refused(tmp_path / "b", LOADER='pff_load="YES"\n')
    assert "did you mean 'pf'?" in told or "'pff'" in told
    assert checked(tmp_path / "c", LOADER='pff_load="NO"\n') == []


def test_files_for_the_loader_are_in_the_image(tmp_path: Path) -> None:
    on = tree()
    on["boot/ucode.bin"] = file(b"microcode")
    text = 'aio_load="YES"\naio_name="/boot/ucode.bin"\naio_type="x"\n'
    assert len(checked(tmp_path / "a", on=on, LOADER=text)) == 2
    assert "/boot/ucode.bin" in refused(tmp_path / "b", LOADER=text)


def test_settings_of_a_module_are_known_once_it_is_loaded(tmp_path: Path) -> None:
    line = 'net.pf.default_to_drop="1"\n'
    found = checked(tmp_path / "a", LOADER='pf_load="YES"\n' + line)
    assert found[1].certainty is Certainty.DECLARED
    told = refused(tmp_path / "b", LOADER=line)
    assert "only pf.ko has" in told
    assert "pf_load" in told


def test_modules_bring_those_that_they_need(tmp_path: Path) -> None:
    found = checked(tmp_path, LOADER='pf_load="YES"\nkern.crypto_workers="2"\n')
    assert found[1].certainty is Certainty.DECLARED


@pytest.mark.parametrize(
    ("module", "by"),
    [("pf", "it needs 'crypto'"), ("above", "'pf' needs 'crypto'")],
)
def test_a_module_whose_needs_are_missing_is_refused(tmp_path: Path, module: str, by: str) -> None:
    on = tree(pf=PF, above=Plan(modules=("above",), depends=("pf",)))
    told = refused(tmp_path, on=on, LOADER=f'\n{module}_load="YES"\n')
    assert f"one.conf:2: '{module}' cannot be loaded: {by}, which neither the kernel" in told


def test_what_a_module_needs_may_be_in_a_file_of_another_name(tmp_path: Path) -> None:
    on = tree(pf=PF, opencrypto=CRYPTO)
    assert len(checked(tmp_path, on=on, LOADER='pf_load="YES"\n')) == 1


def test_hardened_settings_are_told_where_the_kernel_has_none(tmp_path: Path) -> None:
    text = "hardening.pax.aslr.status=2\n"
    (one,) = checked(tmp_path / "a", SYSCTL=text)
    assert one.certainty is None
    sysctls = {**KERNEL.sysctls, "hardening.pax.aslr.status": NUMBER}
    on = tree(Plan(**{**vars(KERNEL), "sysctls": sysctls}))
    (one,) = checked(tmp_path / "b", on=on, SYSCTL=text)
    assert one.certainty is Certainty.DECLARED
    assert "hardening.pax.asrl.status" in refused(
        tmp_path / "c", on=on, SYSCTL="hardening.pax.asrl.status=2\n"
    )


SOMETIMES = (
    "description: a test\n"
    "on_some_kernels:\n  - {name: debug.witness.watch, with: debug.witness, reason: x}\n"
)


def test_a_name_on_some_kernels_is_checked_on_those(tmp_path: Path) -> None:
    def found(on: Tree, *paths: str) -> list[Checked]:
        lines = dict.fromkeys(paths, 'debug.witness.watch="0"\n')
        place = make(tmp_path / str(len(list(tmp_path.iterdir()))), lines)
        (place.folder / "overlay.yaml").write_text(SOMETIMES)
        return lint(on, [overlay.load(place.folder)])

    def kernel(**sysctls: int) -> Tree:
        named = {name.replace("_", "."): kind for name, kind in sysctls.items()}
        return tree(Plan(**{**vars(KERNEL), "sysctls": {**KERNEL.sysctls, **named}}))

    (one,) = found(tree(), LOADER)
    assert one.certainty is None
    (one,) = found(kernel(debug_witness=FOLDER, debug_witness_watch=TUNED), LOADER)
    assert one.certainty is Certainty.DECLARED
    with pytest.raises(Refusal, match=r"one\.conf:1: .*debug\.witness\.watch"):
        found(kernel(debug_witness=FOLDER), LOADER)
    with pytest.raises(Refusal, match=r"sysctl\.conf:1: not every kernel has.*loader\.conf\.d"):
        found(tree(), SYSCTL)


def test_templates_are_told_by_their_own_lines(tmp_path: Path) -> None:
    text = """\
{# dev.wrong.0.name=1
   and more #}
{% for port in
   site.ports %}
dev.ixl.{{ port.device[3:] }}.fw_lldp=0
dev.ixl.{{ port.number }}.fw_lldb=0
{% endfor %}
{{ setting.name }}={{ setting.value }}
"""
    told = refused(tmp_path / "a", TEMPLATE=text)
    assert told.startswith("/one/templates/sysctl.conf.j2:6: ")
    assert "'dev.ixl.*.fw_lldb'" in told
    right = text.replace("lldb", "lldp")
    assert len(checked(tmp_path / "b", TEMPLATE=right)) == 2


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("x=$(sysctl -n hw.ncpu)", ["hw.ncpu"]),
        ('if [ "$(/sbin/sysctl -qn hw.ncpu 2>/dev/null)" ]; then', ["hw.ncpu"]),
        ('sysctl kern.coredump=0 dev.ix.0.tso="$x" >/dev/null', ["kern.coredump", "dev.ix.0.tso"]),
        ("sysctl -f /etc/x.conf; kenv -q boot_serial", ["boot_serial"]),
        ("kldstat -q -n pf || kldload -n pf.ko", ["pf", "pf"]),
        ('kld_list="pf aio" # wrong', ["pf", "aio"]),
        ('required_modules="pf:pf"', ["pf"]),
        ("sysctl dev.ix.${unit}.iflib.override_nrxds", ["dev.ix.*.iflib.override_nrxds"]),
        ("for name in $names; do sysctl -n $name; done", []),
        ("# sysctl wrong.name", []),
        ("echo see sysctl(8) and kldload(8)", []),
        ("kenv exitisp.slot", ["exitisp.slot"]),
    ],
)  # fmt: skip
def test_commands_in_scripts_are_read(tmp_path: Path, line: str, names: list[str]) -> None:
    found = checked(tmp_path, SCRIPT=f"#!/bin/sh\n\n\t{line}\n")
    assert [one.mention.name for one in found] == names


@pytest.mark.parametrize(
    "line", ["sysctl -n hw.ncpus", "kldload pg", "kenv -q boot_seria", 'kld_list="pf pg"']
)
def test_wrong_names_in_scripts_are_told(tmp_path: Path, line: str) -> None:
    told = refused(tmp_path, SCRIPT=f"#!/bin/sh\n\n\t{line}\n")
    assert told.startswith("/one/files/etc/rc.d/one:3: ")


def test_lua_is_read(tmp_path: Path) -> None:
    place = make(
        tmp_path / "a", {"files/boot/lua/local.lua": 'loader.setenv("boot_serial", "1")\n'}
    )
    assert [one.mention.name for one in lint(tree(), [place])] == ["boot_serial"]
    place = make(tmp_path / "b", {"files/boot/lua/local.lua": 'x()\nloader.getenv("boot_wrong")\n'})
    with pytest.raises(Refusal, match=r"local\.lua:2: .*'boot_wrong'"):
        lint(tree(), [place])


def test_binary_files_are_none_of_it(tmp_path: Path) -> None:
    place = make(tmp_path, {})
    (place.folder / "files").mkdir()
    (place.folder / "files" / "blob").write_bytes(b"\0sysctl wrong.name")
    assert lint(tree(), [place]) == []


def test_a_wildcard_stands_for_one_part(tmp_path: Path) -> None:
    plan = Plan(sysctls={"net.inet.ip.ttl": NUMBER, "net.inet.ip.x.ttl": NUMBER, "dev": FOLDER})
    on = tree(plan)
    assert checked(tmp_path / "a", on=on, SCRIPT="sysctl net.inet.$x.ttl\n")[0].certainty
    assert "net.*.ttl" in refused(tmp_path / "b", on=on, SCRIPT="sysctl net.$x.ttl\n")


PROFILE = """\
description: a test
driver: %s
modules: [%s]
chips:
  - {id: "8086:1563", name: X550}
  - {id: "%s", name: X550 too}
settings:
  - {name: "%s", value: %s, by: %s, unit: u, reason: r, source: s}
"""
RIGHT = ("ix", "crypto", "8086:1563", "dev.ix.{unit}.iflib.override_nrxds", "4096", "loader")


def profiled(folder: Path, *parts: str) -> list[Checked]:
    return lint(tree(), [make(folder, {"profiles/ix.yaml": PROFILE % parts})])


def test_profiles_of_hardware_are_read(tmp_path: Path) -> None:
    found = profiled(tmp_path, *RIGHT)
    assert [one.mention.name for one in found] == [
        "ix", "8086:1563", "8086:1563", "crypto", "dev.ix.*.iflib.override_nrxds"
    ]  # fmt: skip
    assert found[-1].certainty is Certainty.MADE


@pytest.mark.parametrize(
    ("place", "wrong", "line"),
    [
        (0, "ixx", 2),
        (1, "cripto", 3),
        (2, "8086:1564", 6),
        (3, "dev.ix.{unit}.iflib.override_rxds", 8),
        (3, "dev.mce.{unit}.iflib", 8),
        (3, "kern.coredump", 8),
        (4, "many", 8),
    ],
)
def test_what_is_wrong_in_a_profile_is_told_with_its_line(
    tmp_path: Path, place: int, wrong: str, line: int
) -> None:
    parts = list(RIGHT)
    parts[place] = wrong
    if wrong == "many":
        parts[3] = "hw.ix.flow_control"
    with pytest.raises(Refusal) as caught:
        profiled(tmp_path, *parts)
    assert f"/profiles/ix.yaml:{line}: " in str(caught.value)


def test_files_too_large_for_a_text_are_none_of_it(tmp_path: Path) -> None:
    place = make(tmp_path, {"files/etc/large": "sysctl wrong.name\n"})
    os.truncate(place.folder / "files/etc/large", 1 << 40)
    assert lint(tree(), [place]) == []
