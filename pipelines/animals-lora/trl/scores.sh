#!/usr/bin/env bash
# animals-lora/trl · scores · evaluate. Written by `recipe compile recipes/animals-lora.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/animals-lora/trl/scores.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.evaluate \
  --predictions outputs/animals-lora/trl/answers/predictions.jsonl \
  --to "$RECIPE_OUT/result" \
  --classes outputs/animals-lora/trl/data/classes.json \
  --metrics accuracy f1 precision recall
