#!/usr/bin/env bash
# answers · data · prepare. Written by `recipe compile recipes/answers.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/answers/data.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.prepare \
  --config pipelines/answers/data.prepare.json \
  --to "$RECIPE_OUT/result"
