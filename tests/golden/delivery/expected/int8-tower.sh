#!/usr/bin/env bash
# delivery · int8-tower · quantize. Written by `recipe compile recipes/delivery.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/delivery/int8-tower.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false

python -m runners.quantize \
  --export outputs/delivery/tower/export \
  --method int8-dynamic \
  --to "$RECIPE_OUT/result"
