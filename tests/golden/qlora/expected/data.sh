#!/usr/bin/env bash
# qlora · data · prepare. Written by `recipe compile recipes/qlora.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/qlora/data.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.prepare \
  --config pipelines/qlora/data.prepare.json \
  --to "$RECIPE_OUT/result"
