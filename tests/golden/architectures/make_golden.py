#!/usr/bin/env python3
"""Writes the tiny random models and their logits that the tests beside this file compare with.

The reference is Hugging Face transformers: its own model classes with random weights, run in F32. The weights are
rounded to F16 first, so that the GGUF files hold exactly what the reference computed with. Names and tensors are
transformed as the format's own converter does (convert_hf_to_gguf.py of llama.cpp): the rows of Llama's Q and K are
permuted, Gemma's norms get their 1 added. A minute on 2 cores, in a virtual environment with
`pip install -r tests/golden/architectures/requirements.txt`:

    python tests/golden/architectures/make_golden.py

NAME.f16.gguf   matrices in F16, vectors in F32
NAME.q8_0.gguf  the same model with its matrices in Q8_0; not of those for the device kernels, NAME.device
NAME.logits     little endian: int32 tokens, int32 vocabulary, tokens x int32 ids, tokens x vocabulary x float32: the
                F32 logits of the F16 weights after each token
"""
import math
import pathlib

import gguf
import numpy as np
import torch
import transformers

HERE = pathlib.Path(__file__).parent
TOKENS = 80  # more than any window, so that it slides
VOCABULARY = 256

SHAPE = dict(
    vocab_size=VOCABULARY,
    hidden_size=64,
    intermediate_size=96,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=512,
)


# The device kernels take heads of 64 values and more.
DEVICE_SHAPE = {**SHAPE, "hidden_size": 128, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1}


def llama(shape):
    """With Llama 3.1's rotary angles, whose divisors the converter writes as a tensor; positions reach beyond the
    original 32."""
    return transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            **shape,
            tie_word_embeddings=False,
            rms_norm_eps=1e-5,
            rope_parameters=dict(
                rope_type="llama3",
                rope_theta=500000.0,
                factor=8.0,
                low_freq_factor=1.0,
                high_freq_factor=4.0,
                original_max_position_embeddings=32,
            ),
        )
    )


def qwen2(shape):
    return transformers.Qwen2ForCausalLM(
        transformers.Qwen2Config(
            **shape,
            tie_word_embeddings=True,
            rms_norm_eps=1e-6,
            rope_parameters=dict(rope_type="default", rope_theta=1000000.0),
        )
    )


def qwen3(shape, head_dim):
    """Heads are wider than hidden_size / num_attention_heads."""
    return transformers.Qwen3ForCausalLM(
        transformers.Qwen3Config(
            **shape,
            head_dim=head_dim,
            tie_word_embeddings=False,
            rms_norm_eps=1e-6,
            rope_parameters=dict(rope_type="default", rope_theta=1000000.0),
        )
    )


def models():
    """Name, architecture in the file, and the model."""
    yield "llama", "llama", llama(SHAPE)
    yield "qwen2", "qwen2", qwen2(SHAPE)
    yield "qwen3", "qwen3", qwen3(SHAPE, 32)
    yield "llama.device", "llama", llama(DEVICE_SHAPE)
    yield "qwen2.device", "qwen2", qwen2(DEVICE_SHAPE)
    yield "qwen3.device", "qwen3", qwen3(DEVICE_SHAPE, 128)
    # Seven layers: five local, one global, one local again. The global one has linearly scaled positions, as the larger
    # Gemma 3 models do.
    yield "gemma3", "gemma3", transformers.Gemma3ForCausalLM(
        transformers.Gemma3TextConfig(
            **{**SHAPE, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 7},
            head_dim=32,
            query_pre_attn_scalar=32,
            sliding_window=24,
            rope_parameters=dict(
                full_attention=dict(rope_type="linear", factor=8.0, rope_theta=1000000.0),
                sliding_attention=dict(rope_type="default", rope_theta=10000.0),
            ),
        )
    )


def randomise(model):
    """Weights large enough that attention picks and gates open; every norm and bias differs from its neutral value."""
    generator = torch.Generator().manual_seed(4)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.dim() == 2 and "embed_tokens" not in name:
            value = noise * 1.5 / math.sqrt(parameter.shape[1])
        elif parameter.dim() == 2:
            value = noise * (0.2 if model.config.tie_word_embeddings else 1.0)
        elif "norm" in name:
            value = parameter.data + 0.3 * noise  # around its neutral value: 1, or 0 for Gemma
        else:
            value = 0.5 * noise
        parameter.data = value.half().float() if parameter.dim() == 2 else value


