#!/usr/bin/env bash
# Builds the wheel, installs it into an empty environment, and trains from an empty folder: what a user of pip gets.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/build"
"$place/build/bin/pip" wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$place/dist" "$root"
"$place/build/bin/pip" install --quiet --disable-pip-version-check --constraint scripts/constraints.txt "$place"/dist/*.whl
mkdir "$place/elsewhere"
cd "$place/elsewhere"
"$place/build/bin/mmfuse" train trainer.max_epochs=2
test -s outputs/latest/metrics.json
"$place/build/bin/python" -c 'import mmfuse, pathlib; assert pathlib.Path(mmfuse.__file__).is_relative_to(pathlib.Path("'"$place"'").resolve())'
