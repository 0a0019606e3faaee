#!/bin/bash
# From a training to servers: adapters are folded in, numbers get smaller, and three servers are started.
export MAX_PIXELS=${MAX_PIXELS:-401408}
RUN=out/captions
NPROC_PER_NODE=4 swift sft --model Qwen/Qwen2.5-VL-7B-Instruct --dataset data/captions.jsonl --lora_rank 16 \
  --torch_dtype bfloat16 --output_dir $RUN
swift export --adapters "$RUN"/checkpoint-100 --merge_lora true --output_dir "$RUN-merged"
swift export --model "$RUN-merged" --quant_method gptq --quant_bits 4 --dataset data/captions.jsonl#300 \
  --group_size 64 --max_length 1024 --output_dir "$RUN-gptq"  # smaller
swift export --model "$RUN-merged" --quant_bits 4
swift export --model "$RUN-merged" --quant_method awq --quant_bits 4
CUDA_VISIBLE_DEVICES=0 swift infer --model "$RUN-gptq" --val_dataset data/questions.jsonl --max_new_tokens 100 \
  --infer_backend vllm
CUDA_VISIBLE_DEVICES=0 swift deploy --model "$RUN-gptq" --infer_backend vllm --vllm_max_model_len 8192 \
  --vllm_gpu_memory_utilization 0.8 --port 8001 --host 0.0.0.0 --served_model_name captions
vllm serve "$RUN-merged" --tensor-parallel-size 2 --port 8002 --max-model-len 4096 --enforce-eager --dtype bfloat16
swift deploy --adapters "$RUN/checkpoint-100" --max_batch_size 4
vllm serve --port 9000
swift rollout --model Qwen/Qwen2.5-VL-7B-Instruct
swift eval --model "$RUN-merged" --eval_dataset gsm8k
