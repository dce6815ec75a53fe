"""UFS2 file systems: a tree in, bytes out; no root, no mount, no external program.

What is written is what newfs(8) and the kernel of FreeBSD 15 write, with one liberty: nothing is
spread over the cylinder groups, because a slot is written once and then only read.
"""

from image.ufs2.write import write

__all__ = ["write"]
