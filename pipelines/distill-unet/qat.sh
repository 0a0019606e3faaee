#!/usr/bin/env bash
# distill-unet · qat · quantize. Written by `recipe compile recipes/distill-unet.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/distill-unet/qat.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false
export MAX_PIXELS=200704

python -m runners.quantize_aware \
  --student outputs/distill-unet/small/student \
  --data outputs/distill-unet/data/train.jsonl \
  --epochs 3.0 \
  --learning_rate 1e-05 \
  --batch 8 \
  --seed 42 \
  --check outputs/distill-unet/data/validation.jsonl \
  --to "$RECIPE_OUT/result"
