#!/usr/bin/env bash
# visual-questions · data · prepare. Written by `recipe compile recipes/visual-questions.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/visual-questions/data.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.prepare \
  --config pipelines/visual-questions/data.prepare.json \
  --to "$RECIPE_OUT/result"
