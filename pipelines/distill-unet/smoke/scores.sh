#!/usr/bin/env bash
# distill-unet/smoke · scores · evaluate. Written by `recipe compile recipes/distill-unet.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/distill-unet/smoke/scores.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.distill.score \
  --predictions outputs/distill-unet/smoke/answers/predictions.jsonl \
  --to "$RECIPE_OUT/result" \
  --classes outputs/distill-unet/smoke/data/classes.json
