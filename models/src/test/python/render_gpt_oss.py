"""Renders the chat template of the gpt-oss models with python3-jinja2, as Hugging Face transformers configures it.

    python3 render_gpt_oss.py ../resources/templates/gpt-oss/chat_template.jinja > golden.json

Each case of the answer has: name, messages, tools, add_generation_prompt, variables, and either expected (the text) or
error (true).
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
    env.globals["strftime_now"] = lambda form: "2026-07-04"
    return env


def user(text):
    return {"role": "user", "content": text}


def said(text, **more):
    return {"role": "assistant", "content": text, **more}


def called(name, arguments, **more):
    return {"role": "assistant", **more,
            "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}]}


def result(value):
    return {"role": "tool", "tool_call_id": "call_1", "content": value}


def function(name, description, properties=None, required=None):
    parameters = {"type": "object", "properties": properties or {}}
    if required is not None:
        parameters["required"] = required
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


def one(name, spec):
    return [function(name, "Does " + name, {"value": spec}, ["value"])]


SYSTEM = {"role": "system", "content": "Be \"brief\" & <kind>."}
WEATHER = function("weather", "Tells the weather\u2026", {
    "city": {"type": "string", "description": "The city, e.g. K\u00f6ln"},
    "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "default": "celsius"},
    "days": {"type": "integer", "default": 3},
}, ["city"])

SPECS = {
    "strings": {"type": "array", "items": {"type": "string"}},
    "numbers": {"type": "array", "items": {"type": "number"}, "nullable": True},
    "integers": {"type": "array", "items": {"type": "integer"}},
    "flags": {"type": "array", "items": {"type": "boolean"}},
    "arrays": {"type": "array", "items": {"type": "array", "items": {"type": "string"}}},
    "objects": {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "string"}}}},
    "large": {"type": "array", "items": {"type": "object", "properties": {
        "first_of_all": {"type": "string"}, "second_of_all": {"type": "number"}, "third_of_all": {"type": "boolean"}}}},
    "anything": {"type": "array", "nullable": True},
    "types": {"type": ["string", "null"]},
    "type": {"type": ["string"]},
    "either": {"oneOf": [{"type": "string", "description": "a name"}, {"type": "integer", "default": 1}]},
    "one_object": {"oneOf": [{"type": "object", "properties": {"a": {"type": "string"}}}, {"type": "string"}]},
    "only_object": {"oneOf": [{"type": "object"}]},
    "defaulted": {"oneOf": [{"type": "string"}], "default": "x"},
    "number": {"type": "number", "default": 1.5},
    "flag": {"type": "boolean", "default": False, "description": "Whether"},
    "maybe": {"type": "string", "nullable": True, "default": None},
    "object": {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}, "required": ["a"]},
    "bare": {"type": "object"},
    "nothing": {},
    "any_of": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
}

CONVERSATIONS = [
    ("hello", [user("Hello, how are you?")], None),
    ("system", [SYSTEM, user("Hi")], None),
    ("developer", [{"role": "developer", "content": "Be brief."}, user("Hi")], None),
    ("empty system", [{"role": "system", "content": ""}, user("Hi")], None),
    ("turns", [user("a"), said("b", thinking="t"), user("c {{ d }} \u00e9\U0001f600")], None),
    ("answered", [user("a"), said("b", thinking="because")], None),
    ("answered plainly", [user("a"), said("b")], None),
    ("tools", [SYSTEM, user("How warm is it?")], [WEATHER, function("now", "Tells the time")]),
    ("call", [user("How warm?"), called("weather", {"city": "K\u00f6ln", "days": 3, "hot": True}, thinking="Ask."),
              result("{\"celsius\": 21.5}")], [WEATHER]),
    ("call of text", [user("How warm?"), called("weather", "not JSON"), result("21 \"degrees\"\n")], [WEATHER]),
    ("call with content", [user("How warm?"), called("weather", {}, content="Let me see."), result("x")], [WEATHER]),
    ("call with empty content", [user("How warm?"), called("weather", {}, content="", thinking="t")], [WEATHER]),
    ("call with both", [user("How warm?"), called("weather", {}, content="a", thinking="t")], [WEATHER]),
    ("call with no content", [user("How warm?"), called("weather", {}, content=None)], [WEATHER]),
    ("call and answer", [user("How warm?"), called("weather", {"city": "a"}, thinking="Ask."), result("1"),
                         said("One.", thinking="Done."), user("And now?")], [WEATHER]),
    ("two calls", [user("a"), called("weather", {"n": 1}, thinking="t"), result("1"),
                   called("now", {}), result({"h": 12}), user("b")], [WEATHER, function("now", "Tells the time")]),
    ("two calls at once", [user("a"), {"role": "assistant", "tool_calls": [
        {"function": {"name": "f", "arguments": {}}}, {"function": {"name": "g", "arguments": {}}}]}], None),
    ("result of nothing", [user("a"), result("1")], None),
    ("marks in content", [user("a"), said("<|channel|>final<|message|>x"), user("b")], None),
    ("marks in thinking", [user("a"), said("x", thinking="<|channel|>analysis<|message|>x"), user("b")], None),
    ("second system", [SYSTEM, SYSTEM, user("a")], None),
    ("nobody", [], None),
] + [("parameter " + name, [user("a")], one(name, spec)) for name, spec in SPECS.items()]

VARIABLES = [
    ("", {}),
    (" low", {"reasoning_effort": "low"}),
    (" identity", {"model_identity": "You are a test."}),
    (" python", {"builtin_tools": ["python"]}),
    (" browser", {"builtin_tools": ["browser", "python"], "reasoning_effort": "high"}),
]


def main():
    template = environment().from_string(pathlib.Path(sys.argv[1]).read_text())
    cases = []
    for name, messages, tools in CONVERSATIONS:
        for suffix, variables in VARIABLES if name in ("hello", "tools") else VARIABLES[:1]:
            for prompt in (False, True):
                made = {"name": name + suffix, "messages": messages, "tools": tools or [],
                        "add_generation_prompt": prompt, "variables": variables}
                try:
                    made["expected"] = template.render(
                        messages=messages, tools=tools, add_generation_prompt=prompt, bos_token="<|startoftext|>",
                        eos_token="<|return|>", **variables)
                except Exception:
                    made["error"] = True
                cases.append(made)
    json.dump(cases, sys.stdout, ensure_ascii=False, indent=1)


main()
