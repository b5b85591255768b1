"""What the scripts of this folder share: finding and serving Jeton, making models, keeping results.

Needs Python 3.10, PyTorch and transformers; nothing of Jeton but a distribution (or a checkout with a JDK).
"""

import argparse
import atexit
import gc
import glob
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
HOME = os.path.dirname(os.path.dirname(HERE))
SPECIAL = ["<|begin|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
STARTED = time.monotonic()

# This Python's folder, by which Jeton finds the libraries among its packages, and the toolkit's, with nvcc.
os.environ["PATH"] = os.pathsep.join(
    [os.path.dirname(sys.executable), os.environ.get("PATH", ""), "/usr/local/cuda/bin"]
)
# One machine has no use for another interface, and may have none.
os.environ.setdefault("NCCL_SOCKET_IFNAME", "lo")


class Failure(Exception):
    """A part that did not do what it must; its message is for the reader."""


def parser(description, example, budget):
    """The options that every script has."""
    p = argparse.ArgumentParser(
        description=description, epilog="Example: " + example, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("--engine", default="cuda", help="Jeton's engine, cuda or cpu (default: cuda)")
    p.add_argument(
        "--jeton",
        default=os.environ.get("JETON", ""),
        help="launcher, or a distribution's tar.gz (default: $JETON, deploy/target/*.tar.gz, then ./jeton)",
    )
    p.add_argument(
        "--out", default=os.environ.get("OUT", "gpu-results"), help="folder for results (default: $OUT, gpu-results)"
    )
    p.add_argument("--work", default="/tmp/jeton-gpu", help="folder for models (default: /tmp/jeton-gpu)")
    p.add_argument(
        "--budget", type=float, default=budget, help="seconds in all; what does not fit fails (default: %(default)s)"
    )
    p.add_argument("--serve", default="", help="more options of jeton serve, as in --serve='--quantize fp8'")
    p.add_argument("--seed", type=int, default=7, help="of weights and prompts (default: 7)")
    return p


class Results:
    """Lines of JSON as they come, a table at the end, and the exit code."""

    def __init__(self, name, options):
        os.makedirs(options.out, exist_ok=True)
        self.name = name
        self.folder = options.out
        self.budget = options.budget
        self.rows = []
        self.lines = open(os.path.join(options.out, name + ".jsonl"), "w", encoding="utf-8")

    def left(self):
        return self.budget - (time.monotonic() - STARTED)

    def say(self, text):
        print("[%6.1f s] %s" % (time.monotonic() - STARTED, text), flush=True)

    def add(self, part, status, **values):
        """status: ok, FAILED, or skipped; values are numbers or short texts."""
        row = {"part": part, "status": status, "at_s": round(time.monotonic() - STARTED, 1), **values}
        self.rows.append(row)
        self.lines.write(json.dumps(row) + "\n")
        self.lines.flush()
        self.say("%-8s %s  %s" % (status, part, "  ".join("%s=%s" % (k, shown(v)) for k, v in values.items())))
        return row

    def run(self, part, work, needs_s=0):
        """Runs one part. An exception fails that part alone and is written down; a part past the budget fails, too."""
        if self.left() < needs_s:
            self.add(part, "FAILED", error="out of time: %.0f s left, %.0f needed" % (self.left(), needs_s))
            return None
        self.say("begins   " + part)
        try:
            return work()
        except Exception as e:  # every part must be tried, whatever one does
            if not isinstance(e, Failure):
                import traceback

                traceback.print_exc()
            self.add(part, "FAILED", error="%s: %s" % (type(e).__name__, str(e)[-1500:]))
            return None

    def end(self):
        """Writes the table; the exit code."""
        failed = [r for r in self.rows if r["status"] == "FAILED"]
        skipped = [r for r in self.rows if r["status"] == "skipped"]
        text = ["%s: %d ok, %d failed, %d skipped" % (
            self.name, len(self.rows) - len(failed) - len(skipped), len(failed), len(skipped)), ""]
        for row in self.rows:
            rest = "; ".join("%s %s" % (k, shown(v)) for k, v in row.items() if k not in ("part", "status", "at_s"))
            text.append("%-8s | %-44s | %s" % (row["status"], row["part"], rest))
        if not self.rows:
            text.append("FAILED: nothing ran")
        text = "\n".join(text) + "\n"
        with open(os.path.join(self.folder, self.name + ".txt"), "w", encoding="utf-8") as f:
            f.write(text)
        print("\n" + text, flush=True)
        self.lines.close()
        return 1 if failed or not self.rows else 0


def shown(value):
    if isinstance(value, float):
        return "%.4g" % value if abs(value) < 10_000 else "%.0f" % value
    return str(value)


# ---- Jeton ---------------------------------------------------------------------------------------------------------


def find_jeton(options):
    """The launcher: as given, or of a distribution, which is unpacked into the work folder."""
    tried = [options.jeton] if options.jeton else sorted(glob.glob(os.path.join(HOME, "deploy/target/*.tar.gz")))[-1:]
    tried = tried or [os.path.join(HOME, "jeton")]
    found = os.path.abspath(tried[0])
    if not os.path.exists(found):
        raise Failure("there is no %s; name a launcher or a distribution with --jeton" % found)
    if not found.endswith(".tar.gz"):
        return found
    target = os.path.join(options.work, "distribution")
    shutil.rmtree(target, ignore_errors=True)
    os.makedirs(target)
    with tarfile.open(found) as archive:
        archive.extractall(target, filter="data")
    launchers = glob.glob(os.path.join(target, "*", "jeton"))
    if len(launchers) != 1:
        raise Failure("%s holds no launcher" % found)
    return launchers[0]


def java_of(jeton):
    """The java of a distribution and its class path; of a checkout the JDK's."""
    home = os.path.dirname(jeton)
    java = os.path.join(home, "runtime/bin/java")
    if os.path.exists(java):
        return java, os.path.join(home, "lib", "*")
    java = os.path.join(os.environ.get("JAVA_HOME", ""), "bin/java")
    if not os.path.exists(java):
        raise Failure("%s is no distribution, and JAVA_HOME names no JDK" % home)
    return java, os.path.join(home, "benchmarks/target/lib", "*")


class Server:
    """A served model; close() ends it, and so does the end of the script."""

    def __init__(self, options, jeton, folder, *flags, log="server"):
        os.makedirs(options.out, exist_ok=True)
        self.log = os.path.join(options.out, log + ".log")
        self.budget = options.budget
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.url = "http://127.0.0.1:%d" % self.port
        command = [jeton, "serve", "--engine", options.engine, "--port", str(self.port), "--model", folder, *flags,
                   *shlex.split(options.serve)]
        self.file = open(self.log, "a", encoding="utf-8")
        self.file.write("$ %s\n" % " ".join(command))
        self.file.flush()
        began = time.monotonic()
        self.process = subprocess.Popen(
            command, stdout=self.file, stderr=subprocess.STDOUT, start_new_session=True
        )
        atexit.register(self.close)
        try:
            self._wait_ready(began)
        except BaseException:
            self.close()
            raise
        self.start_s = time.monotonic() - began
        with urllib.request.urlopen(self.url + "/v1/models", timeout=30) as answer:
            self.model = json.load(answer)["data"][0]["id"]

    def _wait_ready(self, began, limit_s=150):
        limit_s = max(10, min(limit_s, self.budget - (began - STARTED)))
        while time.monotonic() - began < limit_s:
            if self.process.poll() is not None:
                raise Failure("the server ended with %d: %s" % (self.process.returncode, self.tail()))
            try:
                with urllib.request.urlopen(self.url + "/health/ready", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.02)
        raise Failure("the server was not ready within %d s: %s" % (limit_s, self.tail()))

    def tail(self):
        self.file.flush()
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()[-1500:]

    def post(self, path, body, timeout=300):
        request = urllib.request.Request(
            self.url + path, json.dumps(body).encode(), {"content-type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as e:
            raise Failure("%s answered %d: %s" % (path, e.code, e.read().decode(errors="replace")[:800])) from e
        except (urllib.error.URLError, OSError) as e:
            state = self.process.poll()
            raise Failure("%s: %s; the server %s: %s" % (
                path, e, "runs" if state is None else "ended with %d" % state, self.tail())) from e

    def complete(self, prompts, tokens, **more):
        body = {"model": self.model, "prompt": prompts, "max_tokens": tokens, "temperature": 0, "ignore_eos": True, **more}
        answer = self.post("/v1/completions", body)
        return sorted(answer["choices"], key=lambda c: c["index"]), answer["usage"]

    def metrics(self):
        """Sums of all series by name and, where a series has one, by state: {'name': x, 'name{state}': y}."""
        with urllib.request.urlopen(self.url + "/metrics", timeout=30) as answer:
            text = answer.read().decode()
        sums = {}
        for line in text.splitlines():
            found = re.match(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)", line)
            if line.startswith("#") or not found:
                continue
            name, tags, value = found.groups()
            sums[name] = sums.get(name, 0) + float(value)
            for kind in re.findall(r'(?:state|kind)="([^"]*)"', tags or ""):
                key = "%s{%s}" % (name, kind)
                sums[key] = sums.get(key, 0) + float(value)
        return sums

    def close(self):
        """Ends the server in order, and by force where that takes long; safe to call again."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        self.file.close()
        atexit.unregister(self.close)


def finished(process_run):
    """The output of a run that must end well."""
    if process_run.returncode != 0:
        raise Failure("%s ended with %d: %s" % (
            " ".join(map(str, process_run.args))[:300], process_run.returncode,
            ((process_run.stdout or "") + (process_run.stderr or ""))[-1500:]))
    return process_run.stdout


def bench(jeton, server, out, name, timeout, *flags):
    """`jeton bench serve` against a server; its report."""
    report = os.path.join(out, name + ".json")
    finished(subprocess.run(
        [jeton, "bench", "serve", "--url", server.url + "/v1", "--json", report, *map(str, flags)],
        capture_output=True, text=True, timeout=timeout))
    with open(report, encoding="utf-8") as f:
        read = json.load(f)
    os.remove(report)
    if read["requests_failed"]:
        raise Failure("%s: %d of %d requests failed; server: %s" % (
            name, read["requests_failed"], read["requests_failed"] + read["requests_well"], server.tail()))
    return read


# ---- models --------------------------------------------------------------------------------------------------------


def letters(byte):
    """The character that stands for a byte in byte-level BPE (GPT-2's table)."""
    if 33 <= byte <= 126 or 161 <= byte <= 172 or 174 <= byte <= 255:
        return chr(byte)
    return chr(256 + (byte if byte <= 32 else byte - 127 + 33 if byte <= 160 else 67))


def vocabulary_of(size):
    """Tokens, merges and, by id, the text that the API shows: special tokens, bytes, then strings of letters."""
    tokens = SPECIAL + [letters(b) for b in range(256)]
    texts = SPECIAL + [chr(b) if b < 128 else "bytes:\\x%02x" % b for b in range(256)]
    if size < len(tokens):
        raise Failure("a vocabulary of %d does not hold the bytes" % size)
    merges, level = [], [chr(c) for c in range(ord("a"), ord("z") + 1)] + [letters(32)]
    while len(tokens) < size:
        following = []
        for left in level:
            for c in "abcdefghijklmnopqrstuvwxyz":
                if len(tokens) < size:
                    merges.append(left + " " + c)
                    tokens.append(left + c)
                    texts.append((left + c).replace(letters(32), " "))
                    following.append(left + c)
        level = following
    return tokens, merges, texts


def write_tokenizer(folder, size, context):
    """tokenizer.json and its companions, as `jeton bench make-model` makes them; the texts by id."""
    tokens, merges, texts = vocabulary_of(size)
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    write_json(folder, "tokenizer.json", {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": i, "content": t, **flags} for i, t in enumerate(SPECIAL)],
        "normalizer": None, "pre_tokenizer": level, "post_processor": None, "decoder": level,
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
            "vocab": {t: i for i, t in enumerate(tokens)}, "merges": merges}})
    write_json(folder, "tokenizer_config.json", {
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": SPECIAL[0], "eos_token": SPECIAL[1],
        "model_max_length": context,
        "chat_template": "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>"
                         "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"})
    write_json(folder, "generation_config.json", {"bos_token_id": 0, "eos_token_id": [1]})
    return texts


def write_json(folder, name, value):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
        json.dump(value, f)


def rope(transformers, **parameters):
    """Rotary settings, one for all layers or one for each type of them, in the spelling of the transformers at hand."""
    if int(transformers.__version__.split(".")[0]) >= 5:
        return {"rope_parameters": parameters}
    if "full_attention" in parameters:
        local = parameters["sliding_attention"]["rope_theta"]
        return {"rope_local_base_freq": local, **rope(transformers, **parameters["full_attention"])}
    theta = parameters.pop("rope_theta")
    return {"rope_theta": theta, "rope_scaling": parameters if parameters["rope_type"] != "default" else None}


SHAPES = {
    "8b": dict(hidden_size=4096, intermediate_size=14336, num_hidden_layers=32, num_attention_heads=32,
               num_key_value_heads=8, vocab_size=128256),
    "1b": dict(hidden_size=2048, intermediate_size=5632, num_hidden_layers=22, num_attention_heads=32,
               num_key_value_heads=4, vocab_size=32000),
    "tiny": dict(hidden_size=128, intermediate_size=256, num_hidden_layers=2, num_attention_heads=4,
                 num_key_value_heads=2, vocab_size=512),
}


def large_model(options, results):
    """Random bf16 weights of a Llama shape, made where the engine computes and saved; its folder and shape."""
    import torch
    import transformers

    shape = dict(SHAPES[options.shape])
    if options.layers:
        shape["num_hidden_layers"] = options.layers
    folder = os.path.join(options.work, "llama-%s-%d" % (options.shape, shape["num_hidden_layers"]))
    done = os.path.join(folder, "made")
    if not os.path.exists(done):
        began = time.monotonic()
        config = transformers.LlamaConfig(
            **shape, max_position_embeddings=131072, rms_norm_eps=1e-5, tie_word_embeddings=False, bos_token_id=0,
            eos_token_id=1, pad_token_id=1, **rope(
                transformers, rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0,
                high_freq_factor=4.0, original_max_position_embeddings=8192))
        torch.manual_seed(options.seed)
        device = "cuda" if options.engine == "cuda" else "cpu"
        before = torch.get_default_dtype()
        torch.set_default_dtype(torch.bfloat16)
        try:
            with torch.device(device):
                model = transformers.LlamaForCausalLM(config)
        finally:
            torch.set_default_dtype(before)
        model.save_pretrained(folder, max_shard_size="4GB")
        write_tokenizer(folder, shape["vocab_size"], 131072)
        del model
        if device == "cuda":
            gc.collect()  # whatever names itself in a circle would keep 16 GB of what the server is to have
            torch.cuda.empty_cache()
        open(done, "w").close()
        results.add("make model", "ok", seconds=time.monotonic() - began, bytes=weight_bytes(folder))
    return folder, shape


def weight_bytes(folder):
    return sum(os.path.getsize(f) for f in glob.glob(os.path.join(folder, "*.safetensors")))


def require_device(options):
    """The GPU's name as torch sees it; with the cpu engine, the processor stands in."""
    import torch

    if options.engine != "cuda":
        return "cpu"
    if not torch.cuda.is_available():
        raise Failure("torch sees no GPU; try the scripts without one with --engine cpu")
    return torch.cuda.get_device_name(0)
