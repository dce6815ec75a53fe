#!/bin/sh
# Makes the release VERSION in dist/exitisp-VERSION, on any runner, and publishes nothing:
#
#	.ci/release.sh VERSION KEY [--unsigned]
#
# KEY signs it: a private key, or the public one of a key in an agent. With --unsigned the public key is
# enough, and .ci/sign.sh signs, on another machine. Where build/previous has the manifest of the release
# before, the notes say what changed since.
set -eu
[ $# -eq 2 ] || [ "${3-}" = --unsigned ] || {
	sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2
	exit 64
}
cd "$(dirname -- "$0")/.."

version=$1
key=$2
shift 2
for manifest in build/previous/exitisp-*.json; do
	case $manifest in
	*.cdx.json) ;;
	*) [ ! -e "$manifest" ] || set -- "$@" --previous "$manifest" ;;
	esac
done
exec ./exitisp release "$version" --key "$key" "$@"
