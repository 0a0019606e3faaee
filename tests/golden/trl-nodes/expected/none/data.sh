#!/usr/bin/env bash
# trl-nodes/none · data · prepare. Written by `recipe compile recipes/trl-nodes.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/trl-nodes/none/data.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.prepare \
  --config pipelines/trl-nodes/none/data.prepare.json \
  --to "$RECIPE_OUT/result"
