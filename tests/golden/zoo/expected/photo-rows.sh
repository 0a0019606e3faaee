#!/usr/bin/env bash
# zoo · photo-rows · prepare. Written by `recipe compile recipes/zoo.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/zoo/photo-rows.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.prepare \
  --config pipelines/zoo/photo-rows.prepare.json \
  --to "$RECIPE_OUT/result"
