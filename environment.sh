#!/bin/sh
# Make or mend the virtual environment that make works in:  environment.sh FOLDER [EXTRAS]
#
# Versions come from requirements.lock. FOLDER/.ready says what is installed (where, a checksum of the pins, extras):
# nothing is installed twice. FOLDER/.installing exists while work is going on: an environment that is found with it
# is half-made, whoever was killed when, and is built anew.
#
# PYTHON=...      the interpreter to build on (3.11 or newer)
# INSTALLER=pip   do without uv, which is five times faster and otherwise fetched first
set -eu

venv=$1
extras=${2:-}
lock=requirements.lock

say() { printf 'forerun: %s\n' "$1" >&2; }
fail() { say "$1"; exit 1; }

usable='import sys; sys.exit(sys.version_info < (3, 11))'

find_python() {
    # requirements.lock is resolved for Python 3.11, so that one comes first.
    for candidate in ${PYTHON:-python3.11 python3.12 python3.13 python3 python3.14 python}; do
        "$candidate" -c "$usable" >/dev/null 2>&1 || continue
        if "$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1; then
            echo "$candidate"
            return
        fi
        bare=$candidate
    done
    [ -z "${bare:-}" ] || fail "$bare cannot make virtual environments: install its venv module (Debian, Ubuntu: apt install python3-venv), or name another Python: make PYTHON=/path/to/python3"
    fail "no Python 3.11 or newer found${PYTHON:+ as '$PYTHON'}: install one, or name one: make PYTHON=/path/to/python3"
}

state() { printf '%s\n%s\n%s\n' "$(pwd -P)" "$(cat "$lock" pyproject.toml | cksum)" "$1"; }
is_ready() { [ -f "$venv/.ready" ] && [ "$(cat "$venv/.ready")" = "$(state "$1")" ]; }
works() { "$venv/bin/python" -c "$usable" >/dev/null 2>&1; }

# Say why the folder cannot be used as it is; say nothing where it can.
why_rebuild() {
    if [ -e "$venv/.installing" ]; then
        echo "was left half-made"
    elif ! works; then
        echo "has no working Python 3.11 or newer"
    elif [ -f "$venv/.ready" ] && [ "$(head -n 1 "$venv/.ready")" != "$(pwd -P)" ]; then
        echo "was made for another folder"
    fi
}

rebuild() {
    python=$(find_python)
    if [ -n "$(ls -A "$venv" 2>/dev/null)" ]; then
        [ -e "$venv/.installing" ] || [ -e "$venv/pyvenv.cfg" ] || fail "$venv is not a virtual environment; move it away"
        say "$venv $1: building it anew"
    fi
    mkdir -p "$venv"
    : >"$venv/.installing"
    # The marker goes last and a link to a roomier disk stays what it is.
    find "$venv/" -mindepth 1 ! -path "$venv/.installing" -delete
    "$python" -m venv "$venv"
}

# pip's own settings hold for uv as well: setting NAME VARIABLE
setting() {
    eval "value=\${$2:-}"
    [ -n "$value" ] || value=$("$venv/bin/python" -m pip config get "global.$1" 2>/dev/null || true)
    echo "$value"
}

install_with_uv() {
    [ "${INSTALLER:-uv}" = uv ] || return 1
    uv=$venv/bin/uv
    [ -x "$uv" ] || "$venv/bin/python" -m pip install -q -c "$lock" uv || return 1
    links=$(setting find-links PIP_FIND_LINKS | tr -s ' \n' ',')
    index=$(setting index-url PIP_INDEX_URL)
    certificates=$(setting cert PIP_CERT)
    [ -z "$links" ] || export UV_FIND_LINKS="${UV_FIND_LINKS:-${links%,}}"
    [ -z "$index" ] || export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"
    [ -z "$certificates" ] || export SSL_CERT_FILE="${SSL_CERT_FILE:-$certificates}"
    # Compiled now, or the first run pays for it.
    "$uv" pip install --python "$venv/bin/python" --compile-bytecode -c "$lock" -e ".${extras:+[$extras]}"
}

install_with_pip() {
    "$venv/bin/python" -m pip install -c "$lock" -e ".${extras:+[$extras]}"
}

case $venv in
    /*) full=$venv ;;
    *) full=$(pwd -P)/$venv ;;
esac
case $full in
    *[[:space:]]*) fail "Snakemake cannot start a Python from a folder with a space in its path ($full): move the clone, or name another folder for the environment: make VENV=/path/without/spaces" ;;
esac

# One at a time. A file system that cannot lock is no reason to stop.
if command -v flock >/dev/null 2>&1; then
    exec 9<"$lock"
    busy=0
    flock -n 9 2>/dev/null || busy=$?
    [ "$busy" -ne 1 ] || { say "another make is working on $venv: waiting for it"; flock 9; }
fi

reason=$(why_rebuild)
if [ -z "$reason" ]; then
    # Everything is in "all"; what once had all keeps all.
    if is_ready all || is_ready "$extras"; then exit 0; fi
    [ "$(sed -n 3p "$venv/.ready" 2>/dev/null || true)" != all ] || extras=all
    : >"$venv/.installing"
else
    rebuild "$reason"
fi
say "installing the versions of $lock into $venv (once; a minute or a few, depending on the network)"
# uv makes environments without pip.
"$venv/bin/python" -m pip --version >/dev/null 2>&1 || "$venv/bin/python" -m ensurepip >/dev/null
install_with_uv || { say "installing with pip"; install_with_pip; }
state "$extras" >"$venv/.ready"
rm "$venv/.installing"
