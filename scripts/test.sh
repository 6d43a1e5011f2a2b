#!/usr/bin/env bash
# Lint, types, floors and tests. Arguments go to pytest: -m slow runs what takes minutes, -m "" everything.
. "$(dirname "$0")/environment.sh" dev
ruff check .
ruff format --check .
mypy
lint-imports
OMP_NUM_THREADS=1 python -m pytest --quiet --numprocesses 2 -m "not slow and not slurm and not ray" "$@"
