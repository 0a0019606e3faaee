#!/usr/bin/env bash
# okvqa/vllm · before · predict. Written by `recipe compile recipes/okvqa.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/okvqa/vllm/before.sh
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
  --image_folder outputs/okvqa/vllm/data \
  --data outputs/okvqa/vllm/data/validation.jsonl \
  --classes outputs/okvqa/vllm/data/classes.json \
  --parse none \
  --max_new_tokens 16 \
  --max_length 2048 \
  --temperature 0.0 \
  --top_p 1.0 \
  --seed 42 \
  --tensor_parallel_size 1 \
  --gpu_memory_utilization 0.9 \
  --work "$RECIPE_OUT/kept/answers.jsonl" \
  --to "$RECIPE_OUT/result"
