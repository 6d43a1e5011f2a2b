#!/usr/bin/env bash
# The tests that need a Slurm or a Ray, on throw-away ones of this machine. Where one cannot be had, a line says why, and
# that is no failure.
. "$(dirname "$0")/environment.sh" dev
export OMP_NUM_THREADS=1

not_run() { echo "clusters.sh: the tests of $1 are not run: ${2:-it cannot be installed here}"; }

if said=$(bash scripts/slurm_here.sh up 2>&1); then
  trap 'bash scripts/slurm_here.sh down >/dev/null' EXIT
  python -m pytest --quiet -m slurm tests/test_slurm.py
else
  not_run Slurm "$(tail -n 1 <<<"$said")"
fi

if said=$(python -m pip install --no-compile --quiet --disable-pip-version-check --constraint scripts/constraints.txt --editable '.[ray]' 2>&1); then
  python -m pytest --quiet -m ray tests/test_ray.py
else
  not_run Ray "$(tail -n 1 <<<"$said")"
fi
