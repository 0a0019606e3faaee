#!/usr/bin/env bash
# deploy/gptq · scores-after · evaluate. Written by `recipe compile recipes/deploy.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/deploy/gptq/scores-after.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.evaluate \
  --predictions outputs/deploy/gptq/after/predictions.jsonl \
  --to "$RECIPE_OUT/result" \
  --classes outputs/deploy/gptq/questions/classes.json \
  --metrics accuracy f1 precision recall
