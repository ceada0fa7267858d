#!/usr/bin/env python3
"""Holds protocol/*.kp against the schemas of Apache Kafka 4.3.1.

schema.tsv is a digest of those schemas: a line for every message and for every
field that a valid version has.  Columns: message, path of the field, type,
versions, versions that allow null, tag, default.  A message's own line has "-"
for a path, its API key or record type for a type, its versions, its first
flexible version, and "unstable" at the end where its last version is that.
"""

import os
import sys
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(os.environ.get("srcdir") or Path(__file__).parents[2])
sys.path.insert(0, str(ROOT / "protocol"))
from kp import definitions_read  # noqa: E402


def overlap(a, b):
    return max(a[0], b[0]), min(a[1], b[1])


def span(versions):
    return "%d-%d" % versions if versions[0] <= versions[1] else "-"


def null_versions(field, versions):
    if field.null_from is None:
        return "-"
    return span(overlap((field.null_from, versions[1]), versions))


def field_type(field):
    kind = "int16" if field.kind == "error" else field.kind
    return ("[]" if field.array else "") + kind


def field_tag(field):
    return (str(field.tag) if field.tag is not None else "-") + (
        " plain" if field.plain else "")


def struct_rows(message, struct, around, path):
    for field in struct.fields:
        versions = overlap(field.versions, around)
        if versions[0] > versions[1]:
            continue    # a shared struct where it is used in fewer versions
        yield (message.kafka_name, path + field.json_name, field_type(field),
               span(versions), null_versions(field, versions),
               field_tag(field), field.default or "-")
        if field.struct:
            yield from struct_rows(message, field.struct, versions,
                                   path + field.json_name + ".")


def message_row(message):
    definition = message.definition
    unstable = (message.name.endswith("_request")
                and definition.unstable == message.versions[1])
    return (message.kafka_name, "-",
            "-" if definition.key is None else str(definition.key),
            span(message.versions),
            "-" if message.flexible is None else str(message.flexible),
            "-", "unstable" if unstable else "-")


def our_rows():
    for definition in definitions_read(ROOT / "protocol"):
        for message in definition.messages:
            yield message_row(message)
            yield from struct_rows(message, message.body, message.versions,
                                   "")


def kafka_rows():
    lines = (ROOT / "tests/wire/schema.tsv").read_text().split("\n")
    return [tuple(line.split("\t")) for line in lines[1:] if line]


def main():
    ours, kafkas = list(our_rows()), kafka_rows()
    missing, extra = set(kafkas) - set(ours), set(ours) - set(kafkas)
    for row in sorted(missing):
        print("Kafka has:", *row)
    for row in sorted(extra):
        print("we have:  ", *row)
    # The order of fields is the order on the wire.
    for name in sorted({row[0] for row in kafkas}):
        if not missing | extra and [r for r in ours if r[0] == name] != [
                r for r in kafkas if r[0] == name]:
            missing.add(name)
            print("another order of fields:", name)
    if len(ours) != len(set(ours)):
        sys.exit("a field occurs twice")
    print("%d lines, %d missing, %d too many"
          % (len(kafkas), len(missing), len(extra)))
    sys.exit(1 if missing or extra else 0)


if __name__ == "__main__":
    main()
