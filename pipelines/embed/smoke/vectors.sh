#!/usr/bin/env bash
# embed/smoke · vectors · features. Written by `recipe compile recipes/embed.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/embed/smoke/vectors.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=1
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false
export CUDA_VISIBLE_DEVICES=''
export ROOT_IMAGE_DIR=outputs/embed/smoke/data

python -m runners.features \
  --model outputs/embed/smoke/train/model \
  --model-type qwen2_vl \
  --template qwen2_vl \
  --dtype float32 \
  --attention sdpa \
  --data outputs/embed/smoke/data/validation.jsonl \
  --pooling last \
  --batch 12 \
  --max-length 2048 \
  --to "$RECIPE_OUT/result"
