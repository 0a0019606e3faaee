#!/usr/bin/env bash
# lora · scores · evaluate. Written by `recipe compile recipes/lora.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/lora/scores.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.evaluate \
  --predictions outputs/lora/answers/predictions.jsonl \
  --to "$RECIPE_OUT/result" \
  --classes outputs/lora/data/classes.json \
  --metrics accuracy
