"""Writes a model's matrices as checkpoints in fewer bits have them, and a second folder with the values that they then stand
for, in float32: what an engine that reads the first rightly must compute. From the formats' descriptions, with numpy alone."""

import functools
import json
import os
import re
import shutil

import numpy as np

BLOCK = 128
# Values of e4m3 from 0 on, by their codes 0 to 126.
E4M3 = np.array([m / 512 if e == 0 else (8 + m) * 2.0 ** (e - 10) for e in range(16) for m in range(8)][:127])
AWQ = [0, 2, 4, 6, 1, 3, 5, 7]

MATRIX = re.compile(r".*(_proj|\.w[123])\.weight")
EXPERT = re.compile(r".*\.experts\.(\d+)\..*")
HEAD = "lm_head.weight"
MXFP4 = "mxfp4"


# ---- safetensors ---------------------------------------------------------------------------------------------------

WIDTH = {"F32": 4, "F16": 2, "BF16": 2}


def read_tensors(file):
    """{name: (type, shape, bytes)}."""
    with open(file, "rb") as f:
        header = json.loads(f.read(int.from_bytes(f.read(8), "little")))
        data = f.read()
    header.pop("__metadata__", None)
    return {name: (e["dtype"], e["shape"], data[e["data_offsets"][0]:e["data_offsets"][1]])
            for name, e in header.items()}


