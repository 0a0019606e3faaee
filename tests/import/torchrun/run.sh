torchrun --nproc_per_node 2 --nnodes 2 --node_rank $RANK --master_addr $MASTER \
  finetune.py --model Qwen/Qwen2.5-0.5B-Instruct --dataset data/chat.jsonl --bf16 --max_seq_length 1024 \
  --per_device_train_batch_size 4 --epochs 1 --lr 2e-4 --use_lora --seed 7
