"""Everything that reads bytes or text of unknown origin: what calls it, what a good input is, and
with which exceptions it refuses a bad one.

A target is named after its function. `EXEMPT` has the functions that look as if they were one.
"""

import base64
import gzip
import io
import json
import os
import struct
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from typing import IO, Any

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.x509.oid import NameOID

from firstboot.box import clock, consensus, last_hour, resolver, restarts, top
from firstboot.box.alarms import record as alarms
from firstboot.box.backup import archive as backup
from firstboot.box.journal import entry as journal_entry
from firstboot.box.journal import head as journal_head
from firstboot.box.journal import noted as journal_noted
from firstboot.box.systems import freebsd as bsd
from firstboot.box.systems import rehearsal as linux_box
from firstboot.box.systems.freebsd import counted, nics
from firstboot.box.systems.freebsd import preflight as freebsd
from firstboot.box.systems.rehearsal import preflight as rehearsal
from firstboot.core import bounded_json, characters, document, limits, tar, upgrade_file
from firstboot.core.characters import NotText
from firstboot.core.document import Faulty
from firstboot.core.limits import SET, UNPACKED_CATALOGUE, Json
from firstboot.core.refusal import Refusal
from firstboot.core.release_info import Stamp
from firstboot.core.upgrade_file import Piece
from firstboot.core.values import Asn, Mac, Mode
from firstboot.site import check, commands, complaint_counts, profiles, signing_keys
from firstboot.site import services as declared
from firstboot.site.abuse import forms, xarf
from firstboot.site.community import Community
from firstboot.site.exit_policy import Destination, ExitRule
from firstboot.site.paper.signing import ring as zone_keys
from firstboot.site.peering import known
from firstboot.site.profiles import PciId
from firstboot.site.published import bgpq4, euro_ix, peeringdb, rdap, rpki, rpsl
from firstboot.site.published import dns as published_dns
from firstboot.site.published import files as published_files
from firstboot.site.rules.ssh_key import SshKey
from firstboot.site.verify.bgpd import parser as bgpd
from firstboot.site.verify.pf import parser as pf
from firstboot.wizard import paste
from image import (
    archive,
    audit,
    decompress,
    diff,
    file_manifest,
    gpt,
    lock,
    release_stamp,
    ssh_signature,
)
from image.accounts import Accounts
from image.archive import Form, Found
from image.base import abi_tag, build_identity, certificates, manifest, mirror
from image.base.build_identity import OF_KERNEL
from image.download.url import Folder, Url
from image.freeze import elf
from image.kernel import modules, sysctl
from image.kernel.elf import Object
from image.lock import Natural, PackageName, PackagePath, PackageVersion, Schema, Sha256
from image.overlay import Mib
from image.packages import catalogue, eddsa, meta, reviewed, signed, ucl, version, vuxml
from image.packages import manifest as package_manifest
from image.packages.checksum import Checksum
from image.packages.location import RepositoryUrl
from image.packages.reviewed import Id, Sample, Words
from image.packages.scripts import lua, shell
from image.packages.scripts.effects import NotUnderstood
from image.rehearsal import apt, deb
from image.rehearsal import modules as linux
from image.release import checksums, verify
from image.release.sign import read_upgrade
from image.release.signature import read_key
from image.seen import Reason
from image.seen import Time as Moment
from image.ssh_signature import Principal, PublicKey
from tests import sets
from tests.command import ROOT
from tests.firstboot.box.test_consensus import CONSENSUS, IDENTITY
from tests.firstboot.site import keys
from tests.firstboot.site.abuse import complaints
from tests.image.base.test_certificates import certificate, der
from tests.image.kernel import objects
from tests.image.kernel.objects import Plan
from tests.image.packages.repository import PACKINGS, Item, Made, Signer
from tests.image.packages.repository import signed as sign
from tests.image.packages.scripts import framework
from tests.image.packages.scripts.framework import Time

WHERE = "here"

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl a@b"


@dataclass(frozen=True, slots=True)
class Target:
    """`read` is given an input, `seeds` are good ones, and `refuses` is how it says no."""

    read: Callable[[bytes], object]
    seeds: Callable[[], list[bytes]]
    refuses: tuple[type[Exception], ...] = (Refusal,)


def text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    """A reader of text, as programs' output is decoded."""
    return lambda data: read(data.decode("utf-8", "replace"))


def file(read: Callable[[Path], object]) -> Callable[[bytes], object]:
    """A reader of a file, which is in memory."""

    def read_it(data: bytes) -> object:
        descriptor = os.memfd_create("input")
        try:
            with os.fdopen(os.dup(descriptor), "wb") as into:
                into.write(data)
            return read(Path(f"/proc/self/fd/{descriptor}"))
        finally:
            os.close(descriptor)

    return read_it


