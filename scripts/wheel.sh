#!/usr/bin/env bash
# Builds the wheel, installs it into an environment that has mmfuse from nowhere else, and trains from an empty folder.
# The packages that it needs are those of .venv, so that they need not be installed twice; --alone installs them anew.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place/env"
pip="$place/env/bin/python -m pip --quiet --disable-pip-version-check"
$pip wheel --no-deps --wheel-dir "$place/dist" .
if [ "${1:-}" = --alone ]; then
  $pip install --no-compile --constraint scripts/constraints.txt "$place"/dist/*.whl
else
  $pip install --no-deps "$place"/dist/*.whl
  here=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  echo "$here" > "$("$place/env/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/packages.pth"
fi
mkdir "$place/elsewhere"
cd "$place/elsewhere"
"$place/env/bin/mmfuse" train trainer.max_epochs=2
test -s outputs/latest/metrics.json
"$place/env/bin/python" - "$place" "$root" << 'END'
import pathlib, sys, mmfuse
from mmfuse.config.catalog import packaged
place, root = (pathlib.Path(argument).resolve() for argument in sys.argv[1:])
for found in (pathlib.Path(mmfuse.__file__).resolve(), packaged().resolve()):
    assert found.is_relative_to(place) and not found.is_relative_to(root), found
END
echo "the wheel trains from $PWD, with nothing of the checkout"
