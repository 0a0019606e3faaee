#!/usr/bin/env bash
# data · shared · prepare. Written by `recipe compile recipes/data.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/data/shared.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.prepare \
  --config pipelines/data/shared.prepare.json \
  --to "$RECIPE_OUT/result"
