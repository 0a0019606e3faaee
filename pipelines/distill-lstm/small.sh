#!/usr/bin/env bash
# distill-lstm · small · distill. Written by `recipe compile recipes/distill-lstm.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/distill-lstm/small.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export TOKENIZERS_PARALLELISM=false

python -m runners.distill.remember \
  --config pipelines/distill-lstm/small.distill.json \
  --data outputs/distill-lstm/data/train.jsonl \
  --validation outputs/distill-lstm/data/validation.jsonl \
  --classes outputs/distill-lstm/data/classes.json \
  --teacher .recipe/models/Qwen--Qwen2.5-VL-7B-Instruct

[ -n "${RECIPE_TRAINED:-}" ] || python -m runners.distill.train \
  --config pipelines/distill-lstm/small.distill.json \
  --data outputs/distill-lstm/data/train.jsonl \
  --validation outputs/distill-lstm/data/validation.jsonl \
  --classes outputs/distill-lstm/data/classes.json \
  --teacher .recipe/models/Qwen--Qwen2.5-VL-7B-Instruct \
  --logging_steps 1000000000 \
  --logging_strategy epoch \
  --report_to tensorboard \
  --save_total_limit 2 \
  --output_dir "$RECIPE_OUT/checkpoints" \
  ${RECIPE_RESUME:+--resume_from_checkpoint "$RECIPE_RESUME"}

python -m runners.distill.collect \
  --config pipelines/distill-lstm/small.distill.json \
  --from "$RECIPE_OUT/checkpoints" \
  --to "$RECIPE_OUT/result" \
  --evaluation "$RECIPE_OUT/result/evaluation.csv"
