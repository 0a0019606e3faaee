#!/usr/bin/env bash
# embed · data · prepare. Written by `recipe compile recipes/embed.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/embed/data.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.prepare \
  --config pipelines/embed/data.prepare.json \
  --to "$RECIPE_OUT/result"
