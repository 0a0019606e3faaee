#!/usr/bin/env bash
# every-field/large-long · written · prepare. Written by `recipe compile recipes/every-field.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/every-field/large-long/written.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.prepare \
  --config pipelines/every-field/large-long/written.prepare.json \
  --to "$RECIPE_OUT/result" \
  --prompt prompts/digit.txt
