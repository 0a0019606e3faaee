#!/usr/bin/env bash
# animals-zoo/minicpm-v-2-6 · answers · predict. Written by `recipe compile recipes/animals-zoo.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/animals-zoo/minicpm-v-2-6/answers.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false

python -m runners.unanswered \
  --raw "$RECIPE_OUT/kept/raw.jsonl" \
  --data outputs/animals-zoo/minicpm-v-2-6/data/validation.jsonl \
  --classes outputs/animals-zoo/minicpm-v-2-6/data/classes.json \
  --every 1000 \
  --to "$RECIPE_OUT/rest.jsonl"

swift infer \
  --model outputs/animals-zoo/minicpm-v-2-6/merged/model \
  --model_type minicpmv2_6 \
  --template minicpmv2_6 \
  --task_type causal_lm \
  --torch_dtype bfloat16 \
  --attn_impl sdpa \
  --val_dataset "$RECIPE_OUT/rest.jsonl" \
  --max_length 2048 \
  --truncation_strategy delete \
  --max_new_tokens 16 \
  --temperature 0.0 \
  --top_p 1.0 \
  --top_k 50 \
  --max_batch_size 8 \
  --seed 42 \
  --data_seed 42 \
  --infer_backend pt \
  --stream false \
  --strict true \
  --use_chat_template true \
  --template_backend swift \
  --enable_cache false \
  --repetition_penalty 1.0 \
  --num_beams 1 \
  --logprobs false \
  --merge_lora false \
  --use_hf false \
  --load_data_args false \
  --load_args false \
  --result_path "$RECIPE_OUT/kept/raw.jsonl"

python -m runners.collect predictions \
  --raw "$RECIPE_OUT/kept/raw.jsonl" \
  --data outputs/animals-zoo/minicpm-v-2-6/data/validation.jsonl \
  --to "$RECIPE_OUT/result" \
  --classes outputs/animals-zoo/minicpm-v-2-6/data/classes.json \
  --parse label
