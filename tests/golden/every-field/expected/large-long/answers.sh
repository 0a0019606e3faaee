#!/usr/bin/env bash
# every-field/large-long · answers · predict. Written by `recipe compile recipes/every-field.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/every-field/large-long/answers.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=8
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false
export MAX_PIXELS=200704
export MIN_PIXELS=3136
export NPROC_PER_NODE=8

swift infer \
  --model outputs/every-field/large-long/merged/model \
  --model_type qwen2_vl \
  --template qwen2_vl \
  --task_type causal_lm \
  --torch_dtype bfloat16 \
  --attn_impl flash_attention_2 \
  --val_dataset outputs/every-field/large-long/pictures/test.jsonl \
  --max_length 1024 \
  --truncation_strategy delete \
  --max_new_tokens 32 \
  --temperature 0.5 \
  --top_p 0.9 \
  --top_k 50 \
  --max_batch_size 4 \
  --write_batch_size 1000 \
  --seed 7 \
  --data_seed 7 \
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
  --result_path "$RECIPE_OUT/raw.jsonl" \
  --top_logprobs 3

python -m runners.collect predictions \
  --raw "$RECIPE_OUT/raw.jsonl" \
  --data outputs/every-field/large-long/pictures/test.jsonl \
  --to "$RECIPE_OUT/result" \
  --classes outputs/every-field/large-long/pictures/classes.json \
  --parse exact