def write_tensors(file, tensors):
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, (kind, shape, data) in tensors.items():
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(file, "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text)
        for _, _, data in tensors.values():
            f.write(data)


def floats(kind, shape, data):
    if kind == "BF16":
        values = (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
    else:
        values = np.frombuffer(data, {"F32": "<f4", "F16": "<f2"}[kind])
    return values.astype(np.float64).reshape(shape)


def single(values):
    return np.ascontiguousarray(values, "<f4").tobytes()


def words(values, axis, bits=4):
    """As many values of so many bits as a word has, along an axis, the first lowest."""
    moved = np.moveaxis(values.astype(np.uint32), axis, -1)
    each = 32 // bits
    packed = np.zeros(moved.shape[:-1] + (moved.shape[-1] // each,), np.uint32)
    for i in range(each):
        packed |= moved[..., i::each] << bits * i
    return np.ascontiguousarray(np.moveaxis(packed, -1, axis).astype("<u4")).tobytes()


# ---- formats: tensors of a matrix w[n][k], and the values that they stand for --------------------------------------


def e4m3(values):
    """Codes of the nearest values, ties to the even code."""
    magnitude = np.minimum(np.abs(values), 448)
    above = np.clip(np.searchsorted(E4M3, magnitude), 1, 126)
    below = above - 1
    up, down = E4M3[above] - magnitude, magnitude - E4M3[below]
    code = np.where((up < down) | ((up == down) & (above % 2 == 0)), above, below)
    return (code | (values < 0) * 128).astype(np.uint8)


def fp8_blocks(w, expert):
    n, k = w.shape
    down, across = -(-n // BLOCK), -(-k // BLOCK)
    padded = np.zeros((down * BLOCK, across * BLOCK))
    padded[:n, :k] = w
    greatest = np.abs(padded).reshape(down, BLOCK, across, BLOCK).max(axis=(1, 3))
    scale = np.where(greatest > 0, greatest / 448, 1).astype(np.float32)
    each = np.repeat(np.repeat(scale, BLOCK, 0), BLOCK, 1)[:n, :k].astype(np.float64)
    code = e4m3(w / each)
    value = E4M3[code & 127] * np.where(code & 128, -1, 1) * each
    return {".weight": ("F8_E4M3", (n, k), code.tobytes()),
            ".weight_scale_inv": ("F32", (down, across), single(scale))}, value


def int8(w, expert):
    n, k = w.shape
    scale = (np.abs(w).max(axis=1, keepdims=True) / 127).astype(np.float32)
    value = np.rint(w / scale).clip(-127, 127)
    return {".weight": ("I8", (n, k), value.astype(np.int8).tobytes()),
            ".weight_scale": ("F32", (n, 1), single(scale))}, value * scale


def integers(w, symmetric, order, group, bits=4):
    """Codes, zeros and scales; inputs order[g * group : (g + 1) * group] are those of group g."""
    n, k = w.shape
    grouped = w[:, order].reshape(n, k // group, group)
    most = np.abs(grouped).max(2) if symmetric else np.maximum(grouped.max(2), 0)
    least = -most if symmetric else np.minimum(grouped.min(2), 0)
    greatest = 2 ** bits - 1
    scale = np.maximum((most - least) / greatest, 1e-6).astype("<f2")
    each = scale.astype(np.float64)[:, :, None]
    half = np.full(scale.shape, 2 ** (bits - 1))
    zero = half if symmetric else np.rint(-least / each[:, :, 0]).clip(1, greatest).astype(int)
    code = (np.rint(grouped / each) + zero[:, :, None]).clip(0, greatest).astype(int)
    value = ((code - zero[:, :, None]) * each).reshape(n, k)
    back = np.argsort(order)
    return code.reshape(n, k)[:, back], zero, scale, value[:, back]


def awq(w, expert, group=128):
    n, k = w.shape
    code, zero, scale, value = integers(w, False, np.arange(k), group)
    mixed = lambda v: v.reshape(v.shape[0], -1, 8)[:, :, AWQ].reshape(v.shape)
    return {".qweight": ("I32", (k, n // 8), words(mixed(code.T), 1)),
            ".qzeros": ("I32", (k // group, n // 8), words(mixed(zero.T), 1)),
            ".scales": ("F16", (k // group, n), np.ascontiguousarray(scale.T).tobytes())}, value


def order_of(k, expert):
    """The same for all matrices of k inputs that are no experts', and for those of an expert (-1: of none)."""
    return np.random.default_rng([k, expert + 1]).permutation(k)


def groups_of(order, group):
    groups = np.empty(len(order), "<i4")
    groups[order] = np.arange(len(order)) // group
    return groups


def gptq(w, expert, group=128, bits=4):
    n, k = w.shape
    order = order_of(k, expert)
    code, zero, scale, value = integers(w, False, order, group, bits)
    return {".qweight": ("I32", (k * bits // 32, n), words(code.T, 0, bits)),
            ".qzeros": ("I32", (k // group, n * bits // 32), words(zero.T - 1, 1, bits)),
            ".scales": ("F16", (k // group, n), np.ascontiguousarray(scale.T).tobytes()),
            ".g_idx": ("I32", (k,), groups_of(order, group).tobytes())}, value


def packed(w, expert, group=128, bits=4):
    n, k = w.shape
    code, zero, scale, value = integers(w, True, np.arange(k), group, bits)
    return {".weight_packed": ("I32", (n, k * bits // 32), words(code, 1, bits)),
            ".weight_scale": ("F16", (n, k // group), scale.tobytes()),
            ".weight_shape": ("I64", (2,), np.array([n, k], "<i8").tobytes())}, value


def compressed(form, **weights):
    return {"quant_method": "compressed-tensors", "format": form,
            "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights}}}


def in_groups(group):
    """(what writes a matrix, configuration, group) of the forms of integers in groups."""
    end = "" if group == 128 else "-%d" % group
    forms = {"awq" + end: (awq, {"quant_method": "awq", "bits": 4, "group_size": group, "version": "gemm",
                                 "zero_point": True}, group)}
    for bits, name in ((4, ""), (8, "8")):
        forms["gptq" + name + end] = (
            functools.partial(gptq, bits=bits),
            {"quant_method": "gptq", "bits": bits, "group_size": group, "desc_act": True}, group)
        forms["packed" + name + end] = (
            functools.partial(packed, bits=bits),
            compressed("pack-quantized", num_bits=bits, type="int", strategy="group", group_size=group,
                       symmetric=True), group)
    return forms


FORMS = {
    "fp8-blocks": (fp8_blocks, {"quant_method": "fp8", "weight_block_size": [BLOCK, BLOCK]}, 0),
    "int8": (int8, compressed("int-quantized", num_bits=8, type="int", strategy="channel", symmetric=True), 0),
    **in_groups(128), **in_groups(64), **in_groups(32),
    "gptq-head": (gptq, {"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": True, "lm_head": True}, 128),
}


# Values of e2m1 by their codes.
E2M1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6])
# Those of all experts of a layer of gpt-oss, [experts][inputs][outputs].
EXPERTS = re.compile(r".*\.experts\.(gate_up|down)_proj")


def mxfp4(w):
    """Blocks and scales of w[expert][n][k], two neighbours in a byte, the first lower, and the values."""
    experts, n, k = w.shape
    grouped = w.reshape(experts, n, k // 32, 32)
    greatest = np.maximum(np.abs(grouped).max(axis=3, keepdims=True), 2.0 ** -120)
    power = np.ceil(np.log2(greatest / 6))
    magnitude = np.abs(grouped) / 2.0 ** power
    code = np.abs(magnitude[..., None] - E2M1).argmin(axis=-1)
    value = E2M1[code] * np.where(grouped < 0, -1, 1) * 2.0 ** power
    code = (code | (grouped < 0) * 8).astype(np.uint8)
    return {"_blocks": ("U8", (experts, n, k // 32, 16), (code[..., ::2] | code[..., 1::2] << 4).tobytes()),
            "_scales": ("U8", (experts, n, k // 32), (power[..., 0] + 127).astype(np.uint8).tobytes())}, value.reshape(w.shape)


def store_mxfp4(folder, exact):
    """Rewrites `folder` with its experts as gpt-oss has them in MXFP4, and makes `exact`."""
    stored, values, rewritten = {}, {}, 0
    for name, (kind, shape, data) in read_tensors(os.path.join(folder, "model.safetensors")).items():
        if EXPERTS.fullmatch(name):
            own, value = mxfp4(np.swapaxes(floats(kind, shape, data), 1, 2))
            for end, tensor in own.items():
                stored[name + end] = tensor
            values[name] = ("F32", shape, single(np.swapaxes(value, 1, 2)))
            rewritten += 1
        else:
            stored[name] = (kind, shape, data)
            values[name] = ("F32", shape, single(floats(kind, shape, data)))
    finish(folder, exact, stored, values, rewritten, "mxfp4",
           {"quant_method": "mxfp4", "modules_to_not_convert": ["model.layers.*.self_attn", "model.layers.*.mlp.router",
                                                                "model.embed_tokens", "lm_head"]})


def store(folder, exact, form):
    """Rewrites `folder` in a form, and makes `exact`. Matrices whose inputs a form cannot group stay."""
    if form == MXFP4:
        store_mxfp4(folder, exact)
        return
    write, config, group = FORMS[form]
    write = functools.partial(write, group=group) if group else write
    file = os.path.join(folder, "model.safetensors")
    stored, values, rewritten = {}, {}, 0
    for name, (kind, shape, data) in read_tensors(file).items():
        fits = not group or (len(shape) == 2 and shape[1] % group == 0 and shape[0] % 8 == 0)
        wanted = MATRIX.fullmatch(name) or (name == HEAD and config.get("lm_head", False))
        if wanted and len(shape) == 2 and fits:
            expert = EXPERT.fullmatch(name)
            own, value = write(floats(kind, shape, data), int(expert[1]) if expert else -1)
            for end, tensor in own.items():
                stored[name[:-len(".weight")] + end] = tensor
            values[name] = ("F32", shape, single(value))
            rewritten += 1
        else:
            stored[name] = (kind, shape, data)
            values[name] = ("F32", shape, single(floats(kind, shape, data)))
    finish(folder, exact, stored, values, rewritten, form, config)


def finish(folder, exact, stored, values, rewritten, form, config):
    file = os.path.join(folder, "model.safetensors")
    if rewritten == 0:
        raise ValueError("no matrix of %s is written as %s" % (file, form))
    shutil.rmtree(exact, ignore_errors=True)
    shutil.copytree(folder, exact)
    write_tensors(os.path.join(exact, "model.safetensors"), values)
    write_tensors(file, stored)
    path = os.path.join(folder, "config.json")
    with open(path, encoding="utf-8") as f:
        whole = json.load(f)
    with open(path, "w", encoding="utf-8") as f:
        json.dump({**whole, "quantization_config": config}, f, indent=2)
