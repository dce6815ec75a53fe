#!/bin/sh
# Signs the release in FOLDER, which .ci/release.sh made without the key, and publishes nothing:
#
#	.ci/sign.sh FOLDER KEY SHA256
#
# KEY is a private key, or the public one of a key in an agent. SHA256 is that of FOLDER/SHA256SUMS,
# told by whoever built it. Only Python's standard library and ssh-keygen run here.
set -eu
[ $# -eq 3 ] || {
	sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2
	exit 64
}
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
PYTHONPATH=$root exec python3 -S -m image.release.sign "$@"