def unpermuted_pairs(weight, heads):
    """Rows of Q and K in the order that pairs neighbours (LlamaModel.permute of the converter)."""
    rows = weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:])
    return rows.swapaxes(1, 2).reshape(weight.shape)


def rope_divisors(config):
    """What the converter writes as rope_freqs.weight for rope_type llama3 (LlamaModel.generate_extra_tensors)."""
    parameters = config.rope_parameters
    dim = config.hidden_size // config.num_attention_heads
    frequencies = 1.0 / (parameters["rope_theta"] ** (np.arange(0, dim, 2, dtype=np.float32) / dim))
    low, high = parameters["low_freq_factor"], parameters["high_freq_factor"]
    original = parameters["original_max_position_embeddings"]
    divisors = []
    for frequency in frequencies:
        wavelength = 2 * math.pi / frequency
        if wavelength < original / high:
            divisors.append(1.0)
        elif wavelength > original / low:
            divisors.append(parameters["factor"])
        else:
            smooth = (original / wavelength - low) / (high - low)
            divisors.append(1 / ((1 - smooth) / parameters["factor"] + smooth))
    return np.array(divisors, dtype=np.float32)


def tensors(model, architecture):
    """Name in the file and F32 value of every tensor."""
    config = model.config
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[architecture.upper()], config.num_hidden_layers)
    for name, parameter in model.named_parameters():
        value = parameter.detach().numpy()
        if architecture == "llama" and name.endswith("q_proj.weight"):
            value = unpermuted_pairs(value, config.num_attention_heads)
        if architecture == "llama" and name.endswith("k_proj.weight"):
            value = unpermuted_pairs(value, config.num_key_value_heads)
        if architecture == "gemma3" and name.endswith("norm.weight"):
            value = value + 1
        yield names.get_name(name, try_suffixes=(".weight", ".bias")), value
    if config.rope_parameters.get("rope_type") == "llama3":
        yield "rope_freqs.weight", rope_divisors(config)


def write_model(path, model, architecture, matrix_type):
    config = model.config
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    if architecture in ("qwen3", "gemma3"):
        writer.add_key_length(config.head_dim)
        writer.add_value_length(config.head_dim)
    rope = config.rope_parameters
    if architecture == "gemma3":
        writer.add_sliding_window(config.sliding_window)
        rope = rope["full_attention"]
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(rope["factor"])
    writer.add_rope_freq_base(rope["rope_theta"])
    for name, value in tensors(model, architecture):
        if value.ndim == 1:
            writer.add_tensor(name, value.astype(np.float32))
        elif matrix_type == gguf.GGMLQuantizationType.F16:
            writer.add_tensor(name, value.astype(np.float16))
        else:
            writer.add_tensor(name, gguf.quants.quantize(value, matrix_type), raw_dtype=matrix_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    torch.set_grad_enabled(False)
    ids = np.random.default_rng(11).integers(0, VOCABULARY, TOKENS, dtype=np.int32)
    for name, architecture, model in models():
        randomise(model)
        model.eval()
        model.set_attn_implementation("eager")
        logits = model(torch.from_numpy(ids.astype(np.int64))[None]).logits[0].numpy()
        write_model(HERE / f"{name}.f16.gguf", model, architecture, gguf.GGMLQuantizationType.F16)
        if not name.endswith(".device"):
            write_model(HERE / f"{name}.q8_0.gguf", model, architecture, gguf.GGMLQuantizationType.Q8_0)
        with open(HERE / f"{name}.logits", "wb") as file:
            file.write(np.array([TOKENS, VOCABULARY], dtype="<i4").tobytes())
            file.write(ids.astype("<i4").tobytes())
            file.write(logits.astype("<f4").tobytes())
        print(f"{name}: logits of spread {logits.std():.3f}, transformers {transformers.__version__}")


if __name__ == "__main__":
    main()
