#!/usr/bin/env bash
# visual-questions · answers · predict. Written by `recipe compile recipes/visual-questions.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/visual-questions/answers.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export TOKENIZERS_PARALLELISM=false

python -m runners.predict \
  --model .recipe/models/LLM-Research--Llama-3.2-11B-Vision-Instruct \
  --adapter outputs/visual-questions/train/model \
  --dtype bfloat16 \
  --attention sdpa \
  --data outputs/visual-questions/data/validation.jsonl \
  --classes outputs/visual-questions/data/classes.json \
  --parse label \
  --batch 1 \
  --beams 5 \
  --returned 3 \
  --length_penalty 1.0 \
  --max_new_tokens 64 \
  --max_length 2048 \
  --temperature 0.0 \
  --top_p 1.0 \
  --seed 42 \
  --work "$RECIPE_OUT/kept/answers.jsonl" \
  --to "$RECIPE_OUT/result"
