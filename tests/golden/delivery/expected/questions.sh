#!/usr/bin/env bash
# delivery · questions · prepare. Written by `recipe compile recipes/delivery.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/delivery/questions.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.prepare \
  --config pipelines/delivery/questions.prepare.json \
  --to "$RECIPE_OUT/result"
