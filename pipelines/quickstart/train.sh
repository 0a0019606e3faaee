#!/usr/bin/env bash
# quickstart · train · classify. Written by `recipe compile recipes/quickstart.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/quickstart/train.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=1
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false
export CUDA_VISIBLE_DEVICES=''
export ROOT_IMAGE_DIR=outputs/quickstart/data
export RECIPE_PLAN=pipelines/quickstart/train.json

[ -n "${RECIPE_TRAINED:-}" ] || swift sft \
  --model "${RECIPE_RESUME:-.recipe/models/tiny--qwen2-vl@ef89af6a18fb}" \
  --model_type qwen2_vl \
  --template qwen2_vl \
  --task_type seq_cls \
  --num_labels 10 \
  --problem_type single_label_classification \
  --torch_dtype float32 \
  --bf16 false \
  --fp16 false \
  --attn_impl sdpa \
  --tuner_type full \
  --dataset outputs/quickstart/data/train.jsonl \
  --max_length 2048 \
  --packing false \
  --optim adamw_torch_fused \
  --lr_scheduler_type cosine \
  --weight_decay 0.01 \
  --adam_beta1 0.9 \
  --adam_beta2 0.95 \
  --adam_epsilon 1e-08 \
  --max_grad_norm 1.0 \
  --num_train_epochs 6.0 \
  --per_device_train_batch_size 32 \
  --per_device_eval_batch_size 1 \
  --gradient_checkpointing false \
  --vit_gradient_checkpointing false \
  --save_total_limit 1 \
  --freeze_vit false \
  --freeze_aligner false \
  --freeze_llm false \
  --truncation_strategy delete \
  --learning_rate 0.003 \
  --warmup_ratio 0.05 \
  --gradient_accumulation_steps 1 \
  --save_strategy epoch \
  --eval_strategy no \
  --seed 42 \
  --data_seed 42 \
  --tuner_backend peft \
  --freeze_parameters_ratio 0.0 \
  --template_backend swift \
  --use_chat_template true \
  --add_non_thinking_prefix true \
  --disable_ignore_empty_think false \
  --loss_scale default \
  --enable_dft_loss false \
  --router_aux_loss_coef 0.0 \
  --padding_side right \
  --padding_free false \
  --sequence_parallel_size 1 \
  --disable_auto_column_mapping false \
  --dataset_shuffle true \
  --val_dataset_shuffle false \
  --train_dataloader_shuffle true \
  --group_by_length false \
  --split_dataset_ratio 0.0 \
  --streaming false \
  --strict true \
  --load_from_cache_file false \
  --remove_unused_columns true \
  --dataloader_drop_last false \
  --dataloader_in_order true \
  --dataloader_persistent_workers false \
  --label_smoothing_factor 0.0 \
  --average_tokens_across_devices true \
  --auto_find_batch_size false \
  --use_liger_kernel false \
  --torch_compile false \
  --full_determinism false \
  --eval_on_start false \
  --eval_delay 0.0 \
  --eval_do_concat_batches true \
  --prediction_loss_only false \
  --predict_with_generate false \
  --acc_strategy token \
  --load_best_model_at_end false \
  --save_only_model false \
  --resume_only_model false \
  --ignore_data_skip false \
  --safe_serialization true \
  --max_shard_size 5GB \
  --use_hf false \
  --load_args false \
  --check_model false \
  --add_version false \
  --create_checkpoint_symlink false \
  --use_cpu true \
  --dataloader_num_workers 0 \
  --logging_strategy steps \
  --logging_steps 5 \
  --report_to tensorboard \
  --output_dir "$RECIPE_OUT/checkpoints" \
  ${RECIPE_RESUME:+--resume_from_checkpoint "$RECIPE_RESUME"} \
  --external_plugins pipelines/watch.py \
  --callbacks recipe

python -m runners.collect checkpoint \
  --from "$RECIPE_OUT/checkpoints" \
  --to "$RECIPE_OUT/result" \
  --select last
