#!/bin/sh
# Set up this checkout: .venv with the package (editable, extra `all`, group `dev`) and,
# with --gui, the system libraries of Qt, OpenGL and Xvfb. Called by every target of the
# Makefile; does nothing when there is nothing to do.
#
#   tools/bootstrap.sh [--gui]
#
# PYTHON=/path/to/python chooses the interpreter of a new .venv.
set -eu
cd "$(dirname "$0")/.." || exit 1
checkout=$(pwd -P)

say() { printf 'bootstrap: %s\n' "$*" >&2; }
stop() {
    printf '\nbootstrap: %s\n' "$1" >&2
    shift
    for line in "$@"; do printf '    %s\n' "$line" >&2; done
    exit 1
}

# ---------------------------------------------------------------- system packages

# Prints how this user may run apt-get without being asked anything, or fails.
apt_runner() {
    command -v apt-get >/dev/null 2>&1 || return 1
    if [ "$(id -u)" = 0 ]; then
        echo "env"
    elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        echo "sudo -n env"
    else
        return 1
    fi
}

# need_packages REASON PACKAGE...: installs them, or stops with the line to type.
need_packages() {
    reason=$1
    shift
    line="sudo apt-get update && sudo apt-get install -y $*"
    if runner=$(apt_runner); then
        say "$reason: apt-get install $*"
        # Another apt (unattended upgrades on a fresh machine) may hold the lock.
        apt="$runner DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300"
        if { $apt update && $apt install -y --no-install-recommends "$@"; } >&2 </dev/null
        then
            return 0
        fi
        stop "$reason, and apt-get failed (see above). What it should install:" "$line"
    elif command -v apt-get >/dev/null 2>&1; then
        stop "$reason. Installing needs root; please run this, then repeat:" "$line"
    fi
    stop "$reason. Please install what Debian calls:" "$*"
}

# ------------------------------------------------------------- virtual environment

python_is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

# The user's choice first, then the system's default, then the newest.
find_python() {
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if python_is_new_enough "$candidate"; then
            echo "$candidate"
            return 0
        fi
    done
    stop "no Python 3.11 or newer found (looked for: ${PYTHON:-python3, python3.11 to 3.14})." \
        "Install one, or name one: make PYTHON=/path/to/python test"
}

# `uv pip install --group` came in 2025; an older uv is as good as none.
usable_uv() {
    command -v uv >/dev/null 2>&1 && uv pip install --help 2>/dev/null | grep -q -- --group
}

make_venv() {
    if usable_uv; then
        say "making .venv with uv"
        rm -rf .venv
        uv venv --quiet --python "${PYTHON:->=3.11}" .venv
        return 0
    fi
    # Assigned apart from its use: `stop` ends a command substitution only.
    python=$(find_python) || exit 1
    # Debian and Ubuntu ship Python without the module that puts pip into a new venv.
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        need_packages "$python cannot make virtual environments" "python$version-venv"
    fi
    say "making .venv with $python ($("$python" -c 'import platform; print(platform.python_version())'))"
    rm -rf .venv
    "$python" -m venv .venv
}

install_project() {
    if usable_uv; then
        say "installing the project with uv"
        uv pip install --quiet --python .venv/bin/python -e '.[all]' --group dev >&2
        return 0
    fi
    # A .venv that uv once made holds no pip.
    .venv/bin/python -m pip --version >/dev/null 2>&1 ||
        .venv/bin/python -m ensurepip --upgrade >/dev/null
    say "installing the project with pip (some minutes the first time)"
    # --group needs pip 25.1; Debian 12 bundles 23.0.
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1' >&2
    .venv/bin/python -m pip install --quiet --disable-pip-version-check -e '.[all]' --group dev >&2
}

setup_venv() {
    # The path is part of the stamp because a virtual environment cannot be moved.
    stamp="$(cat pyproject.toml tools/bootstrap.sh | cksum) $checkout"
    if [ -x .venv/bin/python ]; then
        [ "$(cat .venv/bootstrap-stamp 2>/dev/null || true)" = "$stamp" ] && return 0
        # Installing over a .venv that still works is quicker than a new one; but one
        # that was moved, or lost its interpreter, is of no use.
        if ! .venv/bin/python -c '' 2>/dev/null ||
            ! grep -qsF "$checkout/.venv" .venv/bin/activate; then
            make_venv
        fi
    else
        make_venv
    fi
    rm -f .venv/bootstrap-stamp
    install_project
    echo "$stamp" >.venv/bootstrap-stamp
}

# ------------------------------------------------------- Qt, OpenGL and a display

# What PyQt6's xcb platform plugin, Qt and vispy load at run time: soname, Debian package.
LIBRARIES="
libEGL.so.1             libegl1
libGL.so.1              libgl1
libGLX_mesa.so.0        libglx-mesa0
libX11-xcb.so.1         libx11-xcb1
libdbus-1.so.3          libdbus-1-3
libfontconfig.so.1      libfontconfig1
libglib-2.0.so.0        libglib2.0-0
libxcb-cursor.so.0      libxcb-cursor0
libxcb-icccm.so.4       libxcb-icccm4
libxcb-image.so.0       libxcb-image0
libxcb-keysyms.so.1     libxcb-keysyms1
libxcb-randr.so.0       libxcb-randr0
libxcb-render-util.so.0 libxcb-render-util0
libxcb-shape.so.0       libxcb-shape0
libxcb-sync.so.1        libxcb-sync1
libxcb-xfixes.so.0      libxcb-xfixes0
libxcb-xkb.so.1         libxcb-xkb1
libxkbcommon-x11.so.0   libxkbcommon-x11-0
"

# Prints the packages whose library the dynamic linker does not find.
missing_packages() {
    printf '%s' "$LIBRARIES" | .venv/bin/python -c '
import ctypes, sys
for line in sys.stdin:
    if line.strip():
        soname, package = line.split()
        try:
            ctypes.CDLL(soname)
        except OSError:
            print(package)
'
    # Without a display the programs run under Xvfb, which draws OpenGL in software.
    if [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
        command -v Xvfb >/dev/null 2>&1 && command -v xvfb-run >/dev/null 2>&1 || echo xvfb
        command -v xauth >/dev/null 2>&1 || echo xauth
    fi
}

setup_gui() {
    # Elsewhere the wheels of Qt bring all they need and there is always a display.
    [ "$(uname -s)" = Linux ] || return 0
    packages=$(missing_packages)
    [ -n "$packages" ] || return 0
    # shellcheck disable=SC2086 # one word per package
    need_packages "libraries of Qt, OpenGL or Xvfb are missing" $packages
    packages=$(missing_packages)
    [ -z "$packages" ] ||
        stop "apt-get succeeded, yet these still cannot be loaded:" "$packages"
}

gui=no
for argument in "$@"; do
    case $argument in
        --gui) gui=yes ;;
        *) stop "unknown argument $argument; usage: tools/bootstrap.sh [--gui]" ;;
    esac
done

setup_venv
[ "$gui" = no ] || setup_gui
