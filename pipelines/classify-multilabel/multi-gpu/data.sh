#!/usr/bin/env bash
# classify-multilabel/multi-gpu · data · prepare. Written by `recipe compile recipes/classify-multilabel.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/classify-multilabel/multi-gpu/data.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.prepare \
  --config pipelines/classify-multilabel/multi-gpu/data.prepare.json \
  --to "$RECIPE_OUT/result"
