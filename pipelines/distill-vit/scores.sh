#!/usr/bin/env bash
# distill-vit · scores · evaluate. Written by `recipe compile recipes/distill-vit.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/distill-vit/scores.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.evaluate \
  --predictions outputs/distill-vit/answers/predictions.jsonl \
  --to "$RECIPE_OUT/result" \
  --classes outputs/distill-vit/data/classes.json \
  --metrics accuracy f1 precision recall
