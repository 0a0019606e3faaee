#!/usr/bin/env bash
# dpo/trl1-smoke · preferences · prepare. Written by `recipe compile recipes/dpo.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/dpo/trl1-smoke/preferences.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.prepare \
  --config pipelines/dpo/trl1-smoke/preferences.prepare.json \
  --to "$RECIPE_OUT/result"
