#!/usr/bin/env bash
# okvqa-entity-path · data · prepare. Written by `recipe compile recipes/okvqa-entity-path.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/okvqa-entity-path/data.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.prepare \
  --config pipelines/okvqa-entity-path/data.prepare.json \
  --to "$RECIPE_OUT/result"
