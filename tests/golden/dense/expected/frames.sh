#!/usr/bin/env bash
# dense · frames · prepare. Written by `recipe compile recipes/dense.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/dense/frames.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.prepare \
  --config pipelines/dense/frames.prepare.json \
  --to "$RECIPE_OUT/result"
