#!/usr/bin/env bash
# distill-unet · scores · evaluate. Written by `recipe compile recipes/distill-unet.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/distill-unet/scores.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.distill.score \
  --predictions outputs/distill-unet/answers/predictions.jsonl \
  --to "$RECIPE_OUT/result" \
  --classes outputs/distill-unet/data/classes.json
