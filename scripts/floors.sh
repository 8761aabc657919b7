#!/usr/bin/env bash
# Prove the lowest versions in pyproject.toml: install exactly those, and run the unit and kernel tests with them.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=.venv-floors
scripts/setup.sh .venv lab,notebooks,test,dev
.venv/bin/python -m venv --clear "$venv"
"$venv/bin/python" -m pip install -qq --disable-pip-version-check uv
"$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --resolution lowest-direct --editable ".[lab,notebooks,test]"
"$venv/bin/uv" pip list --quiet --python "$venv/bin/python"
"$venv/bin/python" scripts/suites.py unit kernel
