#!/usr/bin/env bash
# deploy/smoke · tower · export. Written by `recipe compile recipes/deploy.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/deploy/smoke/tower.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=1
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false
export CUDA_VISIBLE_DEVICES=''
export ROOT_IMAGE_DIR=outputs/deploy/smoke/data

python -m runners.export \
  --model .recipe/models/tiny--llava1.5-hf \
  --family llava1_5_hf \
  --part vision \
  --size 56 56 \
  --data outputs/deploy/smoke/data/validation.jsonl \
  --rows 32 \
  --classes outputs/deploy/smoke/data/classes.json \
  --formats onnx torchscript \
  --opset 20 \
  --tolerance 0.0001 \
  --to "$RECIPE_OUT/result"
