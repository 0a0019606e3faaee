#!/usr/bin/env bash
# deploy/bnb-smoke · questions · prepare. Written by `recipe compile recipes/deploy.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/deploy/bnb-smoke/questions.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.prepare \
  --config pipelines/deploy/bnb-smoke/questions.prepare.json \
  --to "$RECIPE_OUT/result"
