#!/usr/bin/env bash
# zero · data · prepare. Written by `recipe compile recipes/zero.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/zero/data.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.prepare \
  --config pipelines/zero/data.prepare.json \
  --to "$RECIPE_OUT/result"