def all_of(read: Callable[[str], Iterator[Any]]) -> Callable[[bytes], object]:
    return text(lambda said: list(read(said)))


def these(*seeds: str | bytes) -> Callable[[], list[bytes]]:
    return lambda: [seed if isinstance(seed, bytes) else seed.encode() for seed in seeds]


def files(*patterns: str) -> Callable[[], list[bytes]]:
    return lambda: [path.read_bytes() for one in patterns for path in sorted(ROOT.glob(one))]


TOR = Made(
    "tor",
    "0.4.9_1,2",
    items={"/usr/local/bin/tor": Item(b"tor", 0o555), "/usr/local/etc/tor": Item(directory=True)},
    deps={"libevent": "2.1"},
    facts={"annotations": {"build_timestamp": "2026-09-20T10:00:00+0000"}},
    full={"scripts": {"post-install": "ldconfig%20-m\n"}, "messages": [{"message": "hello"}]},
)


@cache
def catalogue_lines() -> bytes:
    return b"".join(json.dumps(one.listed()).encode() + b"\n" for one in (TOR, Made("nyx")))


def packagesite() -> list[bytes]:
    return [
        sign("packagesite.yaml", catalogue_lines(), [RSA, ECC], packing)
        for packing in ("plain", "zstd")
    ]


@dataclass(frozen=True, slots=True)
class Given:
    """An archive in memory."""

    data: bytes
    path: Path = Path(WHERE)

    def open(self) -> IO[bytes]:
        return io.BytesIO(self.data)


class Nowhere:
    """Keeps no content."""

    def append(self, source: tar.Content, size: int) -> int:
        tar.whole(source)
        return 0


def read_package(data: bytes) -> object:
    return archive.read(Given(data), lambda name: False, Nowhere(), form=Form.PACKAGE)


def members(data: bytes) -> object:
    return [(header, tar.whole(content)) for header, content in tar.members(io.BytesIO(data), SET)]


def chunks(data: bytes) -> object:
    how = decompress.packing(data[: decompress.LONGEST_MAGIC])
    return [len(one) for one in decompress.chunks(io.BytesIO(data), how, UNPACKED_CATALOGUE)]


def module(data: bytes) -> object:
    return modules.read(Object(WHERE, data))


def system(data: bytes) -> object:
    return build_identity.of_kernel({OF_KERNEL[0]: Found(data, 1)}, WHERE)


def oids(data: bytes) -> object:
    return sysctl.read([Object(WHERE, data)])


def versions(data: bytes) -> object:
    one, _, other = data.decode("utf-8", "replace").partition(" ")
    return version.compare(one, other)


def compared(data: bytes) -> object:
    found = diff.contents(bounded_json.read(data, limits.IMAGE_MANIFEST))
    return list(diff.difference(found, NOTHING)), list(diff.difference(NOTHING, found))


NOTHING = diff.contents({"files": {}})

IMAGE_MANIFEST = json.dumps(
    {
        "release": Stamp("1.0", "FreeBSD 15.1", 1).facts,
        "time": 7,
        "base": {"build": 7, "sets": [{"name": "base.txz", "sha256": "ab" * 32}]},
        "packages": [{"name": "tor", "version": "0.4.9"}],
        "wizard": {"compiled_by": "3.11.2", "modules": [{"name": "jinja2", "version": "3.1"}]},
        "settings": {"/boot/loader.conf": {"autoboot_delay": "1"}},
        "files": {
            "/etc": {"kind": "directory", "mode": "0755"},
            "/etc/rc": {"kind": "file", "mode": "0644", "size": 3, "sha256": "cd" * 32},
            "/etc/x": {"kind": "symlink", "mode": "0777", "target": "rc", "attributes": {"a": "b"}},
        },
    }
)

BILL = json.dumps(
    {
        "components": [
            {
                "name": "tor",
                "version": "0.4.9",
                "properties": [{"name": "exitisp:part", "value": "package"}],
            }
        ]
    }
)


def disk() -> bytes:
    blocks = 200
    efi = gpt.Partition("efi", uuid.UUID(int=1), 40, 100)
    table = gpt.Table(blocks, uuid.UUID(int=3), (efi,))
    first, last = gpt.encode(table)
    return first + bytes(blocks * gpt.BLOCK - len(first) - len(last)) + last


PLAN = Plan({"net.inet.ip.ttl": 2}, ["text"], modules=["pf"], drivers=["pci/ix"], depends=["k"])

CERTIFICATE = der(certificate([(NameOID.COUNTRY_NAME, "DE"), (NameOID.COMMON_NAME, "Größe")]))

ECC = Signer.eddsa(bytes(31) + b"\1")
RSA = Signer(b"-----BEGIN PUBLIC KEY-----\n", lambda _: bytes(256))
"""The same keys at every run, and so the same inputs."""

