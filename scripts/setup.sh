#!/usr/bin/env bash
# Make a virtual environment, or bring it up to date: scripts/setup.sh FOLDER EXTRAS
#
# Does nothing when neither pyproject.toml nor the front end has changed since the last time, and needs no network when
# what it asks for is there.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=$1
extras=$2
stamp=$venv/.jupyter-agents

is_new_enough() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    local candidate
    for candidate in ${PYTHON:-} python3.13 python3.12 python3.11 python3 python; do
        if command -v "$candidate" >/dev/null && is_new_enough "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    echo "Cannot make $venv: no Python 3.11 or newer with venv and ensurepip is on the path." \
        "Install one (on Debian: apt-get install python3 python3-venv), or name it: make PYTHON=/path/to/python3." >&2
    return 1
}

if ! is_new_enough "$venv/bin/python"; then
    python=$(find_python)
    echo "Making $venv with $("$python" --version)"
    "$python" -m venv --clear "$venv"
fi

wanted=$({ cat pyproject.toml hatch_build.py; echo "$PWD" "$extras"; "$venv/bin/python" --version; } | sha256sum)
if [[ -f $stamp && $(<"$stamp") == "$wanted" ]]; then
    exec scripts/front_end.sh "$venv" # which may have changed
fi

scripts/front_end.sh "$venv" # before the package, whose installation would build it once more

pip=("$venv/bin/python" -m pip install -qq --disable-pip-version-check)
if ! "${pip[@]}" --no-index --no-build-isolation --editable ".[$extras]" >/dev/null 2>&1; then
    echo "Installing jupyter-agents[$extras] into $venv (a few minutes the first time)"
    "${pip[@]}" --editable ".[$extras]"
fi
if [[ ,$extras, == *,notebooks,* ]]; then
    "$venv/bin/python" -c 'import matplotlib.font_manager' 2>/dev/null # builds its cache of fonts, which takes a while once
fi
scripts/front_end.sh "$venv" # pip has put a copy of its own there
echo "$wanted" >"$stamp"
