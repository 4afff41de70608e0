#!/usr/bin/env python3
"""Holds exported events against the published OCSF schema, which comes with the package `ocsf-json-schema`.

A schema that lets everything pass would prove nothing, so each event is also tried in ways that must be
refused: without each of the fields that its class requires, and with numbers that no enumeration has.
"""

import json
import sys

import jsonschema
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

CLASSES = {"api_activity", "application_lifecycle", "authentication"}


def mistakes(validator, event):
    """Returns what the schema has against an event, a line each."""
    found = validator.iter_errors(event)
    return [f"{'/'.join(map(str, one.absolute_path))}: {one.message[:200]}" for one in found]


def captions(published, event):
    """Returns the names that are not those of the numbers beside them; 99 is called as its source likes."""
    wrong = []
    for field, attribute in published["attributes"].items():
        known = attribute.get("enum", {}).get(str(event.get(field)))
        name = event.get(attribute.get("sibling"))
        if known and event[field] != 99 and name is not None and name != known["caption"]:
            wrong.append(f"{field} {event[field]} is `{known['caption']}`, not `{name}`")
    return wrong


def refuses_what_is_broken(validator, event):
    """The schema lets no event pass that is not one."""
    required = [field for field in validator.schema["required"] if field in event]
    assert len(required) > 5, "a class requires more than that"
    broken = [{key: value for key, value in event.items() if key != field} for field in required]
    broken += [event | {"activity_id": 98}, event | {"time": "noon"}, event | {"no_such_field": 1}]
    for one in broken:
        assert mistakes(validator, one), f"the schema lets this pass: {one}"


def main(paths):
    events, validators, seen, wrong = [], {}, set(), []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            events += [(f"{path}:{number}", json.loads(line)) for number, line in enumerate(file, 1)]
    for place, event in events:
        version = event["metadata"]["version"]
        if version not in validators:
            schema = get_ocsf_schema(version=version)
            validators[version] = (schema, OcsfJsonSchemaEmbedded(schema))
        schema, classes = validators[version]
        name = classes.lookup_class_name_from_uid(event["class_uid"])
        validator = jsonschema.Draft202012Validator(classes.get_class_schema(name, []))
        refuses_what_is_broken(validator, event)
        seen.add(name)
        against = mistakes(validator, event) + captions(schema["classes"][name], event)
        wrong += [f"{place}: {name}: {one}" for one in against]
    print("\n".join(wrong) or f"{len(events)} events of {len(seen)} classes are OCSF {version}")
    assert seen == CLASSES, f"not every class is among them: {seen}"
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
