#!/usr/bin/env bash
# trackers · data · prepare. Written by `recipe compile recipes/trackers.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/trackers/data.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.prepare \
  --config pipelines/trackers/data.prepare.json \
  --to "$RECIPE_OUT/result"
