#!/bin/sh
# The generated files are what protocol/generate.py writes from the
# definitions.
exec "${PYTHON:-python3}" "${srcdir:-.}/protocol/generate.py" --check
