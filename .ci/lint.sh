#!/usr/bin/env bash
# Every linter, offline.
set -euxo pipefail
cd "$(dirname "$0")/.."
ruff check .
ruff format --check .
mypy --strict housing_np
hadolint Dockerfile
zizmor --offline --persona pedantic .github docs/course/ci.yml
check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml docs/course/ci.yml
check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
