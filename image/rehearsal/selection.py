"""What the rehearsal takes from Debian: packages, and from them programs and kernel modules.

Debian's packages also have what an installed system needs, such as scripts that run at
installation. The rehearsal runs none of them. It takes the programs that it starts, the libraries
that these need, and kernel modules for the hardware that an image boots from and is connected to.
"""

PACKAGES = (
    "busybox-static",
    "chrony",
    "coreutils",
    "dash",
    "e2fsprogs",
    "grub-common",
    "grub-efi-amd64-bin",
    "grub-pc-bin",
    "iproute2",
    "ldnsutils",
    "linux-image-amd64",
    "nftables",
    "openbgpd",
    "openssh-server",
    "openssl",
    "procps",
    "rpki-client",
    "rsync",
    "tor",
    "unbound",
)

PROGRAMS = (
    "usr/bin/busybox",
    "usr/bin/dash",
    "usr/bin/drill",
    "usr/bin/install",
    "usr/bin/ip",
    "usr/bin/openssl",
    "usr/bin/pgrep",
    "usr/bin/pkill",
    "usr/bin/rsync",
    "usr/bin/ss",
    "usr/bin/ssh-keygen",
    "usr/bin/timeout",
    "usr/bin/tor",
    "usr/sbin/bgpctl",
    "usr/sbin/bgpd",
    "usr/sbin/chronyd",
    "usr/sbin/e2fsck",
    "usr/sbin/nft",
    "usr/sbin/rpki-client",
    "usr/sbin/sshd",
    "usr/sbin/unbound",
    "usr/sbin/unbound-checkconf",
    "usr/sbin/unbound-control",
)
"""Paths below /usr, which /bin, /sbin and /lib are links into since Debian 12."""

TOOLS = ("usr/bin/grub-mkimage", "usr/sbin/mke2fs")
"""Programs that run on the host while the image is made, with their own libraries."""

MODULES = (
    # Hardware that it boots from.
    *("ahci", "ata_piix", "nvme", "sd_mod", "virtio_blk", "virtio_pci", "virtio_scsi"),
    *("ehci_pci", "ohci_pci", "uhci_hcd", "xhci_pci", "uas", "usb_storage"),
    *("ext4", "vfat", "nls_ascii", "nls_cp437", "nls_iso8859_1", "nls_utf8"),
    # Network cards.
    *("e1000", "e1000e", "i40e", "ice", "igb", "igc", "ixgbe", "r8169", "tg3", "virtio_net"),
    # Algorithms that ext4 and nftables ask for by name.
    *("crc32c_generic", "crc32c_intel", "crct10dif_generic"),
    *("8021q", "bonding", "dummy", "nf_tables", "nft_objref", "tcp_diag", "udp_diag", "virtio_rng"),
    # Keyboards.
    *("hid_generic", "usbhid"),
)

DROPPED = (
    *("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "usr/share/perl"),
    *(
        "usr/lib/python3",
        "usr/lib/python3.11",
        "usr/share/zoneinfo",
        "usr/lib/x86_64-linux-gnu/perl",
    ),
)
"""Folders of packages that are not unpacked."""
