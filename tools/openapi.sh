#!/usr/bin/env bash
# The pages' REST types (apps/web/kit/src/api.ts) from the gateway's OpenAPI document: made before every check, so that they are always
# those of the gateway beside them, and a page that asks for what the gateway does not have does not compile.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
.venv/bin/python tools/openapi.py > "$work/openapi.json" 2> "$work/said" || { cat "$work/said" >&2; exit 1; }
node apps/web/kit/openapi.mjs "$work/openapi.json" "$work/api.ts"
cmp -s "$work/api.ts" apps/web/kit/src/api.ts || mv "$work/api.ts" apps/web/kit/src/api.ts
