"""The rehearsal: the same box on a Linux kernel, from Debian's packages, where no sets are."""
