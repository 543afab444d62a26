"""A small reading of JSON Schema: what ours uses of it, and strict, since a field that is in no schema is not stable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from encoder_tui.engine.program.json_values import is_list, is_object

PATH = Path(__file__).parent.parent / "engine" / "pages" / "report" / "report.schema.json"
SCHEMA: dict[str, Any] = json.loads(PATH.read_text("utf-8"))
TYPES: dict[str, Any] = {
    "string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None), "array": list, "object": dict,
}  # fmt: skip
KNOWN = {"$schema", "title", "description", "$defs", "$ref", "type", "enum", "const", "oneOf", "items", "properties", "required", "additionalProperties"}  # fmt: skip


def faults(thing: Any, schema: dict[str, Any], at: str = "$") -> list[str]:
    """Where something is not as a schema has it."""
    assert schema.keys() <= KNOWN, schema.keys() - KNOWN
    if "$ref" in schema:
        return faults(thing, SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")], at)
    if "oneOf" in schema:
        every = [faults(thing, each, at) for each in schema["oneOf"]]
        fitting = sum(not each for each in every)
        return [] if fitting == 1 else [f"{at} fits {fitting} of {len(every)}: {min(every, key=len)[:2]}"]
    if "const" in schema and thing != schema["const"]:
        return [f"{at} is {thing!r}"]
    if "enum" in schema and thing not in schema["enum"]:
        return [f"{at} is {thing!r}"]
    kinds = schema.get("type", [])
    if kinds and not any(_is(thing, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds)):
        return [f"{at} is a {type(thing).__name__}"]
    if is_list(thing) and "items" in schema:
        return [
            fault for number, each in enumerate(thing) for fault in faults(each, schema["items"], f"{at}[{number}]")
        ]
    if is_object(thing) and kinds == "object":
        return _of_object(thing, schema, at)
    return []


def _is(thing: Any, kind: str) -> bool:
    return isinstance(thing, TYPES[kind]) and not (isinstance(thing, bool) and kind in ("integer", "number"))


def _of_object(thing: dict[str, Any], schema: dict[str, Any], at: str) -> list[str]:
    known, others = schema.get("properties", {}), schema.get("additionalProperties")
    said = [f"{at} lacks {name}" for name in schema.get("required", []) if name not in thing]
    for name, each in thing.items():
        if name not in known and others is None:
            said.append(f"{at}.{name} is in no schema")
        else:
            said += faults(each, known.get(name, others), f"{at}.{name}")
    return said


def line_faults(line: dict[str, Any]) -> list[str]:
    """Where a line of `--json` is not as the schema has it."""
    return faults(line, SCHEMA["$defs"][f"{line['kind']}_line"])
