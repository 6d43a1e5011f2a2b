#!/usr/bin/env bash
# Installs mmfuse into .venv and trains the embedded data set. Further arguments go to `mmfuse train`.
. "$(dirname "$0")/environment.sh"
mmfuse train "$@"
