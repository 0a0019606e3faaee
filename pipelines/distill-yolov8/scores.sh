#!/usr/bin/env bash
# distill-yolov8 · scores · evaluate. Written by `recipe compile recipes/distill-yolov8.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/distill-yolov8/scores.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.distill.score \
  --predictions outputs/distill-yolov8/answers/predictions.jsonl \
  --to "$RECIPE_OUT/result" \
  --classes outputs/distill-yolov8/data/classes.json
