#!/usr/bin/env bash
# answers · before · predict. Written by `recipe compile recipes/answers.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/answers/before.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export TOKENIZERS_PARALLELISM=false

python -m runners.predict.vllm \
  --model .recipe/models/Qwen--Qwen2.5-VL-7B-Instruct \
  --dtype bfloat16 \
  --max_pixels 1003520 \
  --min_pixels 3136 \
  --data outputs/answers/data/validation.jsonl \
  --classes outputs/answers/data/classes.json \
  --parse none \
  --max_new_tokens 64 \
  --max_length 2048 \
  --temperature 0.2 \
  --top_p 0.9 \
  --seed 42 \
  --tensor_parallel_size 1 \
  --gpu_memory_utilization 0.8 \
  --max_num_seqs 64 \
  --max_num_batched_tokens 8192 \
  --work "$RECIPE_OUT/kept/answers.jsonl" \
  --to "$RECIPE_OUT/result"
