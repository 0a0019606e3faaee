#!/usr/bin/env bash
# distill-unet/smoke · qat · quantize. Written by `recipe compile recipes/distill-unet.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/distill-unet/smoke/qat.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=1
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false
export CUDA_VISIBLE_DEVICES=''
export ROOT_IMAGE_DIR=outputs/distill-unet/smoke/data

python -m runners.quantize_aware \
  --student outputs/distill-unet/smoke/small/student \
  --data outputs/distill-unet/smoke/data/train.jsonl \
  --epochs 3.0 \
  --learning_rate 0.0002 \
  --batch 8 \
  --seed 42 \
  --check outputs/distill-unet/smoke/data/validation.jsonl \
  --to "$RECIPE_OUT/result"
