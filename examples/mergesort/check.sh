#!/bin/sh
# Compares a result with coreutils: check.sh SORTED.DAT. It is right if sort, given the same records in the order of their numbers, makes
# the same file; prints how long sort takes, with two threads, to compare with the job.
set -eu
export LC_ALL=C
work=$(mktemp -d "${TMPDIR:-/tmp}/mergesort.XXXXXX")
trap 'rm -rf "$work"' EXIT
# The numbers stand in columns 13 to 44: so are the records in the order in which they were made.
sort --parallel=2 -T "$work" -k1.13,1.44 "$1" > "$work/records"
start=$(date +%s.%N)
sort --parallel=2 -T "$work" "$work/records" > "$work/sorted"
end=$(date +%s.%N)
cmp "$work/sorted" "$1"
echo "$1 is right: $(wc -c < "$1") bytes; sort --parallel=2 takes $(echo "$end $start" | awk '{ printf "%.1f", $1 - $2 }') s"
