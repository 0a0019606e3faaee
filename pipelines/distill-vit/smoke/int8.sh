#!/usr/bin/env bash
# distill-vit/smoke · int8 · quantize. Written by `recipe compile recipes/distill-vit.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/distill-vit/smoke/int8.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=1
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false
export CUDA_VISIBLE_DEVICES=''

python -m runners.quantize \
  --export outputs/distill-vit/smoke/exported/export \
  --method int8-dynamic \
  --check outputs/distill-vit/smoke/data/validation.jsonl \
  --to "$RECIPE_OUT/result"
