#!/usr/bin/env bash
# The wheel and the sdist of the commit that is checked out, into dist/, with checksums: always the same bytes.
# Needs the tools of requirements/build.txt.
set -euxo pipefail
cd "$(dirname "$0")/.."
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
umask 022
source=$(mktemp -d)
trap 'rm -rf "$source"' EXIT
# From the commit and not from the checkout: no stray file and no mode of this machine gets in.
git -c tar.umask=022 archive HEAD | tar -x -C "$source"
rm -rf dist
python -m build --no-isolation --outdir dist "$source"
cd dist
# setuptools dates the files of an sdist by the clock: pack them again with the commit's date.
sdist=$(basename ./*.tar.gz .tar.gz)
tar -xzf "$sdist.tar.gz"
tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner -cf - "$sdist" |
    gzip -9n >"$sdist.tar.gz"
rm -r "$sdist"
sha256sum -- *.whl *.tar.gz | tee SHA256SUMS
