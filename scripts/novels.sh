#!/usr/bin/env bash
# Fetches the text of six novels by Jane Austen for the examples novels_*: the data of Debian's package
# r-cran-janeaustenr, without installing R. Does nothing where the file is there.
#   scripts/novels.sh [FILE]      FILE: where to put it, build/novels/Rdata.rdb by default
set -euo pipefail

file=${1:-$(cd "$(dirname "$0")/.." && pwd)/build/novels/Rdata.rdb}
[ ! -s "$file" ] || exit 0
inside=usr/lib/R/site-library/janeaustenr/data/Rdata.rdb
mkdir -p "$(dirname "$file")"
if [ -s "/$inside" ]; then
  cp "/$inside" "$file"
  exit 0
fi
if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
  echo "novels: not a Debian system. Put $inside of the package r-cran-janeaustenr into $file" >&2
  exit 1
fi
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
chmod 755 "$place"
if ! (cd "$place" && apt-get download -qq r-cran-janeaustenr 2>"$place/messages"); then
  cat "$place/messages" >&2
  echo "novels: apt-get cannot fetch r-cran-janeaustenr; run 'apt-get update' and try again" >&2
  exit 1
fi
dpkg-deb -x "$place"/r-cran-janeaustenr_*.deb "$place/package"
mv "$place/package/$inside" "$file"
