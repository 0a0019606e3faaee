#!/usr/bin/env bash
# distill-lstm/smoke · data · prepare. Written by `recipe compile recipes/distill-lstm.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/distill-lstm/smoke/data.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.prepare \
  --config pipelines/distill-lstm/smoke/data.prepare.json \
  --to "$RECIPE_OUT/result"