UPGRADE = upgrade_file.Manifest(
    Stamp("1.0", "FreeBSD 15.1", 1),
    1 << 20,
    ((0, 1 << 20),),
    Piece(1 << 20, "ab" * 32),
    Piece(7, "cd" * 32),
    {"/etc/rc": "ef" * 32},
)

VUXML = (
    '<?xml version="1.0"?><vuxml xmlns="http://www.vuxml.org/apps/vuxml-1"><vuln vid="'
    '11111111-2222-3333-4444-555555555555"><topic>tor -- x</topic><affects><package><name>tor'
    "</name><range><lt>1</lt></range></package></affects></vuln></vuxml>"
)

SHELL_TIMES = (Time.SHELL, Time.ROOTDIR)
"""When scripts that copy a sample were for sh; since then they are in Lua."""


def shell_scripts() -> list[bytes]:
    accounts = (framework.users_and_groups([framework.TOR], time) for time in Time)
    samples = (framework.shell_sample("etc/tor/torrc.sample", time) for time in SHELL_TIMES)
    return [one.encode() for one in (*accounts, *samples, framework.ldconfig(Time.NOW))]


def lua_scripts() -> list[bytes]:
    later = (time for time in Time if time not in SHELL_TIMES)
    return [framework.lua_sample("etc/tor/torrc.sample", time).encode() for time in later]


WIRE = b"SSHSIG\0\0\0\1" + struct.pack(">I", 51) + base64.b64decode(KEY.split()[1]) + bytes(40)

ARMOURED = (
    b"-----BEGIN SSH SIGNATURE-----\n" + base64.encodebytes(WIRE) + b"-----END SSH SIGNATURE-----\n"
)

JSON = ('{"a": [1, -2.5e3, null, true, "\\u20ac\\ud83d\\ude00"], "b": {"c": {}}}', "[]", '"x"')

VALUES: Mapping[type[Any], tuple[str, ...]] = {
    Asn: ("64496", "AS64496"),
    Mac: ("02:00:00:00:00:01",),
    Mode: ("0644",),
    PciId: ("8086:15ab",),
    ExitRule: ("accept *:443", "reject 192.0.2.0/24:*", "accept [2001:db8::]/32:80-90"),
    Community: ("64500:666", "64500:666:0"),
    Destination: ("203.0.113.7", "192.0.2.0/24:25", "[2001:db8::]/32:80-90", "2001:db8::1"),
    SshKey: (KEY,),
    PublicKey: (KEY,),
    Principal: ("hbsd-os-build-01",),
    Url: ("https://example.org/a/base.txz",),
    Folder: ("https://example.org/a/",),
    RepositoryUrl: ("https://example.org/pkg/${ABI}/",),
    Natural: ("7",),
    Schema: ("1",),
    Sha256: ("ab" * 32,),
    PackageName: ("tor",),
    PackageVersion: ("0.4.9_1,2",),
    PackagePath: ("All/tor-0.4.9.pkg",),
    Checksum: ("1$" + "ab" * 32, "2$" + "y" * 103),
    Mib: ("256",),
    Id: ("256",),
    Words: ("Tor anonymising router",),
    Sample: ("usr/local/etc/tor/torrc.sample",),
    Reason: ("the new one does not boot",),
    Moment: ("2026-07-30T12:00:00Z",),
}
"""What makes a value of text, and good texts. Nothing but ValueError refuses."""


def of_values() -> dict[str, Target]:
    return {
        f"{kind.__module__}.{kind.__qualname__}.parse": Target(
            text(kind.parse), these(*seeds), (ValueError,)
        )
        for kind, seeds in VALUES.items()
    }


