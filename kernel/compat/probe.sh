#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# probe.sh OUTPUT PROBES COMPILER FLAGS...: try to compile each PROBES/name.c; those that do become
# "#define NQD_HAVE_NAME" in OUTPUT. control.c must compile: else the compiler or its flags are at
# fault, and no answer could be trusted.
set -eu
output=$1
probes=$2
shift 2

compiles() {
	"$@" -Wno-error -Werror=implicit-function-declaration -Werror=incompatible-pointer-types \
		-Werror=int-conversion -DKBUILD_MODNAME='"probe"' -DKBUILD_BASENAME='"probe"' -DMODULE \
		-fsyntax-only "$source"
}

mkdir -p "$(dirname "$output")"
source=$probes/control.c
if ! compiles "$@" >"$output.log" 2>&1; then
	cat "$output.log" >&2
	echo "probe.sh: not even control.c compiles, see above" >&2
	exit 1
fi
{
	echo "/* Made by compat/probe.sh: what this kernel has. */"
	for source in "$probes"/*.c; do
		name=$(basename "$source" .c)
		[ "$name" = control ] && continue
		if compiles "$@" >"$output.log" 2>&1; then
			echo "#define NQD_HAVE_$(echo "$name" | tr '[:lower:]' '[:upper:]') 1"
		fi
	done
} >"$output.new"
rm -f "$output.log"
mv "$output.new" "$output"
