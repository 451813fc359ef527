#!/bin/sh
# Create or repair the virtual environment for make:  environment.sh FOLDER [EXTRAS]
#
# Versions come from requirements.lock. FOLDER/.ready records what is installed (folder, checksum of the pins, extras),
# so that nothing is installed twice. FOLDER/.installing exists during an installation: an environment with it is
# incomplete and is rebuilt.
#
# PYTHON=...      interpreter to use (3.11 or newer)
# INSTALLER=pip   use pip instead of uv, which is five times faster
set -eu

venv=$1
extras=${2:-}
lock=requirements.lock

say() { printf 'forerun: %s\n' "$1" >&2; }
fail() { say "$1"; exit 1; }

usable='import sys; sys.exit(sys.version_info < (3, 11))'

find_python() {
    # requirements.lock is resolved for Python 3.11, so it is preferred.
    for candidate in ${PYTHON:-python3.11 python3.12 python3.13 python3 python3.14 python}; do
        "$candidate" -c "$usable" >/dev/null 2>&1 || continue
        if "$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1; then
            echo "$candidate"
            return
        fi
        bare=$candidate
    done
    [ -z "${bare:-}" ] || fail "$bare cannot create virtual environments: install its venv module (Debian, Ubuntu: apt install python3-venv), or use another Python: make PYTHON=/path/to/python3"
    fail "no Python 3.11 or newer found${PYTHON:+ as '$PYTHON'}: install it, or set its path: make PYTHON=/path/to/python3"
}

state() { printf '%s\n%s\n%s\n' "$(pwd -P)" "$(cat "$lock" pyproject.toml | cksum)" "$1"; }
is_ready() { [ -f "$venv/.ready" ] && [ "$(cat "$venv/.ready")" = "$(state "$1")" ]; }
works() { "$venv/bin/python" -c "$usable" >/dev/null 2>&1; }

# Print why the environment must be rebuilt; nothing if it is usable.
why_rebuild() {
    if [ -e "$venv/.installing" ]; then
        echo "is incomplete"
    elif ! works; then
        echo "has no working Python 3.11 or newer"
    elif [ -f "$venv/.ready" ] && [ "$(head -n 1 "$venv/.ready")" != "$(pwd -P)" ]; then
        echo "was created for another folder"
    fi
}

rebuild() {
    python=$(find_python)
    if [ -n "$(ls -A "$venv" 2>/dev/null)" ]; then
        [ -e "$venv/.installing" ] || [ -e "$venv/pyvenv.cfg" ] || fail "$venv is not a virtual environment; move it away"
        say "$venv $1: rebuilding it"
    fi
    mkdir -p "$venv"
    : >"$venv/.installing"
    # Keep the marker until the end, and keep $venv itself, which may be a link to another disk.
    find "$venv/" -mindepth 1 ! -path "$venv/.installing" -delete
    say "creating $venv with $python"
    watched "$python" -m venv "$venv"
}

# Print a setting of pip, to be used for uv as well: setting NAME VARIABLE
setting() {
    eval "value=\${$2:-}"
    [ -n "$value" ] || value=$("$venv/bin/python" -m pip config get "global.$1" 2>/dev/null || true)
    echo "$value"
}

# Run a command that is silent for long; meanwhile print its progress every few seconds.
watched() {
    while sleep 3 >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do
        modules=$(find "$venv/lib" -name '*.pyc' 2>/dev/null | wc -l)
        say "still working: $(du -sm "$venv" 2>/dev/null | cut -f 1) MB installed, $((modules)) modules compiled"
    done 9>&- &
    watcher=$!
    trap 'kill "$watcher" 2>/dev/null' EXIT
    status=0
    "$@" || status=$?
    kill "$watcher" 2>/dev/null || true
    trap - EXIT
    return "$status"
}

# uv shows bars in a terminal, and nothing elsewhere.
download() { if [ -t 2 ]; then "$@"; else watched "$@"; fi; }

quietly() { "$@" >/dev/null 2>&1; }

compile_all() {
    say "compiling, so that the first run starts faster"
    # Some libraries contain templates that are not Python: they are skipped.
    watched quietly "$venv/bin/python" -m compileall -q -j 0 "$venv/lib" || true
}

install_with_uv() {
    [ "${INSTALLER:-uv}" = uv ] || return 1
    uv=$venv/bin/uv
    [ -x "$uv" ] || watched "$venv/bin/python" -m pip install -q -c "$lock" uv || return 1
    links=$(setting find-links PIP_FIND_LINKS | tr -s ' \n' ',')
    index=$(setting index-url PIP_INDEX_URL)
    certificates=$(setting cert PIP_CERT)
    [ -z "$links" ] || export UV_FIND_LINKS="${UV_FIND_LINKS:-${links%,}}"
    [ -z "$index" ] || export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"
    [ -z "$certificates" ] || export SSL_CERT_FILE="${SSL_CERT_FILE:-$certificates}"
    download "$uv" pip install --python "$venv/bin/python" -c "$lock" -e ".${extras:+[$extras]}" || return 1
    compile_all
}

install_with_pip() {
    watched "$venv/bin/python" -m pip install -c "$lock" -e ".${extras:+[$extras]}"
}

case $venv in
    /*) full=$venv ;;
    *) full=$(pwd -P)/$venv ;;
esac
case $full in
    *[[:space:]]*) fail "Snakemake cannot start a Python from a folder with a space in its path ($full): move the clone, or use another folder for the environment: make VENV=/path/without/spaces" ;;
esac

# One call at a time. If the file system does not support locks, continue without.
if command -v flock >/dev/null 2>&1; then
    exec 9<"$lock"
    busy=0
    flock -n 9 2>/dev/null || busy=$?
    [ "$busy" -ne 1 ] || { say "waiting for another make that uses $venv"; flock 9; }
fi

reason=$(why_rebuild)
if [ -z "$reason" ]; then
    # "all" includes all extras, and is kept once it is installed.
    if is_ready all || is_ready "$extras"; then exit 0; fi
    [ "$(sed -n 3p "$venv/.ready" 2>/dev/null || true)" != all ] || extras=all
    : >"$venv/.installing"
else
    rebuild "$reason"
fi
say "installing the versions of $lock into $venv (once; a minute or a few, depending on the network)"
# Environments created by uv have no pip.
"$venv/bin/python" -m pip --version >/dev/null 2>&1 || watched "$venv/bin/python" -m ensurepip >/dev/null
install_with_uv || { say "installing with pip"; install_with_pip; }
state "$extras" >"$venv/.ready"
rm "$venv/.installing"
