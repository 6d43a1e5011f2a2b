# Makes .venv at the root of the checkout and installs the package there, by the tested versions. To be sourced:
#   . scripts/environment.sh [EXTRA]
# Where nothing has changed since the last time, it only switches the environment on.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
extra=${1:-}
python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "mmfuse needs Python 3.11 or newer, and $python is $("$python" --version 2>&1); set PYTHON=/path/to/python" >&2
  exit 2
}
[ -x .venv/bin/python ] || "$python" -m venv .venv
installed=.venv/installed-${extra:-package}
[ -n "$extra" ] || [ ! -e .venv/installed-dev ] || installed=.venv/installed-dev  # which is more than the package
# --no-compile: Python compiles what is imported when it is, and transformers alone has thousands of files that are not.
if [ ! -e "$installed" ] || [ pyproject.toml -nt "$installed" ] || [ scripts/constraints.txt -nt "$installed" ]; then
  .venv/bin/python -m pip install --no-compile --quiet --disable-pip-version-check --constraint scripts/constraints.txt --editable ".${extra:+[$extra]}"
  touch "$installed"
fi
. .venv/bin/activate
