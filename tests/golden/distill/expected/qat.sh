#!/usr/bin/env bash
# distill · qat · quantize. Written by `recipe compile recipes/distill.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/distill/qat.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false
export MAX_PIXELS=200704

python -m runners.quantize_aware \
  --student outputs/distill/plain/student \
  --data outputs/distill/data/train.jsonl \
  --epochs 2.0 \
  --learning_rate 2e-05 \
  --batch 16 \
  --seed 42 \
  --check outputs/distill/data/validation.jsonl \
  --to "$RECIPE_OUT/result"
