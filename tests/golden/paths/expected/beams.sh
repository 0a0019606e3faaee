#!/usr/bin/env bash
# paths · beams · predict. Written by `recipe compile recipes/paths.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/paths/beams.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export TOKENIZERS_PARALLELISM=false

python -m runners.predict \
  --model .recipe/models/Qwen--Qwen2.5-VL-7B-Instruct \
  --dtype bfloat16 \
  --attention sdpa \
  --data outputs/paths/data/train.jsonl \
  --classes outputs/paths/data/classes.json \
  --parse label \
  --batch 1 \
  --beams 4 \
  --returned 3 \
  --length_penalty 0.5 \
  --max_new_tokens 64 \
  --max_length 2048 \
  --temperature 0.0 \
  --top_p 1.0 \
  --seed 42 \
  --work "$RECIPE_OUT/kept/answers.jsonl" \
  --to "$RECIPE_OUT/result"
