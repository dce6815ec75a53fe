"""Programs and files that virtual machines, and the world around them, need of this host."""

from image.host import any_file, program
from qemu.firmware import OVMF

MACHINE = (
    program("qemu-system-x86_64", "qemu-system-x86"),
    any_file([str(one.code) for one in OVMF], "ovmf"),
)
"""What a virtual machine needs."""

WORLD = (
    program("bird", "bird2"),
    program("nsd", "nsd"),
    program("ldns-signzone", "ldnsutils"),
    program("tor", "tor"),
    program("chronyd", "chrony"),
    program("rsync", "rsync"),
    program("ip", "iproute2"),
    program("newuidmap", "uidmap"),
)
"""What the simulated Internet consists of."""

JUDGES = (
    program("sgdisk", "gdisk"),
    program("fsck.fat", "dosfstools"),
    program("ssh-keygen", "openssh-client"),
    program("openssl", "openssl"),
    program("sshd", "openssh-server"),
    program("unbound-checkconf", "unbound"),
    program("bgpd", "openbgpd"),
    program("bgpq4", "bgpq4"),
    program("rpki-client", "rpki-client"),
    program("nft", "nftables"),
    program("mcopy", "mtools"),
    program("bmaptool", "bmap-tools"),
    program("git", "git"),
    program("original-awk", "original-awk"),
)
"""What the tests judge by: programs that read what this project writes."""
