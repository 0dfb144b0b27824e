#!/bin/sh
# Adds up the counts of several files: merge.sh FOLDER OUT. By count descending, then word.
set -eu
export LC_ALL=C
tab=$(printf '\t')
find "$1" -type f -exec cat -- {} + |
  awk -F '\t' '{ count[$1] += $2 } END { for (word in count) printf "%s\t%d\n", word, count[word] }' |
  sort -t "$tab" -k2,2nr -k1,1 > "$2"
