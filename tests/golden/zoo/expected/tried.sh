#!/usr/bin/env bash
# zoo · tried · predict. Written by `recipe compile recipes/zoo.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/zoo/tried.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=4
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false
export MAX_PIXELS=401408
export MIN_PIXELS=3136
export NPROC_PER_NODE=4

python -m runners.unanswered \
  --raw "$RECIPE_OUT/kept/raw.jsonl" \
  --data outputs/zoo/photo-rows/validation.jsonl \
  --classes outputs/zoo/photo-rows/classes.json \
  --every 1000 \
  --to "$RECIPE_OUT/rest.jsonl"

swift infer \
  --model outputs/zoo/folded/model \
  --model_type qwen2_vl \
  --template qwen2_vl \
  --task_type seq_cls \
  --num_labels 80 \
  --problem_type multi_label_classification \
  --torch_dtype float32 \
  --attn_impl sdpa \
  --val_dataset "$RECIPE_OUT/rest.jsonl" \
  --max_length 2048 \
  --truncation_strategy delete \
  --max_batch_size 8 \
  --write_batch_size 1000 \
  --seed 5 \
  --data_seed 5 \
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
  --logprobs true \
  --merge_lora false \
  --use_hf false \
  --load_data_args false \
  --load_args false \
  --top_logprobs 80 \
  --result_path "$RECIPE_OUT/kept/raw.jsonl"

python -m runners.collect predictions \
  --raw "$RECIPE_OUT/kept/raw.jsonl" \
  --data outputs/zoo/photo-rows/validation.jsonl \
  --to "$RECIPE_OUT/result" \
  --classes outputs/zoo/photo-rows/classes.json \
  --parse label
