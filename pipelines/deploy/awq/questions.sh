#!/usr/bin/env bash
# deploy/awq · questions · prepare. Written by `recipe compile recipes/deploy.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/deploy/awq/questions.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.prepare \
  --config pipelines/deploy/awq/questions.prepare.json \
  --to "$RECIPE_OUT/result"
