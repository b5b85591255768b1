"""Decoders that give vectors, served over HTTP, against transformers on the same random weights: embeddings by the last
token's state, and shares of labels. Used by parity."""

import os
import shutil

import common

LABELS = 5
# An error of an element of a vector of length one is held against transformers' own in the same 16 bits, never below.
LEAST = 0.002
PEER_FACTOR = 1.5


def cases(base, plain):
    """(name, class, dtype, settings, rotary, whether it has labels)"""
    narrow = {**base, "head_dim": 64, "tie_word_embeddings": True}
    return [
        ("vectors, qwen3", "Qwen3", "bfloat16", narrow, plain, False),
        ("vectors, mistral, fp16, window 48", "Mistral", "float16", {**narrow, "sliding_window": 48}, plain, False),
        ("vectors, labels, llama, fp16", "Llama", "float16", {**narrow, "num_labels": LABELS}, plain, True),
    ]


def states(folder, dtype, device, labelled, prompts, back):
    """What each prompt comes to in a type of one's choice, read so many tokens before its end."""
    import torch
    import transformers

    auto = transformers.AutoModelForSequenceClassification if labelled else transformers.AutoModel
    model = auto.from_pretrained(folder, dtype=dtype, attn_implementation="eager").to(device).eval()
    found = []
    for prompt in prompts:
        ids = torch.tensor([prompt[: max(1, len(prompt) - back)]], device=device)
        with torch.no_grad():
            if labelled:
                found.append(torch.softmax(model(ids).logits[0].double(), -1))
            else:
                state = model(ids).last_hidden_state[0, -1].double()
                found.append(state / state.norm())
    return [f.cpu().tolist() for f in found]


def ask(server, labelled, prompts):
    if labelled:
        return [row["probs"] for row in server.post("/v1/classify", {"model": server.model, "input": prompts})["data"]]
    answer = server.post("/v1/embeddings", {"model": server.model, "input": prompts})
    return [row["embedding"] for row in answer["data"]]


def apart(some, others):
    return max(abs(a - b) for one, other in zip(some, others) for a, b in zip(one, other))


def parity(options, results, jeton, case, seed, make_model, prompts_of):
    import torch

    name, family, dtype, settings, rotary, labelled = case
    device = "cuda" if options.engine == "cuda" else "cpu"
    folder = os.path.join(options.work, "parity-" + "".join(c if c.isalnum() else "-" for c in name))
    make_model(folder, family, dtype, settings, rotary, seed, "ForSequenceClassification" if labelled else "Model")
    prompts = prompts_of(seed, settings["vocab_size"])
    server = common.Server(
        options, jeton, folder, "--max-batched-tokens", "128", "--max-num-seqs", "16", "--kv-memory", "64MiB",
        log="parity-server")
    try:
        alone = [ask(server, labelled, [prompt])[0] for prompt in prompts]
        together = ask(server, labelled, prompts)
    finally:
        server.close()
    exact = states(folder, torch.float64, device, labelled, prompts, 0)
    of_peer = apart(states(folder, getattr(torch, dtype), device, labelled, prompts, 0), exact)
    noticed = apart(states(folder, torch.float64, device, labelled, prompts, 1), exact)
    allowed = max(LEAST, PEER_FACTOR * of_peer)
    found = max(apart(alone, exact), apart(together, exact))
    problems = [problem for problem, there in (
        ("greatest error", not found <= allowed),
        ("alone against batch", not apart(alone, together) <= 2 * allowed),
        ("the comparison would not notice another token", noticed < 4 * allowed)) if there]
    results.add(name, "FAILED" if problems else "ok", **({"error": ", ".join(problems)} if problems else {}),
                greatest=found, allowed=allowed, alone_against_batch=apart(alone, together),
                of_the_token_before=noticed)
    shutil.rmtree(folder, ignore_errors=True)
