"""Site files with something wrong in them: what people, editors, sticks and enemies make.

Each is the example with a change, or nothing like it; what is said of it has to have the words
beside it.
"""

from dataclasses import dataclass

from tests.firstboot.box.box import EXAMPLE, altered


@dataclass(frozen=True)
class Wrong:
    name: str
    data: bytes
    says: str


def replaced(old: str, new: str, says: str) -> Wrong:
    return Wrong(f"{old} -> {new}"[:60], altered((old, new)), says)


WHOLE = EXAMPLE.read_bytes()
LINES = WHOLE.decode().splitlines(keepends=True)

FORMS = (
    Wrong("nothing", b"", "the file is empty"),
    Wrong("an empty line", b"\n", "the file is empty"),
    Wrong("a comment", b"# site\n", "the file is empty"),
    Wrong("a word", b"exitisp\n", "keys are expected"),
    Wrong("a list", b"- 1\n- 2\n", "keys are expected"),
    Wrong("zeros", bytes(4096), "NUL"),
    Wrong("all bytes", bytes(range(256)) * 4, "UTF-8"),
    Wrong("UTF-16, as Notepad once saved", WHOLE.decode().encode("utf-16"), "UTF-8"),
    Wrong("Latin-1", WHOLE.replace(b"Switzerland", b"Z\xfcrich"), "UTF-8"),
    Wrong("half of it", WHOLE[: len(WHOLE) // 3], "is not one of"),
    Wrong("nothing but brackets", b"[" * 5000, "nested deeper than"),
    Wrong("more than a person writes", b"# x\n" * 80_000, "larger than"),
    Wrong("a tab", WHOLE.replace(b"  name: Example", b"\tname: Example"), "tab"),
    Wrong("two documents", WHOLE + b"---\nschema: 1\n", "second YAML document"),
    Wrong("an alias", WHOLE.replace(b"asn: 65550", b"asn: &a 65550"), "anchor"),
    Wrong("a tag that makes things", b"!!python/object/apply:os.system ['reboot']\n", "YAML tag"),
    Wrong("HTML", b"<!DOCTYPE html><html><body>404</body></html>\n", "keys are expected"),
    Wrong("JSON of something else", b'{"version": 3, "services": {}}\n', "'version' is unknown"),
    Wrong("a gzip", b"\x1f\x8b\x08" + bytes(100), "not a text file"),
    Wrong("terminal sequences", b"\x1b[2J\x1b]0;x\x07: 1\n", "escape character"),
    Wrong("a wrong schema", altered(("schema: 2", "schema: 99")), "schema"),
    Wrong("no schema", altered(("schema: 2", "")), "schema"),
    Wrong("an unknown key", WHOLE + b"\nextra: 1\n", "the key 'extra' is unknown"),
    Wrong("the same key twice", WHOLE + b"\nasn: 64500\n", "is there twice"),
)

VALUES = (
    replaced("asn: 65550", "asn: AS", "asn"),
    replaced("asn: 65550", "asn: 0", "asn"),
    replaced("asn: 65550", "asn: 4294967296", "asn"),
    replaced("asn: 65550", "asn: -1", "asn"),
    replaced("asn: 65550", "asn: [65550]", "asn"),
    replaced("- 198.51.100.0/24", "- 198.51.100.1/24", "scopes"),
    replaced("- 198.51.100.0/24", "- 198.51.100.0/28", "scopes"),
    replaced("- 198.51.100.0/24", "- 10.0.0.0/24", "scopes"),
    replaced("- 198.51.100.0/24", "- 0.0.0.0/0", "scopes"),
    replaced("- 2001:db8:ee::/48", "- 2001:db8:ee::/64", "scopes"),
    replaced("device: ix0", "device: igb0", "ports"),
    replaced("device: ix0", "device: ''", "device"),
    replaced("device: ix0", "device: 'ix0; reboot'", "device"),
    replaced(
        "role: exchange", "role: exhange", "one of transit, exchange, lan, management or twin"
    ),
    replaced("vlan: 1203", "vlan: 5000", "5000 is not between 1 and 4094"),
    replaced("[192.0.2.2/30, 2001:db8:100::2/64]", "[]", "the port has no address"),
    replaced("192.0.2.2/30", "192.0.2.2", "prefix length"),
    replaced("192.0.2.2/30", "192.0.2.3/30", "ports[0].addresses[0]"),
    replaced("192.0.2.2/30", "198.51.100.9/30", "own scopes"),
    replaced('"02:00:5e:10:00:0b"', '"ff:ff:ff:ff:ff:ff"', "unicast Ethernet address"),
    replaced("gateway: [192.0.2.193]", "gateway: [192.0.2.100]", "gateway"),
    replaced("gateway: [192.0.2.193]", "gateway: [192.0.2.194]", "gateway"),
    replaced("asn: 64496", "asn: 65550", "peers[0].asn"),
    replaced("[192.0.2.1, 2001:db8:100::1]", "[192.0.2.2]", "peers[0]"),
    replaced("[192.0.2.1, 2001:db8:100::1]", "[8.8.8.8]", "peers[0]"),
    replaced("md5: EKpCMmMTM7gbv4W4jvLnhxnA", "md5: secret", "md5"),
    replaced("md5: EKpCMmMTM7gbv4W4jvLnhxnA", "md5: 'a\"b}\\n allow to any'", "md5"),
    replaced("name: content-network", "name: 'x\"'", "name"),
    replaced("name: content-network", "name: ''", "name"),
    replaced("max_prefix: 2000", "max_prefix: 0", "max_prefix"),
    replaced("max_prefix: 2000", "max_prefix: many", "whole number"),
    replaced("count: 16", "count: 0", "count"),
    replaced("count: 16", "count: 100000", "count"),
    replaced("nickname: OnionCoop{n}", "nickname: OnionCoop", "nickname"),
    replaced("nickname: OnionCoop{n}", "nickname: 'Onion Coop{n}'", "nickname"),
    replaced("policy: reduced", "policy: everything", "one of reduced, web, default or own"),
    replaced("policy: reduced", "policy: own", "rules"),
    replaced("bandwidth_mbit: 800", "bandwidth_mbit: 0", "bandwidth_mbit"),
    replaced("name: Example Onion Cooperative", 'name: "a\\nb"', "operator.name"),
    replaced("name: Example Onion Cooperative", "name: '$(reboot)'", "operator.name"),
    replaced("abuse: abuse@example.net", "abuse: nobody", "operator.abuse"),
    replaced("url: https://example.net/exit", "url: javascript:alert(1)", "operator.url"),
    replaced("documentation: An", "documentaton: An", "waivers"),
)

CORPUS = (*FORMS, *VALUES)
