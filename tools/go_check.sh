#!/usr/bin/env bash
# Format, vet and staticcheck of the chaincode, format and vet of the crypto engine. staticcheck is pinned in chaincode/tools.mod,
# apart from what the chaincode needs.
set -euo pipefail
cd "$(dirname "$0")/../chaincode"
unformatted=$(gofmt -l . ../core/crypto/engines/library)
[ -z "$unformatted" ] || { printf 'gofmt would change:\n%s\n' "$unformatted" >&2; exit 1; }
(cd ../core/crypto/engines/library && go vet ./...)
go vet ./...
go tool -modfile=tools.mod staticcheck ./...
