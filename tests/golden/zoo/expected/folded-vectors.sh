#!/usr/bin/env bash
# zoo · folded-vectors · features. Written by `recipe compile recipes/zoo.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/zoo/folded-vectors.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false
export MAX_PIXELS=401408
export MIN_PIXELS=3136

python -m runners.features \
  --model outputs/zoo/near-folded/model \
  --model-type qwen2_vl \
  --template qwen2_vl \
  --dtype float32 \
  --attention sdpa \
  --data outputs/zoo/pair-rows/validation.jsonl \
  --pooling last \
  --batch 1 \
  --max-length 2048 \
  --to "$RECIPE_OUT/result"
