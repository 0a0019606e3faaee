#!/usr/bin/env bash
# trl-rlhf · drawn · prepare. Written by `recipe compile recipes/trl-rlhf.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/trl-rlhf/drawn.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.prepare \
  --config pipelines/trl-rlhf/drawn.prepare.json \
  --to "$RECIPE_OUT/result"
