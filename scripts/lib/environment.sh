# Makes the build environment and leaves its paths in variables; source it, then call stride_environment.
#
#   STRIDE_VENV    virtual environment with LibTorch (the torch wheel) and the CUDA toolkit
#   STRIDE_SITE    its site-packages
#   STRIDE_CUDA    CUDA root inside it
#   STRIDE_ORACLE_PYTHON  after stride_oracles: the Python with the reference implementations
#   STRIDE_EXPORT_PYTHON  after stride_exporters: the Python with what exporting networks needs
#   STRIDE_DOCS_PYTHON    after stride_documentation: the Python with what builds the documentation and runs notebooks
#   STRIDE_CACHE   per-user cache folder that holds it, and ccache
#
# Everything is idempotent: a second call asks dpkg once and looks at one stamp file.

stride_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
STRIDE_CACHE=${STRIDE_CACHE:-${XDG_CACHE_HOME:-${HOME:?HOME is not set: give STRIDE_CACHE a folder}/.cache}/stride}

stride_say() {
  if [ -t 2 ] && [ -z "${NO_COLOR:-}" ]; then printf '\033[1m==>\033[0m %s\n' "$*" >&2; else printf '==> %s\n' "$*" >&2; fi
}
stride_fail() { printf 'stride: %s\n' "$*" >&2; exit 1; }

# Debian 12's names. Ubuntu 24.04 has all of them under the same names (looked up, untried): its catch2 is
# version 3, which the tests take as well.
stride_system_packages() {
  cat <<'LIST'
g++
cmake
ninja-build
ccache
lld
git
ca-certificates
python3
python3-venv
python3-dev
libceres-dev
libboost-program-options-dev
libhdf5-dev
libtomlplusplus-dev
nlohmann-json3-dev
librandom123-dev
libxxhash-dev
libssl-dev
libpng-dev
libturbojpeg0-dev
libwebp-dev
liblmdb-dev
libzip-dev
catch2
LIST
}

# The packages among the arguments that are not installed.
stride_missing_packages() {
  local installed
  installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed //p') || true
  comm -23 <(printf '%s\n' "$@" | sort -u) <(sort -u <<<"$installed")
}

stride_install_system_packages() {
  [ -z "${STRIDE_SKIP_PACKAGES:-}" ] || return 0
  command -v dpkg-query >/dev/null || stride_fail \
    "this script installs packages on Debian 12 and Ubuntu 24.04 only, and there is no dpkg here. Install what docs/building.md lists and set STRIDE_SKIP_PACKAGES=1."
  local missing=() as_root=()
  # shellcheck disable=SC2046
  mapfile -t missing < <(stride_missing_packages $(stride_system_packages) "$@")
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || stride_fail \
      "these packages are missing, and this is neither root nor is there sudo: ${missing[*]}"
    as_root=(sudo)
  fi
  as_root+=(env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0)
  stride_say "installing system packages: ${missing[*]}"
  "${as_root[@]}" update >&2 || stride_say "apt-get update failed; trying with the package lists that are here"
  "${as_root[@]}" install -y --no-install-recommends "${missing[@]}" >&2 || stride_fail \
    "apt-get could not install: ${missing[*]} (see its message above; without a network, install them by hand)."
}

