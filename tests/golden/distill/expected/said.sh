#!/usr/bin/env bash
# distill · said · prepare. Written by `recipe compile recipes/distill.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/distill/said.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.prepare \
  --config pipelines/distill/said.prepare.json \
  --to "$RECIPE_OUT/result"
