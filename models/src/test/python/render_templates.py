"""Renders chat templates with python3-jinja2, as Hugging Face transformers configures it: the oracle of the
interpreter's tests.

    python3 render_templates.py TEMPLATE_FOLDER SNIPPETS.json > golden.json

Each case of the answer has: template (a file of the folder, or empty), source (a snippet, or empty), messages, tools,
add_generation_prompt, and either expected (the text) or error (true).
"""
import json
import pathlib
import sys

from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment


def environment():
    def raise_exception(message):
        raise TemplateError(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    env = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda form: "not compared"
    return env


USER = {"role": "user", "content": "Hello, how are you?"}
ASSISTANT = {"role": "assistant", "content": "I'm fine.\nAnd you? "}
SYSTEM = {"role": "system", "content": "  You are {{ helpful }} & <brief>. "}
AGAIN = {"role": "user", "content": " What is 2 + 2? {% raw %} \u00e9\u4e2d\U0001f600 "}
TOOLS = [{"type": "function", "function": {"name": "weather", "description": "Tells \"the\" weather",
          "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}]
CALL = {"role": "assistant", "content": "", "tool_calls": [
    {"type": "function", "function": {"name": "weather", "arguments": {"city": "K\u00f6ln", "days": 3, "hot": True}}}]}
TOOL = {"role": "tool", "content": "{\"celsius\": 21.5}"}

CONVERSATIONS = [
    ([USER], None),
    ([SYSTEM, USER], None),
    ([USER, ASSISTANT, AGAIN], None),
    ([SYSTEM, USER, ASSISTANT, AGAIN], None),
    ([ASSISTANT, USER], None),
    ([USER, USER], None),
    ([], None),
    ([SYSTEM, USER, CALL, TOOL, TOOL, ASSISTANT, AGAIN], TOOLS),
    ([USER], TOOLS),
]


def case(env, template, source, text, messages, tools, prompt):
    made = {"template": template, "source": source, "messages": messages, "tools": tools or [],
            "add_generation_prompt": prompt}
    try:
        made["expected"] = env.from_string(text).render(
            messages=messages, tools=tools, add_generation_prompt=prompt, bos_token="<s>", eos_token="</s>")
    except Exception:
        made["error"] = True
    return made


def main():
    env = environment()
    cases = []
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*.jinja")):
        for messages, tools in CONVERSATIONS:
            for prompt in (False, True):
                cases.append(case(env, path.name, "", path.read_text(), messages, tools, prompt))
    for source in json.load(open(sys.argv[2])):
        for messages, tools in (CONVERSATIONS[3], CONVERSATIONS[7]):
            cases.append(case(env, "", source, source, messages, tools, True))
    json.dump(cases, sys.stdout, ensure_ascii=False, indent=1)


main()
