# What keeps the programs alive: supervised or systemd. Each has runs, begin, decided, end, names and logs.
keeper=supervised
[ ! -d /run/systemd/system ] || keeper=systemd

# For its change over. The note tells a run that comes after an interrupted one that it was no operator who drained it.
drain() {  # REPLICA
  : >"$root/run/$1.drained"
  (cdnctl drain "$1")
}

undrain() {  # REPLICA
  (cdnctl undrain "$1")
  rm -f "$root/run/$1.drained"
}

runs_current() { ${keeper}_runs "$1" && [ "$(release_of "$1")" = "$(linked current)" ]; }

facts() {
  echo "machine $(uname -m)"
  echo "kernel $(uname -r)"
  for tool in $tools; do command -v "$tool" >/dev/null || echo "missing $tool"; done
  for runtime in "$root"/runtimes/*; do [ ! -d "$runtime" ] || echo "runtime $(basename "$runtime")"; done
  echo "current $(linked current)"
  echo "previous $(linked previous)"
  for note in "$root"/run/*.drained; do [ ! -f "$note" ] || echo "drained $(basename "$note" .drained)"; done
  for name in $({ services; ${keeper}_names; } | sort -u); do
    ${keeper}_runs "$name" && echo "service $name running $(release_of "$name")" || echo "service $name stopped"
  done
}

# All at once; then, that each runs, and still does after the time in which a mistake in its settings ends it.
start() {
  [ -d "$root/current" ] || die 'nothing is deployed here: ./deployCDN first'
  for name in $(${keeper}_names); do [ -e "$root/current/services/$name" ] || ${keeper}_end "$name"; done
  outcomes=
  for name in $(services); do outcomes="$outcomes $name=$(begin_one "$name")"; done
  for outcome in $outcomes; do await $start_patience_ds ${keeper}_decided "${outcome%=*}" || :; done
  sleep $first_look_s
  for outcome in $outcomes; do
    name=${outcome%=*}
    runs_current "$name" && echo "service $name ${outcome#*=}" || echo "service $name failed"
  done
}

begin_one() {  # NAME: prints what will have become of it
  if runs_current "$1"; then echo running; else ${keeper}_begin "$1"; fi
}

stop() {
  for name in $(${keeper}_names); do
    ${keeper}_end "$name" && echo "service $name ended" || echo "service $name failed"
  done
  [ ! -d "$root/tmp" ] || find "$root/tmp" -mindepth 1 -delete
}

logs() { ${keeper}_logs "$1"; }

command=$1
shift
case $command in
  receive | install | rollback | start | stop)
    case $command in
      receive | install) mkdir -p "$root" ;;
      stop) [ -d "$root" ] || exit 0 ;;
      *) [ -d "$root" ] || die 'nothing is deployed here: ./deployCDN first' ;;
    esac
    exec 9<"$root"  # one at a time
    flock -w $lock_patience_s 9 || die "another command has been at work on this host for $lock_patience_s s"
    "$command" "$@"
    ;;
  facts | supervise | launch | note_release | logs | cdnctl | drain | undrain) "$command" "$@" ;;
  *) die "host.sh: no such command: $command" ;;
esac
