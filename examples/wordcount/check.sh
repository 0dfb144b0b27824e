#!/bin/sh
# Compares a result with what coreutils count: check.sh COUNTS.TSV [INPUT], where INPUT is a folder or a file; default: the SDK's XML docs.
set -eu
export LC_ALL=C
if [ $# -gt 1 ]; then
  find "$2" -type f -exec sh -ec 'for file; do cat -- "$file"; echo; done' sh {} +
else
  root=$(dirname "$(readlink -f "$(command -v dotnet)")")
  find "$root/packs" -name '*.xml' -type f -exec sh -ec 'for file; do cat -- "$file"; echo; done' sh {} +
fi | tr -cs A-Za-z '\n' | tr A-Z a-z | grep . | sort | uniq -c | awk '{ printf "%s\t%d\n", $2, $1 }' |
  sort -t "$(printf '\t')" -k2,2nr -k1,1 | cmp - "$1"
echo "$1 is right: $(wc -l < "$1") words"
