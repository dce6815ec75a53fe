"""What people do wrong in a site file, and the words that each message must have.

Each mistake changes the example with one port of each kind. `line` is a part of the line that has
to be named. The messages are held against the words, not against whole sentences.
"""

# ruff: noqa: E501
from dataclasses import dataclass

from tests.firstboot.site.sites import ONE

TEXT = ONE.read_text().split("waivers:")[0] + "waivers:\n  documentation: An example.\n"


@dataclass(frozen=True)
class Mistake:
    name: str
    old: str
    new: str
    line: str
    words: tuple[str, ...]

    @property
    def data(self) -> bytes:
        assert TEXT.count(self.old) == 1, f"{self.old!r} is there {TEXT.count(self.old)} times"
        return TEXT.replace(self.old, self.new).encode()

    @property
    def number(self) -> int:
        lines = self.data.decode().split("\n")
        return next(at for at, line in enumerate(lines, 1) if self.line in line)


def mistake(name: str, old: str, new: str, line: str, *words: str) -> Mistake:
    return Mistake(name, old, new, line, words)


ABUSE = "  abuse: abuse@example.org  "
LAN = "[198.51.100.129/26, 2001:db8:ee:10::1/64]"
PREFIXES = "  - 198.51.100.0/24\n  - 2001:db8:ee::/48\n"

