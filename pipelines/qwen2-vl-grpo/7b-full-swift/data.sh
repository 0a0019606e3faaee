#!/usr/bin/env bash
# qwen2-vl-grpo/7b-full-swift · data · prepare. Written by `recipe compile recipes/qwen2-vl-grpo.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/qwen2-vl-grpo/7b-full-swift/data.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"

python -m runners.prepare \
  --config pipelines/qwen2-vl-grpo/7b-full-swift/data.prepare.json \
  --to "$RECIPE_OUT/result"
