"""The rehearsal: the same box on a Linux kernel, built from Debian's packages where no base sets
can be had."""
