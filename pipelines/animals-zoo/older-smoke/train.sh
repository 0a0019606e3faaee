#!/usr/bin/env bash
# animals-zoo/older-smoke · train · sft. Written by `recipe compile recipes/animals-zoo.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/animals-zoo/older-smoke/train.sh
set -euo pipefail
: "${RECIPE_OUT:?name a folder for what this stage writes}"
export OMP_NUM_THREADS=1
export PYTHONHASHSEED=0
export HF_HUB_OFFLINE=1
export MODELSCOPE_CACHE=.recipe/cache/modelscope
export TOKENIZERS_PARALLELISM=false
export CUDA_VISIBLE_DEVICES=''

[ -n "${RECIPE_TRAINED:-}" ] || swift sft \
  --model .recipe/models/tiny--llava1.5-hf-v4 \
  --model_type llava1_5_hf \
  --template llava1_5_hf \
  --task_type causal_lm \
  --torch_dtype bfloat16 \
  --bf16 true \
  --fp16 false \
  --attn_impl sdpa \
  --train_type lora \
  --lora_rank 16 \
  --lora_alpha 32 \
  --lora_dropout 0.05 \
  --lora_bias none \
  --init_weights true \
  --use_rslora false \
  --use_dora false \
  --target_modules all-linear \
  --dataset outputs/animals-zoo/older-smoke/data/train.jsonl \
  --max_length 2048 \
  --packing false \
  --optim adamw_torch_fused \
  --lr_scheduler_type cosine \
  --weight_decay 0.01 \
  --adam_beta1 0.9 \
  --adam_beta2 0.95 \
  --adam_epsilon 1e-08 \
  --max_grad_norm 1.0 \
  --num_train_epochs 2.0 \
  --max_steps 4 \
  --per_device_train_batch_size 2 \
  --per_device_eval_batch_size 1 \
  --gradient_checkpointing false \
  --save_total_limit 2 \
  --freeze_vit true \
  --freeze_aligner true \
  --freeze_llm false \
  --truncation_strategy delete \
  --learning_rate 0.0001 \
  --warmup_ratio 0.03 \
  --gradient_accumulation_steps 4 \
  --save_strategy steps \
  --save_steps 1000000000 \
  --eval_strategy no \
  --seed 42 \
  --data_seed 42 \
  --tuner_backend peft \
  --freeze_parameters_ratio 0.0 \
  --template_backend swift \
  --use_chat_template true \
  --loss_scale default \
  --padding_side right \
  --sequence_parallel_size 1 \
  --group_by_length false \
  --split_dataset_ratio 0.0 \
  --streaming false \
  --strict true \
  --enable_cache false \
  --dataloader_drop_last false \
  --dataloader_persistent_workers false \
  --label_smoothing_factor 0.0 \
  --auto_find_batch_size false \
  --use_liger false \
  --torch_compile false \
  --full_determinism false \
  --eval_delay 0.0 \
  --eval_do_concat_batches true \
  --prediction_loss_only false \
  --predict_with_generate false \
  --acc_strategy token \
  --load_best_model_at_end false \
  --save_only_model false \
  --resume_only_model false \
  --ignore_data_skip false \
  --use_hf false \
  --load_args false \
  --check_model false \
  --add_version false \
  --use_cpu true \
  --dataloader_num_workers 0 \
  --logging_strategy steps \
  --logging_steps 1 \
  --report_to tensorboard \
  --output_dir "$RECIPE_OUT/checkpoints" \
  ${RECIPE_RESUME:+--resume_from_checkpoint "$RECIPE_RESUME"}

python -m runners.collect checkpoint \
  --from "$RECIPE_OUT/checkpoints" \
  --to "$RECIPE_OUT/result" \
  --select last