MISTAKES = [
    # What networks have, in their own words
    mistake("a customer", "    role: peer", "    role: customer", "role: customer", "buy transit", "own scopes"),
    mistake("iBGP", "    role: peer", "    role: ibgp", "role: ibgp", "other box of two", "twin"),
    mistake("a private interconnection", "    role: exchange", "    role: pni", "role: pni", "Write transit for a private"),
    mistake("BFD", "    irr: AS-NEIGHBOUR", "    bfd: yes", "bfd", "does not speak BFD"),
    mistake("an address of the session", "    irr: AS-NEIGHBOUR", "    local_address: 192.0.2.2", "local_address", "address of its port", "gateway"),
    mistake("two tags", "    device: ix0", "    device: ix0\n    vlan: 100.200", "vlan:", "QinQ", "one tag"),
    mistake("two tags as a list", "    device: ix0", "    device: ix0\n    vlan: [100, 200]", "vlan:", "QinQ"),
    mistake("a relay without exit", "  count: 4", "  count: 4\n  policy: none", "policy:", "Write own"),
    mistake("a password", "    irr: AS-NEIGHBOUR", "    password: xyz", "password", "Write md5"),
    mistake("an interface", "    device: ix0", "    interface: ix0", "interface", "Write device"),
    # Numbers and lists
    mistake("an AS number of a spreadsheet", "asn: 64511", "asn: 64511.0", "64511.0", "Write 64511, or 4227792896"),
    mistake("a unit of another size", "  count: 4", "  count: 4\n  bandwidth_mbit: 1Gbit", "1Gbit", "unit behind the number"),
    mistake("a comma in a number", "  count: 4", "  count: 4\n  bandwidth_mbit: 12,5", "12,5", "fraction"),
    mistake("no comma in a list", "[192.0.2.2/30, 2001:db8:100::2/64]", "[192.0.2.2/30 2001:db8:100::2/64]", "2/30 2001", "more than one value"),
    mistake("IPv4 in IPv6", "[192.0.2.1, 2001:db8:100::1]", "['::ffff:192.0.2.1', 2001:db8:100::1]", "ffff", "Write 192.0.2.1"),
    mistake("a tab before a comment", "asn: 64511", "asn: 64511\t# ours", "# ours", "tab", "space"),
    mistake("a tab before a comment in a line of its own", "asn: 64511", "\t# ours\nasn: 64511", "# ours", "tab"),
    mistake("a conflict of git", "asn: 64511", "<<<<<<< HEAD\nasn: 64511\n>>>>>>> other", "<<<", "conflict", "git"),
    # Tabs and indentation
    mistake("a tab indents a key", "  name: Example Exit", "\tname: Example Exit", "\tname", "tab", "spaces"),
    mistake("a tab indents a later key", "  contact: noc", "\tcontact: noc", "\tcontact", "tab", "spaces"),
    mistake("spaces and a tab", "    device: ix1", "  \tdevice: ix1", "\tdevice", "tab"),
    mistake("tabs indent a whole record", "  - name: lan  ", "\t- name: lan  ", "\t- name", "tab"),
    mistake("a tab behind the colon", "asn: 64511", "asn:\t64511x", "64511x", "tab"),
    mistake("one space too many", "  contact: noc", "   contact: noc", "   contact", "indented", "2 spaces"),
    mistake("one space too few", "  contact: noc", " contact: noc", " contact", "indented", "2 spaces"),
    mistake("an indented key after a value", "asn: 64511", "  asn: 64511", "  asn: 64511", "'asn'", "top level", "indentation"),
    mistake("a record key out of line", "    role: lan", "   role: lan", "role: lan", "indented by 3", "4"),
    mistake("a list item out of line", "  - 2001:db8:ee::/48", " - 2001:db8:ee::/48", "- 2001:db8:ee", "indented"),
    mistake("keys that lost their indentation", "  count: 4\n  nickname", "count: 4\nnickname", "count: 4", "'count' and 'nickname'", "relays"),
    # Spaces, colons and hyphens
    mistake("no space after a colon", "asn: 64511", "asn:64511", "asn:64511", "space after the colon", "asn: 64511"),
    mistake("no space after a colon, indented", "  name: Example", "  name:Example", "name:Example", "space after the colon"),
    mistake("a space before the colon alone", "asn: 64511", "asn :64511", "asn :", "colon"),
    mistake("no space after a hyphen", "  - 198.51.100.0/24", "  -198.51.100.0/24", "-198", "space after the hyphen"),
    mistake("no space after the hyphens of a list", PREFIXES, "  -198.51.100.0/24\n  -2001:db8:ee::/48\n", "-198", "space after the hyphen"),
    mistake("no space after the hyphen of a record", "  - name: lan", "  -name: lan", "-name: lan", "space after the hyphen"),
    mistake("no colon after a key", "asn: 64511", "asn 64511", "asn 64511", "no colon after 'asn'"),
    mistake("no colon after a heading", "operator:", "operator", "operator", "no colon after 'operator'"),
    mistake("an equals sign", "asn: 64511", "asn = 64511", "asn =", "equals sign", "asn: 64511"),
    mistake("a wide colon", "asn: 64511", "asn\uff1a64511", "asn\uff1a", "U+FF1A", "colon"),
    mistake("no hyphens in a list of records", "  - name: lan  ", "    name: lan  ", "name: lan ", "twice", "hyphen"),
    mistake("an en dash as a hyphen", "  - name: lan", "  \u2013 name: lan", "\u2013 name", "U+2013", "hyphen"),
    # Colons in values
    mistake("a prefix that ends with colons", LAN, "[198.51.100.129/26, 2001:db8:ee::]", "2001:db8:ee::]", "colon", '"2001:db8:ee::"'),
    mistake("an address that ends with colons", "[192.0.2.1, 2001:db8:100::1]", "[192.0.2.1, 2001:db8:100::]", "100::]", "colon", "quotes"),
    mistake("an item that ends with colons", "  - 2001:db8:ee::/48", "  - 2001:db8:ee::", "- 2001:db8:ee::", "colon", '"2001:db8:ee::"'),
    mistake("a value with a colon", "Washington, United States", "State: Washington", "State: W", "colon", "quotes"),
    mistake("a network without its length", 'networks: [192.0.2.192/27, "2001:db8:f0::/48"]', "networks: [2001:db8:f0::]", "networks: [", "colon", "quotes"),
    mistake("a name in braces", "nickname: ExampleExit{n}", "nickname: {n}", "{n}", "braces", '"{n}"'),
    mistake("a text after braces", "nickname: ExampleExit{n}", "nickname: {n}Exit", "{n}E", "quotes"),
    # Quotes and special characters
    mistake("an unclosed double quote", "name: Example Exit Foundation", 'name: "Example Exit Foundation', '"Example', "not closed"),
    mistake("an unclosed single quote", "name: Example Exit Foundation", "name: 'Example Exit Foundation", "'Example", "not closed"),
    mistake("an unclosed quote before others", "  - 2001:db8:ee::/48", '  - "2001:db8:ee::/48', '"2001:db8:ee::/48', "not closed"),
    mistake("text after a quote", "name: Example Exit Foundation", 'name: "Example" Exit', '"Example"', "after the closing quotation mark"),
    mistake("a backslash in quotes", "name: Example Exit Foundation", 'name: "Example\\Dxit"', "Dxit", "backslash"),
    mistake("quotes of typography", "name: Example Exit Foundation", "name: \u201cExample Exit\u201d", "\u201cExample", "U+201C", "quotation mark"),
    mistake("quotes of typography on a number", "asn: 64511", "asn: \u201864511\u2019", "asn", "U+2018", '"64511"'),
    mistake("an at sign", "name: Example Exit Foundation", "name: @example", "@example\n".strip(), "@", "quotes"),
    mistake("a backtick", "device: ix2", "device: `ix2`", "`ix2`", "`", "quotes"),
    mistake("a percent sign", "name: Example Exit Foundation", "name: %example", "%example", "%", "quotes"),
    mistake("an unclosed bracket", LAN, "[198.51.100.129/26, 2001:db8:ee:10::1/64", "ee:10::1/64", "[", "not closed"),
    mistake("no comma", LAN, '["198.51.100.129/26" "2001:db8:ee:10::1/64"]', "ee:10::1", "comma"),
    mistake("a list beside its key", "scopes:\n  - 198.51.100.0/24", "scopes: - 198.51.100.0/24", "scopes: -", "line of its own"),
    # Anchors, aliases, tags, documents
    mistake("an anchor", "asn: 64511", "asn: &own 64511", "&own", "anchor"),
    mistake("an alias", "asn: 64511", "asn: *own", "*own", "alias"),
    mistake("a star", "    - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGgIx", "    - *\n    - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGgIx", "- *", "*", "quotes"),
    mistake("a tag", "asn: 64511", "asn: !!int 64511", "!!int", "tag"),
    mistake("a tag of one's own", "asn: 64511", "asn: !own 64511", "!own", "tag"),
    mistake("a merge key", "asn: 64511", "asn: 64511\n<<: {}", "<<", "unknown", "'<<'"),
    mistake("two documents", "asn: 64511", "asn: 64511\n---", "---", "second YAML document"),
    # Characters
    mistake("an override of direction", "Example Exit", "Example \u202eExit", "\u202e", "U+202E", "right-to-left"),
    mistake("an isolate", "Example Exit", "Example \u2066Exit", "\u2066", "U+2066", "nobody sees"),
    mistake("a zero width space", "device: ix2", "device: ix2\u200b", "\u200b", "U+200B", "nobody sees"),
    mistake("a soft hyphen", "Foundation", "Foun\xaddation", "\xad", "U+00AD"),
    mistake("a no-break space in a value", "Example Exit", "Example\xa0Exit", "\xa0", "U+00A0", "space"),
    mistake("no-break spaces that indent", "  name: Example Exit", "\xa0\xa0name: Example Exit", "\xa0", "U+00A0", "space"),
    mistake("an ideographic space", "asn: 64511", "asn:\u300064511", "\u3000", "U+3000"),
    mistake("a line separator", "Example Exit", "Example\u2028Exit", "\u2028", "U+2028"),
    mistake("a NUL", "Example Exit", "Example\0Exit", "\0", "NUL"),
    mistake("an escape sequence", "Example Exit", "Example\x1b[31mExit", "\x1b", "U+001B"),
    mistake("a byte order mark inside", "asn: 64511", "\ufeffasn: 64511", "\ufeff", "U+FEFF", "byte order mark"),
    # Keys
    mistake("a key twice", "asn: 64511", "asn: 64511\nasn: 64512", "64512", "'asn' is there twice", "first in line"),
    mistake("a misspelled key", ABUSE, "  abuze: abuse@example.org  ", "abuze", "'abuze'", "Write abuse"),
    mistake("a key in capitals", "asn: 64511", "ASN: 64511", "ASN", "'ASN'", "Write asn"),
    mistake("a key with a hyphen", "  count: 4", "  count: 4\n  bandwidth-mbit: 10", "bandwidth-mbit", "Write bandwidth_mbit"),
    mistake("a key in the plural", "    device: ix2", "    devices: ix2", "devices", "Write device"),
    mistake("a key with a Cyrillic letter", "asn: 64511", "\u0430sn: 64511", "\u0430sn", "U+0430", "Write asn"),
    mistake("a key on the wrong level", "asn: 64511", "asn: 64511\nnickname: Example{n}", "nickname: Example{n}", "'nickname'", "relays"),
    mistake("a key of another part", "  jurisdiction:", "  bandwidth_mbit: 10\n  jurisdiction:", "bandwidth_mbit", "operator", "relays"),
    mistake("a key of the top level below", "  count: 4", "  count: 4\n  scopes: []", "  scopes",  "'scopes'", "top level"),
    mistake("a key that nobody knows", "asn: 64511", "asn: 64511\nwibble: 1", "wibble", "'wibble' is unknown"),
    mistake("a missing key", ABUSE + "            # complaints; it is in WHOIS and on the exit notice\n", "", "name: Example", "'abuse' is missing"),
    mistake("two missing keys", "    device: ix2\n    role: lan\n", "", "- name: lan", "'device' and 'role' are missing"),
    # Kinds of values
    mistake("one value for a list", PREFIXES, "  198.51.100.0/24\n", "198.51.100.0/24", "list", "[198.51.100.0/24]"),
    mistake("several values for a list", LAN, "198.51.100.129/26, 2001:db8:ee:10::1/64", "ee:10::1", "list", "[198.51.100.129/26, 2001:db8:ee:10::1/64]"),
    mistake("a list for one value", "asn: 64511", "asn: [64511]", "[64511]", "list", "brackets", "64511"),
    mistake("an item for one value", "asn: 64511", "asn:\n  - 64511", "- 64511", "list", "64511"),
    mistake("a list for keys", "  count: 4\n  nickname", "  - count: 4\n  - nickname", "- count", "hyphen"),
    mistake("a value for keys", "relays:\n  count: 4\n  nickname: ExampleExit{n}\n", "relays: none\n", "relays: none", "keys", "count"),
    mistake("no keys", "  count: 4\n  nickname: ExampleExit{n}\n", "", "relays:", "count", "Write its keys below"),
    mistake("no value", "device: ix2", "device:  ", "device:  ", "no value"),
    mistake("a tilde", "device: ix2", "device: ~", "device: ~", "'~' means no value"),
    mistake("null", "device: ix2", "device: null", "device: null", "'null' means no value"),
    # What YAML 1.1 reads otherwise
    mistake("an octal number", "    role: lan", "    mtu: 01500\n    role: lan", "01500", "zero in front", "Write 1500"),
    mistake("a hexadecimal number", "    role: lan", "    vlan: 0x10\n    role: lan", "0x10", "Write 16"),
    mistake("minutes and seconds", "    role: lan", "    mtu: 1:30\n    role: lan", "1:30", "colon", "whole number"),
    mistake("an exponent", "    role: lan", "    mtu: 9e3\n    role: lan", "9e3", "Write 9000"),
    mistake("a fraction", "    role: lan", "    mtu: 1500.0\n    role: lan", "1500.0", "Write 1500"),
    mistake("separated thousands", "    role: lan", "    mtu: 1_500\n    role: lan", "1_500", "Write 1500"),
    mistake("a comma between thousands", "    role: lan", "    mtu: 1,500\n    role: lan", "1,500", "Write 1500"),
    mistake("a unit", "    role: lan", "    mtu: 1500 bytes\n    role: lan", "1500 bytes", "unit", "Write 1500"),
    mistake("a date", "  count: 4", "  count: 2026-11-29", "2026-11-29", "date"),
    mistake("yes for a number", "  count: 4", "  count: yes", "count: yes", "'yes' is not a whole number"),
    mistake("a digit for yes", "    role: route-server", "    gtsm: 1\n    role: route-server", "gtsm: 1", "yes or no", "Write yes"),
    mistake("another word for yes", "    role: route-server", "    gtsm: y\n    role: route-server", "gtsm: y", "Write yes"),
    mistake("a role in capitals", "role: lan", "role: LAN", "role: LAN", "Write lan"),
    mistake("a misspelled role", "role: exchange", "role: exhange", "exhange", "Write exchange"),
    mistake("a role that is none", "role: lan", "role: uplink", "uplink", "transit, exchange, lan, management or twin"),
    # Numbers and addresses
    mistake("an ASN with a dot", "asn: 64511", "asn: 1.10", "1.10", "65546"),
    mistake("an ASN in small letters", "asn: 64511", "asn: as64511", "as64511", "Write 64511"),
    mistake("an ASN of zero", "asn: 64511", "asn: 0", "asn: 0", "from 1 to 4294967295"),
    mistake("host bits", "198.51.100.0/24", "198.51.100.1/24", "198.51.100.1/24", "host bits", "198.51.100.0/24"),
    mistake("a prefix that is cut short", "198.51.100.0/24", "198.51.100/24", "198.51.100/24", "198.51.100.0/24"),
    mistake("a length above 32", "198.51.100.0/24", "198.51.100.0/42", "/42", "above 32"),
    mistake("a number above 255", "203.0.113.10/24", "203.0.113.256/24", "256", "above 255"),
    mistake("an address without its length", "198.51.100.129/26", "198.51.100.129", "198.51.100.129,", "no prefix length", "198.51.100.129/24"),
    mistake("an address with a length", "gateway: [192.0.2.193,", "gateway: [192.0.2.193/27,", "193/27", "prefix length", "Write 192.0.2.193"),
    mistake("an address with a port", "[203.0.113.20,", '["203.0.113.20:179",', ":179", "port number", "203.0.113.20"),
    mistake("an address with a zero in front", "[203.0.113.20,", "[203.0.113.020,", ".020", "zero in front", "203.0.113.20"),
    mistake("an address with a zone", "2001:db8:100::1]", '"fe80::1%ix0"]', "%ix0", "zone"),
    mistake("a name for an address", "[203.0.113.20,", "[router.example.net,", "router.ex", "name", "address"),
    mistake("an Ethernet address with hyphens", '"02:00:5e:10:00:0a"', "02-00-5e-10-00-0a", "02-00", "02:00:5e:10:00:0a"),
    mistake("an Ethernet address with dots", '"02:00:5e:10:00:0a"', "0200.5e10.000a", "0200.", "02:00:5e:10:00:0a"),
    mistake("a multicast Ethernet address", '"02:00:5e:10:00:0a"', '"01:00:5e:10:00:0a"', "01:00", "multicast"),
]  # fmt: skip
