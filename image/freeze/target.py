"""What the wizard can be frozen for."""

from enum import Enum

from firstboot.core.refusal import Refusal


class Target(Enum):
    """An operating system on amd64; the value is what the command line calls it."""

    FREEBSD = "freebsd"
    LINUX = "linux"


def parse(text: str) -> Target:
    """The target that a person names. Raises Refusal."""
    try:
        return Target(text)
    except ValueError:
        raise Refusal(
            "--target",
            expected=" or ".join(target.value for target in Target),
            found=repr(text),
            remedy="name one of them",
        ) from None
