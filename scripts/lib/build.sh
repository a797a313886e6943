# Configures and builds a preset; source it after environment.sh.
# shellcheck source=environment.sh
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

# A file that includes torch takes 1.5 GB to compile; more of them at a time than fit only swap.
stride_jobs() {
  local cores memory
  cores=$(nproc)
  memory=$(awk '/MemAvailable/ {print int($2 / 1572864)}' /proc/meminfo)
  [ "$memory" -ge 1 ] || memory=1
  echo "$((cores < memory ? cores : memory))"
}

# stride_configure PRESET: only where nothing is configured yet or the environment is another one.
# Changes of CMake files and new sources are ninja's to notice.
stride_configure() {
  local preset=$1 build=$stride_root/build/$1 options=()
  mkdir -p "$build"
  if [ -e "$build/build.ninja" ] && [ "$(cat "$build/.environment" 2>/dev/null)" = "$STRIDE_VENV" ]; then return 0; fi
  [ ! -e "$build/.environment" ] || options=(--fresh)
  stride_say "configuring preset $preset in $build (log: configure.log there)"
  (cd "$stride_root" && cmake --preset "$preset" "${options[@]}") >"$build/configure.log" 2>&1 || {
    tail -n 40 "$build/configure.log" >&2
    stride_fail "cmake failed; its log is $build/configure.log"
  }
  printf '%s\n' "$STRIDE_VENV" >"$build/.environment"
}

# stride_build PRESET TARGET…: one build of a preset at a time. Everything it says goes to standard error; with
# STRIDE_QUIET set that is only what went wrong.
stride_build() {
  local preset=$1
  shift
  mkdir -p "$stride_root/build"
  exec 8>"$stride_root/build/.$preset.lock"
  flock -n 8 || { stride_say "another build of preset $preset is running; waiting for it"; flock 8; }
  stride_configure "$preset"
  local command=(ninja -C "$stride_root/build/$preset" -j "${STRIDE_JOBS:-$(stride_jobs)}")
  if [ -n "${STRIDE_QUIET:-}" ]; then
    # It says even so that it has nothing to do.
    { "${command[@]}" --quiet "$@" | sed '/^ninja: no work to do\.$/d' >&2; } || stride_fail "the build failed"
  else
    stride_say "building: $* (preset $preset)"
    "${command[@]}" "$@" >&2 || stride_fail "the build failed"
  fi
  exec 8>&-
}
