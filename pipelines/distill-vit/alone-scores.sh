#!/usr/bin/env bash
# distill-vit · alone-scores · evaluate. Written by `recipe compile recipes/distill-vit.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/distill-vit/alone-scores.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.evaluate \
  --predictions outputs/distill-vit/alone-answers/predictions.jsonl \
  --to "$RECIPE_OUT/result" \
  --classes outputs/distill-vit/data/classes.json \
  --metrics accuracy f1 precision recall
