#!/usr/bin/env bash
# every-field/large-long · train · sft. Written by `recipe compile recipes/every-field.yaml`; edit the recipe, not this file.
# By hand, from the project's root: RECIPE_OUT=$(mktemp -d) bash pipelines/every-field/large-long/train.sh
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
export MAX_PIXELS=200704
export MIN_PIXELS=3136
export ROOT_IMAGE_DIR=outputs/every-field/large-long/shapes
export NPROC_PER_NODE=8
export NNODES=2
export RECIPE_PLAN=pipelines/every-field/large-long/train.json

[ -n "${RECIPE_TRAINED:-}" ] || swift sft \
  --model .recipe/models/Qwen--Qwen2-VL-2B-Instruct@main \
  --model_type qwen2_vl \
  --template qwen2_vl \
  --task_type causal_lm \
  --torch_dtype bfloat16 \
  --bf16 true \
  --fp16 false \
  --attn_impl flash_attention_2 \
  --tuner_type lora \
  --lora_rank 16 \
  --lora_alpha 32 \
  --lora_dropout 0.1 \
  --lora_bias none \
  --init_weights gaussian \
  --use_rslora true \
  --use_dora true \
  --target_modules q_proj v_proj \
  --modules_to_save embed_tokens \
  --quant_bits 4 \
  --quant_method bnb \
  --bnb_4bit_quant_type nf4 \
  --bnb_4bit_use_double_quant true \
  --bnb_4bit_compute_dtype bfloat16 \
  --dataset 'outputs/every-field/large-long/pictures/train.jsonl#1000' outputs/every-field/large-long/shapes/train.jsonl \
  --val_dataset outputs/every-field/large-long/pictures/validation.jsonl \
  --interleave_prob 0.75 0.25 \
  --stopping_strategy first_exhausted \
  --max_length 4096 \
  --packing true \
  --optim adamw_torch \
  --vit_lr 2e-05 \
  --aligner_lr 5e-05 \
  --lr_scheduler_type linear \
  --weight_decay 0.01 \
  --adam_beta1 0.9 \
  --adam_beta2 0.99 \
  --adam_epsilon 1e-07 \
  --max_grad_norm 0.5 \
  --num_train_epochs 3.0 \
  --per_device_train_batch_size 2 \
  --per_device_eval_batch_size 4 \
  --gradient_checkpointing true \
  --vit_gradient_checkpointing true \
  --save_total_limit 3 \
  --freeze_vit true \
  --freeze_aligner false \
  --freeze_llm false \
  --packing_strategy binpack \
  --packing_num_proc 1 \
  --truncation_strategy right \
  --learning_rate 0.0002 \
  --warmup_ratio 0.1 \
  --gradient_accumulation_steps 2 \
  --save_strategy steps \
  --save_steps 50 \
  --eval_strategy steps \
  --eval_steps 50 \
  --metric_for_best_model eval_loss \
  --greater_is_better false \
  --early_stop_interval 5 \
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
  --deepspeed pipelines/every-field/large-long/train.deepspeed.json \
  --use_cpu false \
  --dataloader_num_workers 4 \
  --logging_strategy steps \
  --logging_steps 10 \
  --report_to tensorboard swanlab wandb \
  --project 'every field' \
  --swanlab_project 'every field' \
  --output_dir "$RECIPE_OUT/checkpoints" \
  ${RECIPE_RESUME:+--resume_from_checkpoint "$RECIPE_RESUME"} \
  --lora_dtype bfloat16 \
  --neftune_noise_alpha 5 \
  --external_plugins pipelines/watch.py \
  --callbacks recipe

python -m runners.collect checkpoint \
  --from "$RECIPE_OUT/checkpoints" \
  --to "$RECIPE_OUT/result" \
  --select best \
  --evaluation "$RECIPE_OUT/result/evaluation.csv"
