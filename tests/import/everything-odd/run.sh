#!/bin/bash
# What cannot be known without running it is told with its place, and nothing of it is run.
source env.sh
LR=$(cat best_lr.txt)
for seed in 1 2 3; do
  swift sft --model Qwen/Qwen2.5-0.5B-Instruct --seed $seed --dataset data/a.jsonl
  MODEL=other/model
done
if [ -z "$MODEL" ]; then MODEL=x; fi
[ -f done ] && swift export --adapters a --merge_lora true
ARGS=(
  --lora_rank 4   # small
  --lora_alpha 8
)
EXTRA="--weight_decay 0.0 --seed 3"
cat <<EOF > notes.txt
swift sft --model in/a-heredoc
EOF
nohup swift sft --model Qwen/Qwen2.5-0.5B-Instruct --dataset data/chat.jsonl data/*.jsonl \
  --learning_rate $LR $EXTRA "${ARGS[@]}" \
  --save_strategy epoch --max_grad_norm $((1+1)) --lora_rank 6 --tuner_type adalora \
  --response_prefix 'It'"'"'s $HOME' --unheard_of 7 --optim adamw_torhc --packing true \
  # a comment ends the command here \
  --num_train_epochs 9 &
swift rlhf --rlhf_type grpo --model Qwen/Qwen2.5-0.5B-Instruct
megatron sft --load x
wait
