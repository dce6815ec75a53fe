"""Runs in an environment with IRRd (https://irrd.net): its parser says what is wrong with objects.

Reads a list of texts from standard input, and writes a list of lists of messages, both as JSON.
"""

import importlib
import json
import sys


def main() -> None:
    parser = importlib.import_module("irrd.rpsl.rpsl_objects")
    unknown = importlib.import_module("irrd.rpsl.parser").UnknownRPSLObjectClassException
    found = []
    for text in json.load(sys.stdin):
        try:
            messages = parser.rpsl_object_from_text(text, strict_validation=True).messages
            found.append(messages.errors())
        except unknown as error:
            found.append([str(error)])
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
