#!/usr/bin/env bash
# full · data · prepare. Written by `recipe compile recipes/full.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/full/data.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.prepare \
  --config pipelines/full/data.prepare.json \
  --to "$RECIPE_OUT/result"
