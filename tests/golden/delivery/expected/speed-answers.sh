#!/usr/bin/env bash
# delivery · speed-answers · benchmark. Written by `recipe compile recipes/delivery.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/delivery/speed-answers.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false

python -m runners.benchmark \
  --model .recipe/models/Qwen--Qwen2-VL-2B-Instruct \
  --model_type qwen2_vl \
  --template qwen2_vl \
  --dtype bfloat16 \
  --attention sdpa \
  --max_new_tokens 8 \
  --data outputs/delivery/questions/validation.jsonl \
  --batch_sizes 1 4 \
  --warmup 3 \
  --repeats 20 \
  --threads 4 \
  --to "$RECIPE_OUT/result"
