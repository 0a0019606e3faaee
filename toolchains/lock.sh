#!/bin/sh
# Resolve the toolchains anew, from what NAME.in asks for and what this project itself needs: toolchains/lock.sh [--upgrade]
set -eu

cd -- "$(dirname -- "$0")/.."
for source in toolchains/*.in; do
  case $source in
    toolchains/vllm.in) platform="--python-platform x86_64-manylinux_2_28" ;; # it has no wheels for others
    *) platform=--universal ;;
  esac
  # shellcheck disable=SC2086
  .venv/bin/uv pip compile "$source" pyproject.toml $platform --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-annotate --no-header --quiet --output-file "${source%.in}.txt" "$@"
done
