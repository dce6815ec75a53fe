"""Runs in an environment with IRRd (https://irrd.net): its parser says what is wrong with objects.

Reads a list of texts from standard input. Writes, for each, its class, the values that the parser
read and its messages: ``{"kind": "route", "values": {...}, "errors": [...]}``, all as JSON.
"""

import importlib
import json
import sys
from typing import Any


def main() -> None:
    parser = importlib.import_module("irrd.rpsl.rpsl_objects")
    unknown = importlib.import_module("irrd.rpsl.parser").UnknownRPSLObjectClassException
    found: list[dict[str, Any]] = []
    for text in json.load(sys.stdin):
        try:
            one = parser.rpsl_object_from_text(text, strict_validation=True)
        except unknown as error:
            found.append({"kind": "", "values": {}, "errors": [str(error)]})
            continue
        errors = one.messages.errors()
        found.append({"kind": one.rpsl_object_class, "values": one.parsed_data, "errors": errors})
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
