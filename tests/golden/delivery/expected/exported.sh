#!/usr/bin/env bash
# delivery · exported · export. Written by `recipe compile recipes/delivery.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/delivery/exported.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false

python -m runners.export \
  --model outputs/delivery/merged/model \
  --family qwen2_vl \
  --part whole \
  --size 224 336 \
  --data outputs/delivery/data/validation.jsonl \
  --rows 16 \
  --classes outputs/delivery/data/classes.json \
  --formats onnx torchscript \
  --opset 21 \
  --tolerance 0.001 \
  --to "$RECIPE_OUT/result"

python -m runners.tensorrt \
  --config pipelines/delivery/exported.tensorrt.json \
  --to "$RECIPE_OUT/result"
