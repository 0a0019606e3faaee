#!/usr/bin/env bash
# delivery · served-vllm · deploy. Written by `recipe compile recipes/delivery.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/delivery/served-vllm.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false

python -m runners.ask \
  --data outputs/delivery/questions/validation.jsonl \
  --max_new_tokens 64 \
  --start_timeout 600 \
  --to "$RECIPE_OUT/result" \
  --start vllm \
  serve \
  outputs/delivery/fp8/model \
  --served-model-name delivery \
  --dtype bfloat16 \
  --max-num-seqs 256 \
  --max-model-len 4096 \
  --gpu-memory-utilization 0.9 \
  --tensor-parallel-size 1 \
  --seed 42
