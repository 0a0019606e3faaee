#!/usr/bin/env bash
# locked · more · prepare. Written by `recipe compile recipes/locked.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/locked/more.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.prepare \
  --config pipelines/locked/more.prepare.json \
  --to "$RECIPE_OUT/result"
