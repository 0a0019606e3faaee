#!/usr/bin/env bash
# okvqa-entity-path · beams · predict. Written by `recipe compile recipes/okvqa-entity-path.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/okvqa-entity-path/beams.sh
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
  --max_pixels 1003520 \
  --image_folder outputs/okvqa-entity-path/data \
  --data outputs/okvqa-entity-path/data/train.jsonl \
  --classes outputs/okvqa-entity-path/data/classes.json \
  --parse none \
  --batch 16 \
  --beams 5 \
  --returned 5 \
  --length_penalty 1.0 \
  --max_new_tokens 16 \
  --max_length 2048 \
  --temperature 0.0 \
  --top_p 1.0 \
  --seed 42 \
  --work "$RECIPE_OUT/kept/answers.jsonl" \
  --to "$RECIPE_OUT/result"
