#!/usr/bin/env bash
# Builds the crypto engine gmsm and puts it where core/crypto/engines/gmsm.py looks for it. engine.sh optional: where Go or a C
# compiler cannot be had, says so in one line; OpenSSL does the work then.
set -euo pipefail
cd "$(dirname "$0")/.."
place=core/crypto/engines/library/libgmsm.so

build() {
  local built
  tools/need.sh go && built=$(.venv/bin/python -m network.binaries libgmsm.so) || return 1
  # Beside and renamed: a process that has the old one open keeps it, one that starts finds a whole one.
  cp "${built#*  }" "$place.new" && mv "$place.new" "$place"
}

if [ "${1:-}" != optional ]; then
  build
elif said=$(build 2>&1); then
  echo "· crypto engine: gmsm"
else
  rm -f "$place"
  echo "· crypto engine: OpenSSL; gmsm, several times faster, is not built here ($(grep -m1 '✗' <<<"$said" || tail -1 <<<"$said")): make engine"
fi
