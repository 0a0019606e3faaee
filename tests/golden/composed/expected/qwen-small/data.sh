#!/usr/bin/env bash
# composed/qwen-small · data · prepare. Written by `recipe compile recipes/composed.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/composed/qwen-small/data.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.prepare \
  --config pipelines/composed/qwen-small/data.prepare.json \
  --to "$RECIPE_OUT/result"
