#!/usr/bin/env bash
# Format, vet and staticcheck of the chaincode. staticcheck is pinned in chaincode/tools.mod, apart from what the chaincode needs.
set -euo pipefail
cd "$(dirname "$0")/../chaincode"
unformatted=$(gofmt -l .)
[ -z "$unformatted" ] || { printf 'gofmt would change:\n%s\n' "$unformatted" >&2; exit 1; }
go vet ./...
go tool -modfile=tools.mod staticcheck ./...
