#!/usr/bin/env bash
# sources · questions · prepare. Written by `recipe compile recipes/sources.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/sources/questions.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.prepare \
  --config pipelines/sources/questions.prepare.json \
  --to "$RECIPE_OUT/result"
