"""Networks whose presence at an exchange counts more than that of others.

What leaves by a direct session passes no other network, so nobody else sees it or delays it. For a
Tor exit that matters most for the resolver's questions to the root servers, then for the networks
that most traffic goes to.
"""

from collections.abc import Mapping

ROOTS: Mapping[int, str] = {
    26415: "AJ",
    19836: "A",
    394353: "B",
    2149: "C",
    10886: "D",
    21556: "E",
    3557: "F",
    5927: "G",
    1508: "H",
    29216: "I",
    8674: "I",
    25152: "K",
    20144: "L",
    7500: "M",
    42: "DE",
}
"""The letters of the DNS root servers that an AS answers for, as it was public when this was
written; AS42 (Packet Clearing House) has instances of D and E. Operators change them: look at
root-servers.org, and add others with `--network`."""

LETTERS = 13

NAMED: Mapping[int, str] = {
    20940: "Akamai",
    13335: "Cloudflare",
    32934: "Facebook",
    15169: "Google",
}
"""Those that most exit traffic goes to."""
