#!/usr/bin/env python3
"""Writes the golden logits that logits_golden_test.cpp compares with.

The reference is Hugging Face transformers in F32 on the weights of the same GGUF file, dequantised to F32. It shares no
code with this project. Run once per model file (about 5 minutes on 2 cores), in a virtual environment with
`pip install torch transformers gguf accelerate`:

    python tests/golden/logits/make_golden.py --model .run/models/SmolLM2-135M-Instruct.Q4_1.gguf

cases.txt   text, one fact a line:
    vocabulary N
    case NAME, then for it
      prompt IDS...          prompt token ids
      greedy IDS...          the next 64 tokens, greedy, not stopped by an end token
      probe ROW COUNT        logits after prompt + greedy[: ROW - len(prompt) + 1], i.e. of row ROW; in file order
logits.bin  little endian, one run a probe: COUNT x int32 ids (left out when COUNT is the vocabulary), COUNT x float32
"""
import argparse
import pathlib

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

GREEDY_TOKENS = 64
PROBED_IDS = 256  # the best, and as many fixed random ones

LONG_TEXT = (
    "A message broker keeps records in topics, and every topic is cut into partitions. Records with the same key go to "
    "the same partition, so that their order is kept. A consumer group shares the partitions among its members, and each "
    "member commits the offset up to which it has finished. When a member dies, its partitions move to another one, which "
    "goes on from the last committed offset and may therefore see some records twice. "
)

CHATS = {
    "capital": [("user", "What is the capital of France?")],
    "haiku": [("user", "Write a haiku about the sea.")],
    "arithmetic": [("user", "What is 17 + 25? Explain step by step.")],
    "system_prompt": [("system", "You are a pirate. Answer briefly."), ("user", "Who are you?")],
    "three_turns": [
        ("user", "My name is Ada."),
        ("assistant", "Nice to meet you, Ada! How can I help?"),
        ("user", "What is my name?"),
    ],
    "german": [("user", "Wie heißt die Hauptstadt von Österreich?")],
    "japanese": [("user", "日本の首都はどこですか?")],
    "emoji": [("user", "What does 👩‍💻🎉 mean? 🙂")],
    "code_question": [("user", "Write a Python function that reverses a string.")],
    "empty_question": [("user", " ")],
    "long_question": [("user", LONG_TEXT * 6 + "What happens when a member dies?")],
}
TEXTS = {
    "one_token": "The",
    "story": "Once upon a time, in a small village at the edge of the forest,",
    "list": "1, 2, 3, 4, 5,",
    "python": "def fibonacci(n):\n    if n < 2:\n        return n\n",
    "json": '{"name": "Alice", "age": 30, "city": "',
    "arabic": "السلام عليكم",
    "spaces": "a      b\t\tc\n\n\n",
    "shouting": "BREAKING NEWS: SCIENTISTS DISCOVER",
    "long_text": LONG_TEXT * 4,
}
FULL_VOCABULARY = {"capital", "story"}  # every logit of these prompts' last row


def render(chat):
    if chat[0][0] != "system":
        chat = [("system", "You are a helpful AI assistant named SmolLM, trained by Hugging Face")] + chat
    return "".join(f"<|im_start|>{role}\n{text}<|im_end|>\n" for role, text in chat) + "<|im_start|>assistant\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent)
    args = parser.parse_args()

    torch.set_grad_enabled(False)
    source = dict(pretrained_model_name_or_path=str(args.model.parent), gguf_file=args.model.name)
    tokenizer = AutoTokenizer.from_pretrained(**source)
    model = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.float32, attn_implementation="eager").eval()
    vocabulary = model.config.vocab_size
    fixed_ids = np.sort(np.random.default_rng(20240501).choice(vocabulary, PROBED_IDS, replace=False))

    prompts = {name: render(chat) for name, chat in CHATS.items()} | TEXTS
    lines = [f"vocabulary {vocabulary}"]
    binary = bytearray()
    for name, text in prompts.items():
        prompt = tokenizer(text, add_special_tokens=False)["input_ids"]
        tokens = list(prompt)
        cache, pending, margin = None, prompt, float("inf")
        for _ in range(GREEDY_TOKENS):
            out = model(input_ids=torch.tensor([pending]), past_key_values=cache, use_cache=True)
            cache = out.past_key_values
            best = torch.topk(out.logits[0, -1], 2)
            margin = min(margin, float(best.values[0] - best.values[1]))
            pending = [int(best.indices[0])]
            tokens += pending
        print(f"{name}: {len(prompt)} prompt tokens, smallest margin {margin:.4f}: {tokenizer.decode(tokens[len(prompt):])!r}")

        logits = model(input_ids=torch.tensor([tokens])).logits[0].numpy().astype("<f4")
        assert tokens[len(prompt):] == logits[len(prompt) - 1 : -1].argmax(-1).tolist(), name
        lines += [f"case {name}", "prompt " + " ".join(map(str, prompt)), "greedy " + " ".join(map(str, tokens[len(prompt):]))]
        for generated in (0, 16, 32, 63):
            row = len(prompt) - 1 + generated
            if generated == 0 and name in FULL_VOCABULARY:
                lines.append(f"probe {row} {vocabulary}")
                binary += logits[row].tobytes()
                continue
            ids = np.unique(np.concatenate([np.argsort(-logits[row])[:PROBED_IDS], fixed_ids])).astype("<i4")
            lines.append(f"probe {row} {len(ids)}")
            binary += ids.tobytes() + logits[row][ids].tobytes()

    (args.out / "cases.txt").write_text("\n".join(lines) + "\n")
    (args.out / "logits.bin").write_bytes(binary)


if __name__ == "__main__":
    main()
