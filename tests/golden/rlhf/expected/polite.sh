#!/usr/bin/env bash
# rlhf · polite · dpo. Written by `recipe compile recipes/rlhf.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/rlhf/polite.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=8
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false
export MAX_PIXELS=12845056
export MIN_PIXELS=3136
export NPROC_PER_NODE=4
export RECIPE_PLAN=pipelines/rlhf/polite.json

[ -n "${RECIPE_TRAINED:-}" ] || swift rlhf \
  --model .recipe/models/Qwen--Qwen2-VL-7B-Instruct \
  --model_type qwen2_vl \
  --template qwen2_vl \
  --task_type causal_lm \
  --torch_dtype bfloat16 \
  --bf16 true \
  --fp16 false \
  --attn_impl sdpa \
  --tuner_type lora \
  --lora_rank 16 \
  --lora_alpha 32 \
  --lora_dropout 0.05 \
  --lora_bias none \
  --init_weights true \
  --use_rslora false \
  --use_dora false \
  --target_modules all-linear \
  --dataset outputs/rlhf/chosen/train.jsonl \
  --val_dataset outputs/rlhf/chosen/validation.jsonl \
  --max_length 1024 \
  --beta 0.2 \
  --loss_type robust \
  --label_smoothing 0.1 \
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
  --rlhf_type dpo \
  --rpo_alpha 0.5 \
  --truncation_strategy right \
  --adapters outputs/rlhf/taught/model \
  --ref_adapters outputs/rlhf/taught/model \
  --learning_rate 0.0001 \
  --warmup_ratio 0.05 \
  --gradient_accumulation_steps 4 \
  --save_strategy steps \
  --save_steps 50 \
  --eval_strategy steps \
  --eval_steps 50 \
  --metric_for_best_model eval_loss \
  --greater_is_better false \
  --seed 11 \
  --data_seed 11 \
  --tuner_backend peft \
  --freeze_parameters_ratio 0.0 \
  --template_backend swift \
  --use_chat_template true \
  --add_non_thinking_prefix true \
  --disable_ignore_empty_think false \
  --loss_scale last_round \
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
  --select last \
  --evaluation "$RECIPE_OUT/result/evaluation.csv"