TARGETS: Mapping[str, Target] = {
    **of_values(),
    "image.accounts.Accounts.parse": Target(
        lambda data: Accounts.parse(data, sets.GROUP), these(sets.MASTER_PASSWD)
    ),
    "image.archive.read": Target(read_package, lambda: [PACKINGS["plain"](TOR.archive())]),
    "image.audit.read_sbom": Target(file(audit.read_sbom), these(BILL)),
    "image.base.build_identity.of_kernel": Target(
        system,
        lambda: [one.data for one in sets.KERNEL if one.path.endswith("/kernel") and one.data],
    ),
    "image.base.abi_tag.system_number": Target(
        lambda data: abi_tag.system_number(data, WHERE), these(sets.shell())
    ),
    "image.base.certificates.subject_hash": Target(
        certificates.subject_hash, these(CERTIFICATE), (ValueError,)
    ),
    "image.base.manifest.parse": Target(
        lambda data: manifest.parse(data, WHERE),
        these(f'base.txz\t{"0a" * 32}\t7\tbase\t"Base (MANDATORY)"\ton\n'),
    ),
    "image.base.mirror.list_builds": Target(
        text(lambda page: mirror.list_builds(page, Folder.parse("https://example.org/pub/"))),
        these('<a href="../">up</a><A class=x HREF="build-12/">build-12</A><a href=/pub/build-3>'),
    ),
    "image.decompress.chunks": Target(
        chunks, lambda: [PACKINGS[one](b"text" * 99) for one in ("xz", "zstd")], (ValueError,)
    ),
    "image.diff.contents": Target(compared, these(IMAGE_MANIFEST), (ValueError,)),
    "image.file_manifest.parse_settings": Target(
        text(file_manifest.parse_settings),
        files("overlays/base/files/boot/loader.conf", "overlays/*/files/etc/sysctl.conf"),
    ),
    "image.freeze.elf.read": Target(lambda data: elf.read(data, WHERE), these(sets.shell())),
    "image.freeze.elf.symbols": Target(
        lambda data: elf.symbols(data, WHERE), lambda: [objects.kernel(PLAN)]
    ),
    "image.gpt.read": Target(file(gpt.read), lambda: [disk()]),
    "image.gpt.told_size": Target(
        lambda data: gpt.told_size(data, WHERE), lambda: [disk()[: 2 * gpt.BLOCK]]
    ),
    "image.kernel.modules.read": Target(
        module, lambda: [objects.kernel(PLAN), objects.module(PLAN)]
    ),
    "image.kernel.sysctl.read": Target(oids, lambda: [objects.kernel(PLAN)]),
    "image.lock.load": Target(file(lock.load), files("image/hardenedbsd.lock.yaml")),
    "image.packages.catalogue.parse_packagesite": Target(
        lambda data: catalogue.parse_packagesite(data, WHERE), lambda: [catalogue_lines()]
    ),
    "image.packages.catalogue.parse_data": Target(
        lambda data: catalogue.parse_data(data, WHERE),
        lambda: [json.dumps({"groups": [], "packages": [TOR.listed()]}).encode()],
    ),
    "image.packages.eddsa.public_key": Target(eddsa.public_key, these(ECC.public), (ValueError,)),
    "image.packages.eddsa.signature": Target(
        eddsa.signature, these(encode_dss_signature(1 << 255, 1)), (ValueError,)
    ),
    "image.packages.manifest.parse_manifest": Target(
        lambda data: package_manifest.parse_manifest(data, WHERE),
        lambda: [json.dumps(TOR.manifest()).encode()],
    ),
    "image.packages.manifest.parse_object": Target(
        lambda data: package_manifest.parse_object(data, WHERE), these(JSON[0])
    ),
    "image.packages.meta.parse": Target(
        lambda data: meta.parse(data, WHERE),
        these('version = 2;\npacking_format = "tzst";\ndata_archive = "data";\n'),
    ),
    "image.packages.reviewed.load": Target(file(reviewed.load), files("overlays/packages.yaml")),
    "image.packages.scripts.shell.parse": Target(
        text(shell.parse), shell_scripts, (NotUnderstood,)
    ),
    "image.packages.scripts.shell.effects": Target(
        text(shell.effects), shell_scripts, (NotUnderstood,)
    ),
    "image.packages.scripts.lua.effects": Target(text(lua.effects), lua_scripts, (NotUnderstood,)),
    "image.packages.signed.read": Target(
        lambda data: signed.read(data, "packagesite.yaml", WHERE), packagesite
    ),
    "image.packages.ucl.parse": Target(
        lambda data: ucl.parse(data, WHERE),
        these('function: "sha256"\nfingerprint: "ab"\n', "a = 1;\n# c\nb = x; c { d = 1 }\n"),
    ),
    "image.packages.version.compare": Target(
        versions, these("1.0.2_1,2 1.0a_3", "1.0.pl3 1.0+", "2.b9 9.*")
    ),
    "image.packages.vuxml.parse": Target(
        lambda data: vuxml.parse(io.BytesIO(data), WHERE), these(VUXML)
    ),
    "image.rehearsal.apt.parse_plan": Target(
        text(apt.parse_plan), these(f"'http://x/y.deb' tor_0.4%3a1_amd64.deb 7 SHA256:{'a' * 64}\n")
    ),
    "image.rehearsal.deb.member": Target(
        lambda data: deb.member(data, "data.tar", WHERE),
        these(b"!<arch>\n" + b"data.tar.xz".ljust(48) + b"4".ljust(10) + b"`\n" + b"xxxx"),
    ),
    "image.rehearsal.modules.modinfo": Target(linux.modinfo, lambda: [objects.module(PLAN)]),
    "image.release.checksums.parse": Target(
        lambda data: checksums.parse(data, WHERE), these(f"{'0a' * 32}  exitisp.img\n")
    ),
    "image.release.sign.read_upgrade": Target(
        file(read_upgrade),
        lambda: [upgrade_file.begin(upgrade_file.render(UPGRADE), b"") + b"content"],
    ),
    "image.release.signature.read_key": Target(file(read_key), these(KEY)),
    "image.release.verify.made": Target(file(verify.made), these(IMAGE_MANIFEST)),
    "image.release_stamp.read_keys": Target(file(release_stamp.read_keys), these(f"{KEY}\n" * 2)),
    "image.ssh_signature.signed_by": Target(
        lambda data: ssh_signature.signed_by(data, WHERE), these(ARMOURED)
    ),
    "firstboot.box.backup.archive.unpack": Target(
        lambda data: backup.unpack(data, WHERE),
        lambda: [backup.pack([backup.Kept("site.yaml", 0o600, b"schema: 1\n")])],
    ),
    "firstboot.box.alarms.record.read": Target(
        file(alarms.read),
        these(
            '{"causes": {"relay 2": {"text": "a", "since": 1.5, "looks": 2, "told": null, '
            '"alarmed": false}}, "messages": [{"when": 3, "sentences": [{"cause": "relay 2", '
            '"text": "a", "wrong": true}], "channels": ["mail"], "tries": 1, "after": 4.0}], '
            '"failed": {"mail": "why"}, "addresses": {"a.example": ["192.0.2.1"]}, "lost": 0}'
        ),
    ),
    "firstboot.box.journal.entry.parse_entry": Target(
        journal_entry.parse_entry,
        these(
            '{"before":"%s","cause":"relay 2","kind":"began","number":17,"text":"DOWN",'
            '"time":1764536460,"values":{"a":1,"b":["c"]}}'.replace("%s", "0" * 64)
        ),
        (ValueError,),
    ),
    "firstboot.box.journal.head.parse_signed": Target(
        journal_head.parse_signed,
        these(
            '{"before": "%s", "digest": "%s", "first": 1, "last": 2}\nsignature'.replace(
                "%s", "0" * 64
            )
        ),
        (ValueError,),
    ),
    "firstboot.box.journal.noted.read": Target(
        file(journal_noted.read),
        these(
            '{"causes": {"relay 2": "DOWN"}, "configuration": "generation 1", "up": true, '
            '"offset": 1.5, "hour": 490133, "notes": 3, "leaks": 0, "stopped": {"a": 1}}'
        ),
    ),
    "firstboot.box.consensus.parse": Target(
        lambda data: consensus.parse(data, {1: IDENTITY}), these(CONSENSUS), (ValueError,)
    ),
    "firstboot.box.resolver.parse": Target(
        text(resolver.parse), these("num.answer.rcode.NOERROR=7\ntotal.requestlist.exceeded=1\n")
    ),
    "firstboot.box.last_hour.read": Target(
        file(lambda path: last_hour.read(path, 2)), these("[[61.0, 12, 3], [121.5, 13, 3]]")
    ),
    "firstboot.box.top.parse_counters": Target(
        text(top.parse_counters),
        these("ix0 1500 <Link#1> 00:0c:29:8e:f0:01 218 1 2 2445 114 3 1120 0\n"),
    ),
    "firstboot.box.systems.freebsd.parse_labels": Target(
        text(bsd.parse_labels), these("LEAK4 9 3 180 0 0 3 180 0\n")
    ),
    "firstboot.box.systems.freebsd.counted.parse_stopped": Target(
        text(lambda said: [*counted.parse_stopped(said)]),
        these(
            "block drop out quick on ix1 inet proto udp from ! <own:1> to <near-transit:2> "
            'label "LEAK4"\n  [ Evaluations: 9  Packets: 3  Bytes: 180  States: 0 ]\n'
        ),
    ),
    "firstboot.box.systems.rehearsal.parse_stopped": Target(
        text(lambda said: [*linux_box.parse_stopped(said)]),
        these("counter backscatter_1 { packets 3 bytes 180 }"),
    ),
    "firstboot.box.systems.rehearsal.parse_counters": Target(
        text(linux_box.parse_counters), these("counter leak4 { packets 3 bytes 180 }")
    ),
    "firstboot.box.clock.parse": Target(
        text(clock.parse),
        these("system peer: 192.0.2.1:123\nstratum: 3\noffset=-0.5\n"),
    ),
    "firstboot.box.restarts.read": Target(
        file(restarts.read),
        these('{"tor": {"count": 3, "times": [1.5, 2], "silent": 7}}'),
    ),
    "firstboot.box.systems.freebsd.nics.parse_ifconfig": Target(
        text(lambda said: nics.parse_ifconfig(said, {"ix0": "Intel"})),
        these(
            "ix0: flags=1008843<UP> metric 0 mtu 1500\n\tether 02:00:00:00:00:01\n"
            "\tmedia: Ethernet autoselect (10Gbase-T <full-duplex>)\n\tstatus: active\n"
        ),
    ),
    "firstboot.box.systems.freebsd.nics.parse_descriptions": Target(
        text(nics.parse_descriptions), these("dev.ix.0.%desc: Intel(R) X553\n")
    ),
    "firstboot.box.systems.freebsd.preflight.parse_jail": Target(
        text(freebsd.parse_jail), these("192.0.2.1,192.0.2.2 2001:db8::1\n")
    ),
    "firstboot.box.systems.freebsd.preflight.parse_jails": Target(
        text(freebsd.parse_jails), these("  900 svcj-local_unbound\n  1 -\n")
    ),
    "firstboot.box.systems.freebsd.preflight.parse_bundles": Target(
        text(freebsd.parse_bundles),
        these("lagg0: flags=8843<UP>\n\tlaggport: ix0 flags=1c<ACTIVE,COLLECTING,DISTRIBUTING>\n"),
    ),
    "firstboot.box.systems.freebsd.preflight.parse_interfaces": Target(
        text(freebsd.parse_interfaces),
        these(
            "ix0: flags=8843<UP>\n\tinet 192.0.2.1 netmask 0xffffff00\n"
            "\tinet6 fe80::1%ix0 prefixlen 64\n"
        ),
    ),
    "firstboot.box.systems.freebsd.preflight.parse_sockets": Target(
        all_of(freebsd.parse_sockets), these("root sshd 1 3 tcp4 192.0.2.1:22 *:*\n")
    ),
    "firstboot.box.systems.rehearsal.preflight.parse_addresses": Target(
        text(rehearsal.parse_addresses),
        these('[{"ifname": "eth0", "addr_info": [{"local": "192.0.2.1"}]}]'),
    ),
    "firstboot.box.systems.rehearsal.preflight.parse_bundles": Target(
        text(rehearsal.parse_bundles), these('[{"ifname": "eth0", "master": "lagg0"}]')
    ),
    "firstboot.box.systems.rehearsal.preflight.parse_sockets": Target(
        all_of(rehearsal.parse_sockets),
        these('tcp LISTEN 0 128 [::1]:22 [::]:* users:(("sshd",pid=1,fd=3))\n'),
    ),
    "firstboot.core.bounded_json.read": Target(
        lambda data: bounded_json.read(data, Json(1 << 20, 1000)), these(*JSON), (ValueError,)
    ),
    "firstboot.core.characters.decode": Target(
        characters.decode, these("a\n", "\ufeffäöü\n"), (NotText,)
    ),
    "firstboot.core.document.plain": Target(
        lambda data: document.plain(data, WHERE), files("examples/one-port-of-each.yaml"), (Faulty,)
    ),
    "firstboot.core.tar.members": Target(
        members, lambda: [sets.tar(sets.BASE[:4]), sets.tar(sets.BASE[20:30])], (ValueError,)
    ),
    "firstboot.core.upgrade_file.read_head": Target(
        upgrade_file.read_head, these("exitisp-upgrade 1 20 30\n")
    ),
    "firstboot.core.upgrade_file.parse": Target(
        upgrade_file.parse, lambda: [upgrade_file.render(UPGRADE)], (ValueError,)
    ),
    "firstboot.site.abuse.mail.read": Target(
        complaints.answered,
        lambda: [
            complaints.letter(complaints.FAIL2BAN).as_bytes(),
            complaints.letter(complaints.ACNS).as_bytes(),
            complaints.FEEDBACK.encode(),
            complaints.XARF_4.encode(),
        ],
    ),
    "firstboot.site.abuse.xarf.parse_json": Target(
        text(xarf.parse_json),
        these(complaints.XARF_4, complaints.XARF_3, complaints.XARF_3_NESTED),
    ),
    "firstboot.site.abuse.xarf.parse_lines": Target(
        text(xarf.parse_lines), these(complaints.XARF_LINES)
    ),
    "firstboot.site.abuse.forms.parse_acns": Target(text(forms.parse_acns), these(complaints.ACNS)),
    "firstboot.site.abuse.forms.parse_plain": Target(
        text(lambda said: forms.parse_plain(said, "", complaints.NOW)),
        these(complaints.SCAN, complaints.WEB, complaints.FAIL2BAN),
    ),
    "firstboot.site.complaint_counts.read": Target(
        file(lambda path: complaint_counts.read(path, {"login", "copyright"})),
        these('{"2026-11": {"login": 3, "copyright": 1}}'),
    ),
    "firstboot.site.check.examine_text": Target(
        lambda data: check.examine_text(data, WHERE), files("examples/one-port-of-each.yaml")
    ),
    "firstboot.site.check.schema_of": Target(check.schema_of, these("schema: 1\na: b\n")),
    "firstboot.site.commands.parse_box": Target(
        text(commands.parse_box), these("cores=16,memory=65536,unbound=1.24,openbgpd=8.9,tor=0.4.9")
    ),
    "firstboot.site.profiles.parse": Target(
        lambda data: profiles.parse(data, WHERE), files("overlays/performance/profiles/i*.yaml")
    ),
    "firstboot.site.profiles.parse_devices": Target(
        text(profiles.parse_devices),
        these("dev.ix.0.%driver: ix\ndev.ix.0.%pnpinfo: vendor=0x8086 device=0x15ab\n"),
    ),
    "firstboot.site.peering.known.parse": Target(
        lambda data: known.parse(data, WHERE), files("examples/peering/exchanges.csv")
    ),
    "firstboot.site.published.bgpq4.parse": Target(
        lambda data: bgpq4.parse(data, WHERE),
        these('{"AS-A": [{"prefix": "192.0.2.0/24", "exact": true}]}'),
    ),
    "firstboot.site.published.euro_ix.parse": Target(
        lambda data: euro_ix.parse(data, WHERE),
        these(
            '{"version": "1.0", "ixp_list": [{"ixp_id": 1, "shortname": "A", "country": "NL"}], '
            '"member_list": [{"asnum": 64500, "connection_list": [{"ixp_id": 1, "state": "active", '
            '"if_list": [{"if_speed": 1}], "vlan_list": [{"ipv4": {"address": "192.0.2.1", '
            '"max_prefix": 1, "as_macro": "AS-A", "routeserver": true}}]}]}]}'
        ),
    ),
    "firstboot.site.published.files.read_json": Target(
        lambda data: published_files.read_json(data, WHERE, Json(1 << 20, 1000)), these(*JSON)
    ),
    "firstboot.site.published.files.lines": Target(
        lambda data: list(published_files.lines(data, WHERE, 1 << 20, 100)),
        lambda: [b"a\nb\n", gzip.compress(b"a: b\n\nc: \xe4\n", mtime=0)],
    ),
    "firstboot.site.published.dns.parse": Target(
        lambda data: published_dns.parse(data, WHERE),
        these(
            "$TTL 60\n$ORIGIN 2.0.192.in-addr.arpa.\n@ SOA a. b. 1 2 3 4 5\n1 IN PTR a.example.\n",
            ";; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 7\n;; QUESTION SECTION:\n"
            ";x.example. IN DS\n\n;; ANSWER SECTION:\nx.example. 60 IN DS 1 15 2 "
            + "00" * 32
            + "\n",
        ),
    ),
    "firstboot.site.published.peeringdb.parse": Target(
        lambda data: peeringdb.parse(data, WHERE),
        these(
            '{"data": [{"id": 1, "asn": 64500, "info_prefixes4": 2, "netixlan_set": '
            '[{"ix_id": 1, "ipaddr4": "192.0.2.1"}]}]}',
            '{"ix": {"data": [{"id": 1, "name": "a"}]}, "net": {"data": []}, "netixlan": '
            '{"data": [{"ix_id": 1, "asn": 64500, "ipaddr6": "2001:db8::1", "speed": 1}]}}',
        ),
    ),
    "firstboot.site.published.rdap.parse": Target(
        lambda data: rdap.parse(data, WHERE),
        these(
            '{"objectClassName": "ip network", "startAddress": "192.0.2.0", "endAddress": '
            '"192.0.2.255", "entities": [{"roles": ["abuse"], "vcardArray": ["vcard", '
            '[["email", {}, "text", "a@b.example"]]]}]}',
            '{"objectClassName": "domain", "ldhName": "a.example", "nameservers": [{"ldhName": '
            '"ns.example"}], "secureDNS": {"dsData": [{"keyTag": 1, "algorithm": 15, '
            '"digestType": 2, "digest": "00"}]}}',
        ),
    ),
    "firstboot.site.published.rpki.parse": Target(
        lambda data: rpki.parse(data, WHERE, 64500, [ip_network("192.0.2.0/24")]),
        these(
            '{"roas": [{"asn": "AS64500", "prefix": "192.0.2.0/24", "maxLength": 24}], "aspas": '
            '[{"customer_asid": 64500, "providers": [64501]}]}'
        ),
    ),
    "firstboot.site.published.rpsl.parse": Target(
        lambda data: rpsl.parse(data, WHERE, lambda _: True),
        these(
            "route: 192.0.2.0/24 # a\norigin: AS64500\n\n% Abuse contact for 'AS1' is 'a@b.c'\n\n"
            "ADD 1\n\nas-set: AS-A\nmembers: AS1,\n+ AS2\n\nDEL 2\n\nas-set: AS-A\n"
        ),
    ),
    "firstboot.site.services.read": Target(file(declared.read), files("overlays/*/services.yaml")),
    "firstboot.site.paper.signing.ring.parse_ring": Target(
        zone_keys.parse_ring, lambda: [zone_keys.text_of(RING).encode()], (ValueError,)
    ),
    "firstboot.site.signing_keys.parse_carried": Target(
        signing_keys.parse_carried,
        lambda: [signing_keys.compose([keys.signing_keys(1), keys.signing_keys(2)])],
        (ValueError,),
    ),
    "firstboot.site.signing_keys.parse_certificate": Target(
        signing_keys.parse_certificate,
        lambda: [signing_keys.CERTIFICATE + keys.certificate(bytes(32), 9e8)],
        (ValueError,),
    ),
    "firstboot.site.verify.bgpd.parser.parse": Target(
        text(bgpd.parse), files("tests/golden/ipv6-heavy/**/bgpd.conf")
    ),
    "firstboot.site.verify.pf.parser.parse": Target(
        text(pf.parse), files("tests/golden/ipv6-heavy/**/pf.conf")
    ),
    "firstboot.wizard.paste.parse_line": Target(
        text(paste.parse_line),
        these("upstream-a AS64500 transit 192.0.2.1 2001:db8::1 md5=secret gtsm"),
        (ValueError,),
    ),
}

