# Sourced by the scripts beside it: where things are kept, and how a step is announced and timed.
# shellcheck shell=bash
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

# What outlives a clone: tools that were built, and the compiled dependencies.
cache=${USERLOCK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/userlock}
tools=$cache/tools

if [ "${CI:-}" = true ]; then
    # A fresh clone then starts from the dependencies that the last one compiled.
    export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target}
    export CARGO_INCREMENTAL=${CARGO_INCREMENTAL:-0}
fi
target=${CARGO_TARGET_DIR:-$root/target}
case $target in /*) ;; *) target=$root/$target ;; esac
# The service embeds this folder; see .ci/site.
export USERLOCK_SITE=${USERLOCK_SITE:-$target/site}

wasm_triple=wasm32-unknown-unknown
wasm_target_dir=$cache/target-wasm
wasm_bindgen_version=$(awk '/^name = "wasm-bindgen"$/ { getline; gsub(/[^0-9.]/, ""); print; exit }' Cargo.lock)
wasm_bindgen=$tools/wasm-bindgen-$wasm_bindgen_version/bin/wasm-bindgen

# Tools that .ci/setup had to build come after those that the system has.
PATH=$PATH:$tools/bin
[ ! -x "$tools/node/node_modules/.bin/node" ] || PATH=$tools/node/node_modules/.bin:$PATH
export PATH

say() { printf '%s\n' "$*"; }
die() {
    printf '\n%s\n' "$*" >&2
    exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }
# Octal digits in the nanoseconds would be read as such without the 10#.
now_ms() { local t=${EPOCHREALTIME/[.,]/}; printf '%s' $((10#$t / 1000)); }

# 1234 ms → "1.2 s", 123456 ms → "2 min 03 s"
duration() {
    if [ "$1" -lt 60000 ]; then
        printf '%d.%d s' $(($1 / 1000)) $(($1 % 1000 / 100))
    else
        printf '%d min %02d s' $(($1 / 60000)) $(($1 / 1000 % 60))
    fi
}

# timed NAME COMMAND...: says the name, runs the command, says how long it took.
timed() {
    local name=$1 start rc strict=$-
    shift
    start=$(now_ms)
    say "==> $name"
    # Not "if" nor "||": set -e would then be off inside the function that is called. For the same reason timed
    # itself must be called as a command of its own, or last in a list.
    set +e
    (set -e; "$@")
    rc=$?
    [[ $strict != *e* ]] || set -e
    say "    $name: $(duration $(($(now_ms) - start)))$([ $rc = 0 ] || printf ', failed (%d)' $rc)"
    return $rc
}

# Which toolchain builds the browser half: "default", "web" (Debian's packaged web toolchain), or nothing yet.
debian_std=/usr/lib/rustlib/$wasm_triple
wasm_toolchain() {
    if [ "${USERLOCK_WASM_TOOLCHAIN:-}" != web ] && compgen -G "$(rustc --print sysroot)/lib/rustlib/$wasm_triple/lib/libstd-*.rlib" >/dev/null; then
        echo default
    elif [ -x /usr/bin/rustc ] && [ "$(cat "$debian_std/built-by" 2>/dev/null)" = "$(/usr/bin/rustc -V)" ] \
        && { ! have rustup || rustup toolchain list | grep -q '^web\b'; }; then
        echo web
    fi
}

# cargo for the browser half, with a target directory of its own, so that neither half evicts the other's artefacts.
wasm_cargo() {
    local toolchain
    toolchain=$(wasm_toolchain)
    [ -n "$toolchain" ] || die "No toolchain for $wasm_triple: run .ci/setup build"
    [ "$toolchain" = default ] || export RUSTUP_TOOLCHAIN=$toolchain
    CARGO_TARGET_DIR=$wasm_target_dir cargo "$@"
}
