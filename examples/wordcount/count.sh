#!/bin/sh
# Counts the words of every file in a folder: count.sh FOLDER OUT. A word is a run of ASCII letters, lower-cased.
set -eu
export LC_ALL=C
# The newline after each file keeps its last word apart from the next file's first.
find "$1" -type f -exec sh -ec 'for file; do cat -- "$file"; echo; done' sh {} + |
  tr A-Z a-z | tr -cs a-z '\n' |
  awk '$0 != "" { count[$0]++ } END { for (word in count) printf "%s\t%d\n", word, count[word] }' |
  sort > "$2"
