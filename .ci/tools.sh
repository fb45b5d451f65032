#!/usr/bin/env bash
# The compilers and the browser that tests use beside Python, on Debian and its kin; what is there already stays.
set -euxo pipefail
export DEBIAN_FRONTEND=noninteractive

install() {
    local command=(apt-get install --yes --quiet --no-upgrade --no-install-recommends "$@")
    "${command[@]}" || { apt-get update --quiet && "${command[@]}"; }
}

install gcc g++ libc6-dev binutils clang gcc-arm-none-eabi libnewlib-arm-none-eabi
# The sanitizers of clang are a package of its version.
install "libclang-rt-$(clang -dumpversion | cut -d . -f 1)-dev"
command -v chromium google-chrome || install chromium
