#!/usr/bin/env bash
# deploy/bnb-smoke · after · predict. Written by `recipe compile recipes/deploy.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/deploy/bnb-smoke/after.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=1
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false
export CUDA_VISIBLE_DEVICES=''
export ROOT_IMAGE_DIR=outputs/deploy/bnb-smoke/questions

python -m runners.unanswered \
  --raw "$RECIPE_OUT/kept/raw.jsonl" \
  --data outputs/deploy/bnb-smoke/questions/validation.jsonl \
  --classes outputs/deploy/bnb-smoke/questions/classes.json \
  --every 1000 \
  --to "$RECIPE_OUT/rest.jsonl"

swift infer \
  --model outputs/deploy/bnb-smoke/small/model \
  --model_type llava1_5_hf \
  --template llava1_5_hf \
  --task_type causal_lm \
  --torch_dtype float32 \
  --attn_impl sdpa \
  --val_dataset "$RECIPE_OUT/rest.jsonl" \
  --max_length 2048 \
  --truncation_strategy delete \
  --max_new_tokens 4 \
  --temperature 0.0 \
  --top_p 1.0 \
  --top_k 50 \
  --max_batch_size 1 \
  --write_batch_size 1000 \
  --seed 42 \
  --data_seed 42 \
  --infer_backend transformers \
  --stream false \
  --strict true \
  --val_dataset_shuffle false \
  --use_chat_template true \
  --template_backend swift \
  --remove_unused_columns true \
  --disable_auto_column_mapping false \
  --load_from_cache_file false \
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
  --data outputs/deploy/bnb-smoke/questions/validation.jsonl \
  --to "$RECIPE_OUT/result" \
  --classes outputs/deploy/bnb-smoke/questions/classes.json \
  --parse label
