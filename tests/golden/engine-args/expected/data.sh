#!/usr/bin/env bash
# engine-args · data · prepare. Written by `recipe compile recipes/engine-args.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/engine-args/data.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.prepare \
  --config pipelines/engine-args/data.prepare.json \
  --to "$RECIPE_OUT/result"
