#!/usr/bin/env bash
# every-field/large-long · judge · classify. Written by `recipe compile recipes/every-field.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/every-field/large-long/judge.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
: "${NODE_RANK:?the cluster has to set it}"
: "${MASTER_ADDR:?the cluster has to set it}"
: "${MASTER_PORT:?the cluster has to set it}"
export OMP_NUM_THREADS=8
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false
export ROOT_IMAGE_DIR=outputs/every-field/large-long/marked
export NPROC_PER_NODE=8
export NNODES=2
export RECIPE_PLAN=pipelines/every-field/large-long/judge.json

[ -n "${RECIPE_TRAINED:-}" ] || swift sft \
  --model "${RECIPE_RESUME:-models/qwen}" \
  --model_type qwen2 \
  --template qwen2_5 \
  --task_type seq_cls \
  --num_labels 5 \
  --problem_type single_label_classification \
  --torch_dtype float32 \
  --bf16 false \
  --fp16 false \
  --attn_impl sdpa \
  --tuner_type full \
  --dataset outputs/every-field/large-long/marked/train.jsonl \
  --max_length 2048 \
  --packing false \
  --optim adamw_torch_fused \
  --lr_scheduler_type cosine \
  --weight_decay 0.1 \
  --adam_beta1 0.9 \
  --adam_beta2 0.95 \
  --adam_epsilon 1e-08 \
  --max_grad_norm 1.0 \
  --num_train_epochs 1.0 \
  --per_device_train_batch_size 1 \
  --per_device_eval_batch_size 1 \
  --gradient_checkpointing true \
  --vit_gradient_checkpointing true \
  --save_total_limit 2 \
  --freeze_vit true \
  --freeze_aligner true \
  --freeze_llm false \
  --truncation_strategy delete \
  --learning_rate 1e-05 \
  --warmup_steps 10 \
  --gradient_accumulation_steps 1 \
  --save_strategy epoch \
  --eval_strategy no \
  --seed 7 \
  --data_seed 7 \
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
  --use_cpu false \
  --dataloader_num_workers 4 \
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
