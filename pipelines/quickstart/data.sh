#!/usr/bin/env bash
# quickstart · data · prepare. Written by `recipe compile recipes/quickstart.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/quickstart/data.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.prepare \
  --config pipelines/quickstart/data.prepare.json \
  --to "$RECIPE_OUT/result"
