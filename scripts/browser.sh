#!/usr/bin/env bash
# Print the path of a Chromium or Chrome for the browser tests, and install Debian's where there is none.
set -euo pipefail

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
