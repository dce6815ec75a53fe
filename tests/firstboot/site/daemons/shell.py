"""What files for sh(1) set, found out by sh."""

import re
import subprocess


def variables(text: str, prefix: str) -> dict[str, str]:
    """The variables of `prefix` that the rc.conf.d file `text` sets."""
    names = sorted(set(re.findall(rf"^({prefix}\w*)=", text, re.MULTILINE)))
    script = "set -eu\n. /dev/stdin\n" + "".join(f'printf "%s\\0" "${name}"\n' for name in names)
    done = subprocess.run(
        ["sh", "-c", script], input=text, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr == ""
    return dict(zip(names, done.stdout.split("\0"), strict=False))
