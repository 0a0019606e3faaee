#!/usr/bin/env bash
# distill-unet/smoke · int8 · quantize. Written by `recipe compile recipes/distill-unet.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/distill-unet/smoke/int8.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=1
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false
export CUDA_VISIBLE_DEVICES=''
export ROOT_IMAGE_DIR=outputs/distill-unet/smoke/data

python -m runners.quantize \
  --export outputs/distill-unet/smoke/exported/export \
  --method int8-static \
  --calibration outputs/distill-unet/smoke/data/train.jsonl \
  --samples 256 \
  --check outputs/distill-unet/smoke/data/validation.jsonl \
  --to "$RECIPE_OUT/result"
