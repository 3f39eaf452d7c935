"""The document as a page to read: plain HTML without scripts, which asks nobody for anything."""

import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

import yaml

STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
summary { cursor: pointer; padding: .3rem; border-bottom: 1px solid #8884; }
summary code { font-weight: 600; }
summary b { display: inline-block; min-width: 4.5rem; font-family: monospace; }
details > div { padding: .3rem 0 1rem 1rem; border-left: 3px solid #8884; }
table { border-collapse: collapse; }
td, th { text-align: left; vertical-align: top; padding: .15rem .8rem .15rem 0; }
pre { overflow: auto; max-height: 30rem; background: #8881; padding: .5rem; font-size: 13px; }
"""
METHODS = ("get", "post", "put", "patch", "delete")


def page(document: Mapping[str, Any], links: Mapping[str, str]) -> str:
    """HTML of a document; `links` are addresses of its other forms, by their names."""
    info = document["info"]
    title = escape(f"{info['title']} {info['version']}")
    others = " · ".join(f'<a href="{escape(to)}">{escape(name)}</a>' for name, to in links.items())
    tags = document["tags"]
    contents = " · ".join(f'<a href="#{escape(t["name"])}">{escape(t["name"])}</a>' for t in tags)
    parts = "".join(_tag(document, tag) for tag in tags)
    schemas = "".join(
        f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary>'
        f"<div>{_pre(schema)}</div></details>"
        for name, schema in document["components"]["schemas"].items()
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}: REST</title>'
        '<meta name="viewport" content="width=device-width">'
        f"<style>{STYLE}</style><h1>{title}</h1><p>{_words(info['description'])}</p>"
        f"<p>OpenAPI {document['openapi']}: {others}</p><p>{contents}</p>{parts}"
        f"<h2>Failures</h2>{schemas}</html>"
    )


def _tag(document: Mapping[str, Any], tag: Mapping[str, str]) -> str:
    name = tag["name"]
    found = "".join(
        _operation(document, path, method, item[method])
        for path, item in document["paths"].items()
        for method in METHODS
        if method in item and name in item[method]["tags"]
    )
    head = f'<h2 id="{escape(name)}">{escape(name)}</h2>'
    return f"{head}<p>{_words(tag['description'])}</p>{found}"


def _operation(
    document: Mapping[str, Any], path: str, method: str, operation: Mapping[str, Any]
) -> str:
    bodies = operation.get("requestBody", {}).get("content", {})
    parts = [
        f"<p>{_words(operation['description'])}</p>",
        "".join(_parameters(document, operation["parameters"])),
        *(f"<h4>Body: {escape(m)}</h4>{_pre(one['schema'])}" for m, one in bodies.items()),
        "<h4>Answers</h4>",
        *(_answer(document, status, r) for status, r in operation["responses"].items()),
    ]
    return (
        f'<details id="{escape(operation["operationId"])}"><summary><b>{method.upper()}</b>'
        f"<code>{escape(path)}</code> {escape(operation['summary'])}</summary>"
        f"<div>{''.join(parts)}</div></details>"
    )


def _parameters(document: Mapping[str, Any], parameters: list[Any]) -> Iterator[str]:
    if not parameters:
        return
    yield "<table><tr><th>Parameter<th>in<th>type<th>"
    for one in parameters:
        known = _resolved(document, one)
        schema = known["schema"]
        needed = " (needed)" if known.get("required") else ""
        told = known.get("description") or schema.get("description", "")
        yield (
            f"<tr><td><code>{escape(known['name'])}</code>{needed}<td>{known['in']}"
            f"<td>{escape(_type(schema))}<td>{_words(told)}"
        )
    yield "</table>"


def _type(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    return str(schema.get("type", "anything"))


def _answer(document: Mapping[str, Any], status: str, response: Mapping[str, Any]) -> str:
    known = _resolved(document, response)
    head = f"<b>{status}</b> {escape(known['description'])}"
    if "$ref" in response:
        links = ", ".join(
            f'<a href="#{escape(name)}">{escape(name)}</a>'
            for name in (c["schema"]["$ref"].rpartition("/")[2] for c in known["content"].values())
        )
        return f"<p>{head}: {links}</p>"
    shown = "".join(
        f"<p>{escape(media)}</p>{_pre(content['schema'])}"
        for media, content in known.get("content", {}).items()
    )
    return f"<details><summary>{head}</summary>{shown}</details>"


def _resolved(document: Mapping[str, Any], one: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in one:
        return one
    found: Any = document
    for step in one["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return dict(found)


def _words(text: str) -> str:
    """A text whose words in backticks are code."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text)).replace("\n\n", "<br>")


def _pre(schema: Any) -> str:
    return f"<pre>{escape(as_yaml(schema))}</pre>"


def as_yaml(value: Any) -> str:
    """YAML in the order of the keys, without anchors."""
    return str(yaml.dump(value, Dumper=_Plain, sort_keys=False, allow_unicode=True))


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, _: Any) -> bool:
        """What is there twice is written twice."""
        return True
