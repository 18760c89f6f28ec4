#!/bin/sh
# install-packages PIP-ARGUMENTS: installs into /opt/tradewind what an image keeps, and nothing beside it.
set -eu
# --no-deps: the pinned lists are complete, and leave out on purpose what is named by a dependency but never imported.
python -m pip --quiet --python /opt/tradewind/bin/python install --no-deps --no-compile "$@"
cd /opt/tradewind/lib
# Tests of libraries, and the symbols that only a debugger reads. Libraries bundled in wheels (*.libs) are left as they are:
# their files are laid out by hand.
find . -type d \( -name tests -o -name test \) -prune -exec rm -rf {} +
find . -name '*.so' -not -path '*.libs/*' -exec strip --strip-unneeded {} +
# Byte code that is never checked against its source: the file system is read-only, and a start need not compile.
python -m compileall -q -j 0 --invalidation-mode unchecked-hash .
