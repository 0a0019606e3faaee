#!/usr/bin/env bash
# distill-resnet/smoke · qat · quantize. Written by `recipe compile recipes/distill-resnet.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/distill-resnet/smoke/qat.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=1
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false
export CUDA_VISIBLE_DEVICES=''
export ROOT_IMAGE_DIR=outputs/distill-resnet/smoke/data

python -m runners.quantize_aware \
  --student outputs/distill-resnet/smoke/small/student \
  --data outputs/distill-resnet/smoke/data/train.jsonl \
  --epochs 3.0 \
  --learning_rate 0.0001 \
  --batch 32 \
  --seed 42 \
  --check outputs/distill-resnet/smoke/data/validation.jsonl \
  --to "$RECIPE_OUT/result"
