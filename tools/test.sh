#!/usr/bin/env bash
# test.sh [embedded]: fast first, then a real node and PostgreSQL, then browsers. test.sh networks: real consortium networks.
# One closing line for all of it.
set -uo pipefail
cd "$(dirname "$0")/.."
passed=0 failed=0 skipped=0 broken=()

stage() { # stage NAME COMMAND...   runs a test runner, adds up its closing line; a stage that crashes or runs nothing fails
  local name=$1 log rc line n; shift
  log=$(mktemp); printf '\n== %s\n' "$name"; local began=$SECONDS
  "$@" 2>&1 | tee "$log"; rc=${PIPESTATUS[0]}
  line=$(grep -E '^(=+ )?[0-9]+ (passed|failed|skipped|error)' "$log" | tail -1)
  for word in passed failed skipped error; do
    n=$(grep -oE "[0-9]+ $word" <<<"$line" | head -1 | cut -d' ' -f1); n=${n:-0}
    case $word in passed) passed=$((passed + n)) ;; failed | error) failed=$((failed + n)) ;; skipped) skipped=$((skipped + n)) ;; esac
  done
  [ "$rc" = 0 ] || broken+=("$name (exit $rc)")
  printf '== %s: %ds\n' "$name" $((SECONDS - began)); rm -f "$log"
}

py=.venv/bin/pytest
case ${1:-embedded} in
embedded)
  stage "pure and in-memory" $py -n 2 -m "not node and not validators and not fabric and not helm and not postgres and not browser and not slow"
  stage "chaincode" .venv/bin/python tools/go_tests.py
  stage "pages (unit)" npm test --silent
  stage "real node, PostgreSQL, faults" $py -n 2 --dist loadfile -m "(node or postgres or slow) and not browser and not validators and not fabric and not helm"
  stage "browser journeys" $py -m browser
  ;;
networks)
  stage "EVM validators" $py -m validators
  stage "Fabric network" $py -m fabric
  stage "Helm chart" $py -m helm
  ;;
*) echo "unknown: $1 (embedded or networks)" >&2; exit 2 ;;
esac

printf '\n'
[ ${#broken[@]} = 0 ] || printf 'broken: %s\n' "${broken[@]}"
[ ${#broken[@]} = 0 ] || [ "$failed" -gt 0 ] || failed=${#broken[@]}
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
