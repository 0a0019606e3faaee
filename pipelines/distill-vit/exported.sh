#!/usr/bin/env bash
# distill-vit · exported · export. Written by `recipe compile recipes/distill-vit.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/distill-vit/exported.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false
export MAX_PIXELS=200704

python -m runners.export \
  --model outputs/distill-vit/small/student \
  --family student \
  --part whole \
  --data outputs/distill-vit/data/validation.jsonl \
  --rows 32 \
  --classes outputs/distill-vit/data/classes.json \
  --formats onnx torchscript \
  --opset 20 \
  --tolerance 0.001 \
  --to "$RECIPE_OUT/result"
