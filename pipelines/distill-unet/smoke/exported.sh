#!/usr/bin/env bash
# distill-unet/smoke · exported · export. Written by `recipe compile recipes/distill-unet.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/distill-unet/smoke/exported.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=1
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false
export CUDA_VISIBLE_DEVICES=''
export ROOT_IMAGE_DIR=outputs/distill-unet/smoke/data

python -m runners.export \
  --model outputs/distill-unet/smoke/small/student \
  --family student \
  --part whole \
  --data outputs/distill-unet/smoke/data/validation.jsonl \
  --rows 32 \
  --classes outputs/distill-unet/smoke/data/classes.json \
  --formats onnx torchscript \
  --opset 20 \
  --tolerance 0.001 \
  --to "$RECIPE_OUT/result"
