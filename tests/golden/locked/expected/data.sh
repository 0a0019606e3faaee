#!/usr/bin/env bash
# locked · data · prepare. Written by `recipe compile recipes/locked.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/locked/data.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.prepare \
  --config pipelines/locked/data.prepare.json \
  --to "$RECIPE_OUT/result" \
  --prompt prompts/animals.txt
