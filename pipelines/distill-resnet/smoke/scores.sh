#!/usr/bin/env bash
# distill-resnet/smoke · scores · evaluate. Written by `recipe compile recipes/distill-resnet.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/distill-resnet/smoke/scores.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.evaluate \
  --predictions outputs/distill-resnet/smoke/answers/predictions.jsonl \
  --to "$RECIPE_OUT/result" \
  --classes outputs/distill-resnet/smoke/data/classes.json \
  --metrics accuracy f1 precision recall
