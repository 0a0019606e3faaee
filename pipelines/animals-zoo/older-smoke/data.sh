#!/usr/bin/env bash
# animals-zoo/older-smoke · data · prepare. Written by `recipe compile recipes/animals-zoo.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/animals-zoo/older-smoke/data.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.prepare \
  --config pipelines/animals-zoo/older-smoke/data.prepare.json \
  --to "$RECIPE_OUT/result"
