#!/usr/bin/env bash
# delivery · speed-classifier · benchmark. Written by `recipe compile recipes/delivery.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/delivery/speed-classifier.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false

python -m runners.benchmark \
  --model outputs/delivery/merged/model \
  --model_type qwen2_vl \
  --template qwen2_vl \
  --classes 10 \
  --dtype bfloat16 \
  --attention sdpa \
  --data outputs/delivery/data/validation.jsonl \
  --batch_sizes 1 8 32 \
  --warmup 3 \
  --repeats 20 \
  --threads 4 \
  --to "$RECIPE_OUT/result"
