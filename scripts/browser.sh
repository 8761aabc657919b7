#!/usr/bin/env bash
# See to it that the browser tests have what they need, and print the path of their browser: scripts/browser.sh [FOLDER]
#
# That is a Chromium or Chrome, Debian's where there is none; and the oldest ipykernel that is supported, beside the one
# of the virtual environment in FOLDER.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=${1:-.venv}
oldest=build/ipykernel-oldest

if [[ ! -d $oldest/ipykernel ]]; then
    echo "Installing the oldest supported ipykernel for the browser tests" >&2
    rm -rf "$oldest"
    "$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-deps --target "$oldest" 'ipykernel==7.0.*' >&2
fi

find_browser() {
    command -v chromium || command -v chromium-browser || command -v google-chrome || command -v google-chrome-stable
}

if ! find_browser; then
    if [[ $(id -u) -ne 0 ]] || ! command -v apt-get >/dev/null; then
        echo "Cannot run the browser tests: neither chromium nor google-chrome is on the path." \
            "Install one of them (on Debian: sudo apt-get install chromium)." >&2
        exit 1
    fi
    echo "Installing chromium" >&2
    apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >&2
    find_browser
fi
