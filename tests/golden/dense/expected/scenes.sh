#!/usr/bin/env bash
# dense · scenes · prepare. Written by `recipe compile recipes/dense.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/dense/scenes.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.prepare \
  --config pipelines/dense/scenes.prepare.json \
  --to "$RECIPE_OUT/result"
