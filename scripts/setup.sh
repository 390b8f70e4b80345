#!/usr/bin/env bash
# Installs the Debian 12 packages that are missing, and says which. Quick and silent where all are there.
#   scripts/setup.sh          what building, testing and the demonstration need
#   scripts/setup.sh check    that, and what `make check` and `make format` need
#   scripts/setup.sh fuzz     that, and what `make fuzz` needs
set -euo pipefail

packages=(
  g++ make cmake ninja-build                            # the build
  libhwy-dev libfmt-dev zlib1g-dev libzstd-dev          # the library
  libpng-dev libjpeg62-turbo-dev
  nlohmann-json3-dev libfast-float-dev
  libcli11-dev libtomlplusplus-dev                      # the program
  libgtest-dev librapidcheck-dev                        # the tests
  dataset-fashion-mnist                                 # the demonstration
)
if [ "${1:-}" = check ]; then
  packages+=(clang-19 clang-format-14 binutils python3)
elif [ "${1:-}" = fuzz ]; then
  packages+=(clang-19 libclang-rt-19-dev llvm-19 python3)
fi

missing=()
for package in "${packages[@]}"; do
  case "$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null || true)" in
    ii*) ;;
    *) missing+=("$package") ;;
  esac
done
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null; then
  echo "setup: not a Debian system. Install what these Debian packages hold: ${missing[*]}" >&2
  exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "setup: as root, run: apt-get install ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "setup: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends "${missing[@]}" >/dev/null
