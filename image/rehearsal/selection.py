"""What the rehearsal takes of Debian: packages, and of them the programs and modules.

Debian's packages bring what an installed system needs, such as the scripts that run when they are
unpacked. The rehearsal runs none of those: it takes the programs that it starts, the libraries
that these are linked to, and the kernel's modules for what an image boots from and is wired to.
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
    "procps",
    "tor",
    "unbound",
)

PROGRAMS = (
    "usr/bin/busybox",
    "usr/bin/dash",
    "usr/bin/drill",
    "usr/bin/install",
    "usr/bin/ip",
    "usr/bin/pgrep",
    "usr/bin/pkill",
    "usr/bin/ss",
    "usr/bin/ssh-keygen",
    "usr/bin/tor",
    "usr/sbin/bgpctl",
    "usr/sbin/bgpd",
    "usr/sbin/chronyd",
    "usr/sbin/e2fsck",
    "usr/sbin/nft",
    "usr/sbin/sshd",
    "usr/sbin/unbound",
    "usr/sbin/unbound-checkconf",
    "usr/sbin/unbound-control",
)
"""Paths with /bin, /sbin and /lib below /usr, where all of Debian has them since 12."""

TOOLS = ("usr/bin/grub-mkimage", "usr/sbin/mke2fs")
"""Run on the host, with their own libraries, while the image is made."""

MODULES = (
    # What it boots from.
    *("ahci", "ata_piix", "nvme", "sd_mod", "virtio_blk", "virtio_pci", "virtio_scsi"),
    *("ehci_pci", "ohci_pci", "uhci_hcd", "xhci_pci", "uas", "usb_storage"),
    *("ext4", "vfat", "nls_ascii", "nls_cp437", "nls_iso8859_1", "nls_utf8"),
    # What it is wired to.
    *("e1000", "e1000e", "i40e", "ice", "igb", "igc", "ixgbe", "r8169", "tg3", "virtio_net"),
    # What ext4 and nftables look for by its algorithm.
    *("crc32c_generic", "crc32c_intel", "crct10dif_generic"),
    *("8021q", "dummy", "nf_tables", "nft_objref", "tcp_diag", "udp_diag", "virtio_rng"),
    # Who types.
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
"""Folders of packages that are not even unpacked."""
