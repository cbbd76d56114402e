#!/usr/bin/env python3
"""Writes prompts.tsv: the token ids of each conversation of generate.py in the model's own chat template.

  v/bin/python tests/golden/chat_template/generate_prompts.py .run/models/SmolLM2-135M-Instruct.Q4_1.gguf

The reference is Jinja2 for the text and the `tokenizers` library for the ids. Special tokens count only where the template wrote them:
"<" inside messages is rendered as a private-use code point, the text is cut at the special tokens that are left, and each part is
encoded on its own, with "<" put back and without special tokens. Rows: conversation | add_generation_prompt | ids.
"""
import importlib.util
import re
import sys

from gguf import GGUFReader

import generate as chat

sys.path.insert(0, str(chat.HERE.parent / "tokenizer"))  # for its own imports
spec = importlib.util.spec_from_file_location("tokenizer_generate", chat.HERE.parent / "tokenizer" / "generate.py")
reference = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reference)

STAND_IN = "\uf8ff"


def main():
    fields = GGUFReader(sys.argv[1]).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    special = {t: i for i, (t, kind) in enumerate(zip(tokens, fields["tokenizer.ggml.token_type"].contents())) if kind == 3}
    tokenizer = reference.build(tokens, fields["tokenizer.ggml.merges"].contents(), reference.smollm_pre_tokenizer())
    template = chat.environment().from_string(fields["tokenizer.chat_template"].contents())
    cut = re.compile("(" + "|".join(sorted(map(re.escape, special), key=len, reverse=True)) + ")")
    rows = []
    for name, conversation in chat.CONVERSATIONS.items():
        for prompt in (False, True):
            messages = [{"role": role, "content": text.replace("<", STAND_IN)} for role, text in conversation]
            text = template.render(messages=messages, add_generation_prompt=prompt)
            ids = []
            for part in cut.split(text):
                if part in special:
                    ids.append(special[part])
                elif part:
                    ids += tokenizer.encode(part.replace(STAND_IN, "<"), add_special_tokens=False).ids
            rows.append(f"{name}\t{int(prompt)}\t{' '.join(map(str, ids))}\n")
    (chat.HERE / "prompts.tsv").write_text("".join(rows), newline="\n")
    print(len(rows), "rows")


if __name__ == "__main__":
    main()
