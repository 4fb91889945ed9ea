#!/bin/sh
# Makes .venv in the checkout and installs the server and its two plugins there, editable.
#
#   tools/venv.sh          what running needs
#   tools/venv.sh test     and what `make test` needs
#
# Quiet where all goes well. PyTorch is an extra that this never asks for. PYTHON=... chooses the interpreter.
set -eu
cd "$(dirname "$0")/.."
venv=.venv
log=build/setup.log
mkdir -p build/tmp
export TMPDIR="$PWD/build/tmp" PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

fail() {
  printf '%s\n' "$@" >&2
  exit 1
}

new_enough() {
  "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
  for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
    if new_enough "$candidate"; then
      printf '%s\n' "$candidate"
      return
    fi
  done
  found=$(python3 --version 2>&1) || found="no python3 at all"
  fail "k12ai_ws needs Python 3.11 or newer; this machine has: $found" \
    "Install one (Debian 12 and newer, Ubuntu 24.04 and newer: apt install python3 python3-venv)," \
    "or name one: make PYTHON=/path/to/python3.12 ..."
}

usable() { # an environment that was made here, with an interpreter that still is, and with pip
  [ "$(cat $venv/.made-in 2>/dev/null)" = "$PWD" ] && new_enough $venv/bin/python && $venv/bin/python -m pip -V >/dev/null 2>&1
}

make_venv() {
  python=$(find_python) || exit 1
  rm -rf $venv
  if "$python" -c 'import ensurepip' 2>/dev/null && "$python" -m venv $venv >"$log" 2>&1; then
    :
  elif rm -rf $venv && "$python" -m virtualenv --quiet $venv >>"$log" 2>&1; then
    :
  elif rm -rf $venv && "$python" -m venv --without-pip $venv >>"$log" 2>&1 &&
    "$python" -m pip --python $venv/bin/python install --quiet pip >>"$log" 2>&1; then
    :
  else
    rm -rf $venv
    fail "$python cannot make a virtual environment: the module ensurepip is missing (Debian packs it apart)." \
      "Install it, then call make again:  apt install python3-venv   (as root)"
  fi
  printf '%s\n' "$PWD" >$venv/.made-in
}

if ! usable; then
  echo "Making .venv ..."
  make_venv
fi
root=.
if [ "${1:-}" = test ]; then root='.[test]'; fi
echo "Installing what is needed into .venv (the first time takes a minute or two) ..."
if ! $venv/bin/python -m pip install --quiet -e "$root" -e plugins/k12cv -e plugins/k12nlp >"$log" 2>&1; then
  cat "$log" >&2
  fail "" "pip could not install what is needed: see above. Is there a network, or a mirror in pip's configuration?"
fi