# For builds that must not install any: says what is missing, and how to get it.
stride_expect_system_packages() {
  [ -z "${STRIDE_SKIP_PACKAGES:-}" ] && command -v dpkg-query >/dev/null || return 0
  local missing=()
  # shellcheck disable=SC2046
  mapfile -t missing < <(stride_missing_packages $(stride_system_packages))
  [ ${#missing[@]} -eq 0 ] || stride_fail \
    "packages are missing that the build needs: apt-get install --no-install-recommends ${missing[*]} (docs/building.md)."
}

# The distribution's own Python rather than a shim that may vanish from under the environment.
stride_python() {
  if [ -x /usr/bin/python3 ]; then echo /usr/bin/python3; else command -v python3; fi
}

# pip, steered neither by a PYTHONPATH or user site of the caller nor by settings that install elsewhere.
stride_pip() {
  local venv=$1 quiet=-q
  shift
  [ ! -t 2 ] || quiet=
  env -u PYTHONPATH -u PYTHONHOME -u PIP_TARGET -u PIP_PREFIX -u PIP_USER -u PIP_REQUIRE_VIRTUALENV PYTHONNOUSERSITE=1 \
    "$venv/bin/python" -m pip install --disable-pip-version-check --no-input $quiet "$@" >&2
}

# The wheels carry libNAME.so.N only, and lib where the tools look for lib64.
stride_link_cuda() {
  local root=$1 so base
  ln -sfn lib "$root/lib64"
  for so in "$root"/lib/lib*.so.*; do
    base=${so%%.so.*}.so
    [ -e "$base" ] || ln -s "$(basename "$so")" "$base"
  done
}

stride_check_python() {
  "$(stride_python)" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || stride_fail \
    "torch 2.11 needs Python 3.10 or newer, and $(stride_python) is $("$(stride_python)" --version 2>&1)."
}

stride_check_space() {
  local free
  free=$(df -Pk "$STRIDE_CACHE" | awk 'NR == 2 {print int($4 / 1048576)}')
  [ "$free" -ge 12 ] || stride_fail \
    "the build environment needs about 12 GB while it is made (6 GB afterwards) and $STRIDE_CACHE has ${free} GB free; set STRIDE_CACHE to a folder elsewhere."
}

stride_make_venv() {
  local venv=$1
  stride_check_python
  rm -rf "$venv"
  stride_check_space
  stride_say "making the build environment in $venv (LibTorch and the CUDA toolkit from wheels, about 6 GB; once)"
  env -u PYTHONPATH -u PYTHONHOME "$(stride_python)" -m venv "$venv" ||
    stride_fail "python3 -m venv failed; is python3-venv installed?"
  # shellcheck disable=SC2086
  stride_pip "$venv" $STRIDE_TORCH_PIN $STRIDE_PYTHON_PINS $STRIDE_CUDA_PINS || stride_fail \
    "pip could not install the pinned wheels (its message is above). It needs the network once, or PIP_INDEX_URL, PIP_FIND_LINKS or HTTPS_PROXY set to what this machine can reach. The next run starts afresh."
  stride_link_cuda "$(stride_site_packages "$venv")/nvidia/cu13"
  "$venv/bin/python" -c 'import torch' >&2 || stride_fail "torch does not load from $venv; remove that folder and run again."
  touch "$venv/.complete"
}

# stride_borrowing NAME PINS WHAT: an environment of its own with the packages of the file PINS, which borrows torch from
# the build environment; leaves its folder in stride_borrowed.
stride_borrowing() {
  local pins=$2 key venv
  key=$( (cat "$pins"; echo "$STRIDE_VENV") | sha256sum | cut -c1-12)
  venv=$STRIDE_CACHE/$1-$key
  if [ ! -e "$venv/.complete" ] || ! [ -x "$venv/bin/python" ]; then
    exec 9>"$venv.lock"
    flock 9
    if [ ! -e "$venv/.complete" ] || ! [ -x "$venv/bin/python" ]; then
      stride_say "making the environment of $3 in $venv (once)"
      rm -rf "$venv"
      env -u PYTHONPATH -u PYTHONHOME "$(stride_python)" -m venv "$venv" || stride_fail "python3 -m venv failed"
      # --no-deps: the file lists all that is imported, and torch is the build environment's.
      stride_pip "$venv" --no-deps -r "$pins" || stride_fail "pip could not install the packages of $pins"
      echo "$STRIDE_SITE" >"$(stride_site_packages "$venv")/torch.pth"
      touch "$venv/.complete"
    fi
    exec 9>&-
  fi
  stride_borrowed=$venv
}

# stride_oracles: the reference implementations that the parity tests compare with; leaves their Python in
# STRIDE_ORACLE_PYTHON.
stride_oracles() {
  stride_borrowing oracles "$stride_root/scripts/lib/oracles.txt" "reference implementations"
  export STRIDE_ORACLE_PYTHON=$stride_borrowed/bin/python
}

# stride_exporters: what turns other people's networks into model folders (scripts/export); leaves its Python in
# STRIDE_EXPORT_PYTHON.
stride_exporters() {
  stride_borrowing export "$stride_root/scripts/lib/export.txt" "exporters"
  export STRIDE_EXPORT_PYTHON=$stride_borrowed/bin/python
}

# stride_documentation: what builds the site (scripts/site) and runs its notebooks; leaves its Python in
# STRIDE_DOCS_PYTHON.
stride_documentation() {
  stride_borrowing docs "$stride_root/scripts/lib/site.txt" "documentation and notebooks"
  export STRIDE_DOCS_PYTHON=$stride_borrowed/bin/python
}

# stride_run_exporter MODULE ARGUMENTS…: runs stride_export.MODULE in place of this script.
stride_run_exporter() {
  local module=$1
  shift
  stride_environment
  stride_exporters
  export STRIDE_COMMAND=${0##*/}
  exec env -u PYTHONHOME PYTHONNOUSERSITE=1 PYTHONPATH="$stride_root/scripts/export" \
    "$STRIDE_EXPORT_PYTHON" -B -m "stride_export.$module" "$@"
}

stride_site_packages() { echo "$1"/lib/python3*/site-packages; }

# The same pins and the same Python are the same environment.
stride_environment_key() {
  (cat "$stride_root/scripts/lib/pins.sh"; "$(stride_python)" --version) | sha256sum | cut -c1-12
}

stride_environment() {
  mkdir -p "$STRIDE_CACHE" || stride_fail "cannot make the cache folder $STRIDE_CACHE; set STRIDE_CACHE to one that is writable."
  STRIDE_CACHE=$(cd "$STRIDE_CACHE" && pwd)
  stride_install_system_packages "$@"
  # shellcheck source=pins.sh
  . "$stride_root/scripts/lib/pins.sh"
  local key
  key=$(stride_environment_key)
  STRIDE_VENV=$STRIDE_CACHE/env-$key
  # A folder without the stamp was interrupted half-way, and is made again; so is one whose Python is gone.
  if [ ! -e "$STRIDE_VENV/.complete" ] || ! [ -x "$STRIDE_VENV/bin/python" ]; then
    exec 9>"$STRIDE_CACHE/env-$key.lock"
    flock -n 9 || { stride_say "another setup is making the environment; waiting for it"; flock 9; }
    if [ ! -e "$STRIDE_VENV/.complete" ] || ! [ -x "$STRIDE_VENV/bin/python" ]; then stride_make_venv "$STRIDE_VENV"; fi
    exec 9>&-
  fi
  STRIDE_SITE=$(stride_site_packages "$STRIDE_VENV")
  STRIDE_CUDA=$STRIDE_SITE/nvidia/cu13
  export STRIDE_CACHE STRIDE_VENV STRIDE_SITE STRIDE_CUDA
  export CCACHE_DIR=${CCACHE_DIR:-$STRIDE_CACHE/ccache}
  # The toolkit is the environment's, whatever the caller's shell points at.
  export CUDACXX=$STRIDE_CUDA/bin/nvcc CUDA_PATH=$STRIDE_CUDA CUDA_HOME=$STRIDE_CUDA
}
