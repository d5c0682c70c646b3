# What the scripts share: where the project is, how they speak, and how a step shows that it is at work.
# Sourced, not run.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

if [ -t 2 ]; then bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'; else bold='' green='' red='' plain=''; fi

say() { printf '%s%s%s\n' "$bold" "$*" "$plain" >&2; }
die() { printf '%s%s%s\n' "$red" "$*" "$plain" >&2; exit 1; }

# step TEXT COMMAND…: runs the command quietly, with a line that counts the seconds on a terminal; its output is
# shown only when it fails.
step() {
  local text=$1 log started status=0 pid
  shift
  log=$(mktemp)
  started=$SECONDS
  "$@" >"$log" 2>&1 &
  pid=$!
  if [ -t 2 ]; then
    while kill -0 $pid 2>/dev/null; do
      printf '\r  … %s (%d s)  %s' "$text" $((SECONDS - started)) "$(tail -n 1 "$log" | tr -d '\r' | cut -c1-60)"
      printf '\e[K'
      sleep 0.2
    done >&2
    printf '\r\e[K' >&2
  else
    printf '  … %s\n' "$text" >&2
  fi
  wait $pid || status=$?
  if [ $status -ne 0 ]; then
    cat "$log" >&2
    rm -f "$log"
    die "  ✗ $text failed (exit $status)"
  fi
  rm -f "$log"
  printf '  %s✓%s %s (%d s)\n' "$green" "$plain" "$text" $((SECONDS - started)) >&2
}

# Runs a command as root: directly, or through sudo.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -- "$@"; fi
}

# build PRESET [TARGET…]
build() {
  local preset=$1
  shift
  [ -f "build/$preset/build.ninja" ] || step "configure ($preset)" cmake --preset "$preset"
  step "build ($preset)" cmake --build --preset "$preset" ${1:+--target "$@"}
}