RING: zone_keys.Ring = zone_keys.Ring(
    7,
    zone_keys.Step.BOTH,
    9,
    {
        "a.example": (
            zone_keys.Pair("Ka.example.+013+00001", "Ka.example.+013+00002"),
            zone_keys.Pair("Ka.example.+013+00003", "Ka.example.+013+00004"),
        )
    },
)

EXEMPT = {
    "firstboot.box.backup.restore.read": "returns the bytes of a file",
    "firstboot.box.systems.rehearsal.nics.read": "reads what the kernel shows",
    "firstboot.site.paper.signing.ring.read": "parse_ring, with a file",
    "firstboot.core.document.load": "examine_text and profiles.parse call the rest of it",
    "firstboot.core.document.read": "returns the bytes of a file",
    "firstboot.core.release_info.read": "bounded_json.read and Stamp.parse, as upgrade_file.parse",
    "firstboot.site.model.load": "examine_text calls it with the text",
    "firstboot.site.profiles.load_all": "profiles.parse for each file",
    "firstboot.site.profiles.loader_conf": "writes",
    "firstboot.site.paper.drift.sources.read_folder": "its files go to the parsers of published",
    "firstboot.site.peering.command.rewritten": "examine_text has read its input",
    "firstboot.site.peering.known.load": "its parse, with a file",
    "firstboot.site.published.dns.load": "its parse, with a file",
    "firstboot.site.published.files.read_file": "returns the bytes of a file",
    "firstboot.site.published.peeringdb.load": "its parse, with a file",
    "firstboot.site.published.rdap.load": "its parse, with a file",
    "firstboot.site.published.rpki.load": "its parse, with a file",
    "firstboot.site.published.rpsl.load": "its parse, with a file",
    "firstboot.site.verify.folder.read_folder": "its files go to the parsers of pf and bgpd here",
    "image.diff.load": "image.diff.contents and bounded_json.read, with a file",
    "image.flash.command.list_disks": "reads what the kernel shows",
    "image.freeze.stored.compress": "writes",
    "image.overlay.load": "a folder with a document, as image.packages.reviewed.load reads one",
    "image.overlay.load_all": "image.overlay.load for each folder",
    "image.verified_file.read_regular": "returns the bytes of a file",
    "firstboot.box.backup.encryption.seal": "its input is this program's own",
    "firstboot.box.backup.encryption.unseal": "derives a key each time; its own tests alter bits",
    "firstboot.core.document.parse": "examine_text and profiles.parse call it, with their shapes",
    "firstboot.core.upgrade_file.begin": "writes",
    "firstboot.core.yaml_mistakes.read": "examine_text calls it",
    "image.archive.parse_flags": "image.archive.read calls it",
    "image.base.userland.release": "one search",
    "image.decompress.packing": "image.decompress.chunks is called with it",
    "image.fat.displayed": "11 bytes of a name that the writer made",
    "image.fat.short_entry": "writes",
    "image.freeze.elf.branded": "sets a byte",
    "image.freeze.source.c_files": "its input has a pinned hash",
    "image.packages.trust.verify": "does not read `data`; the signatures come from signed.read",
    "image.rehearsal.grub.placed_core": "writes into what this machine's GRUB made",
    "image.rehearsal.grub.placed_first": "writes into what this machine's GRUB made",
    "image.tree.Content.of": "keeps the bytes",
}
"""Functions that take bytes, or read text, and are no targets, with the reason."""
