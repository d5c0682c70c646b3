# Where there is no systemd: a loop of our own for each program, whose pid file nobody can mistake.

# A process's identity, for ever: its number, start and boot. Nothing, and false, once it has ended.
identity() {
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  set -- "$1" ${stat##*) }
  [ "$2" != Z ] && echo "$1 ${21} $(cat /proc/sys/kernel/random/boot_id)"
}

# The process that run/FILE names, if it is still that one.
recorded() {
  read -r pid start boot 2>/dev/null <"$root/run/$1" || return 1
  [ "$(identity "$pid")" = "$pid $start $boot" ] && echo "$pid"
}

record() {  # FILE PID
  mark=$(identity "$2") || return
  echo "$mark" >"$root/run/.$1" && mv "$root/run/.$1" "$root/run/$1"
}

forget() { for kind in supervisor process release refused; do rm -f "$root/run/$1.$kind"; done; }  # NAME

log() { echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) supervisor: $*"; }

begin() {  # NAME [ARGUMENT…]; sets child
  launch "$@" &
  child=$!
}

adopt() {  # NAME: the child is the one that counts
  record "$1.process" "$child" || :
  note_release "$1"
  rm -f "$root/run/$1.refused"
  started=$(date +%s) exchanging=''
}

ended() { ! identity "$1" >/dev/null; }

# Starts httpserver in the place of process $old, and waits until one of them has ended: the new one does not wait for
# longer than the old one's grace.
hand_over() {
  begin httpserver --replace "$old"
  until ended "$old" || ended "$child"; do sleep 0.1; done
}

# httpserver hands its port over; the others leave a gap of some milliseconds.
exchange() {
  old=$child
  if [ "$1" = httpserver ] && ! ended "$old"; then
    hand_over
    if ! ended "$old"; then
      log "the new release does not start; $1 goes on with the old one"
      linked current >"$root/run/$1.refused"
      child=$old
      return
    fi
  else
    kill -TERM "$old" 2>/dev/null
    await $stop_patience_ds ended "$old" || kill -KILL "$old"
    begin "$1"
  fi
  adopt "$1"
}

# Keeps a program alive until SIGTERM; SIGHUP exchanges it for the current release's: NAME
supervise() {
  set +e
  stopping='' exchanging='' backoff=$first_backoff_s restarts=0
  trap 'stopping=1; kill -TERM "$child" 2>/dev/null' TERM
  trap 'exchanging=1' HUP
  child=
  record "$1.supervisor" $$
  begin "$1"
  adopt "$1"
  while :; do
    wait "$child"
    status=$?
    if [ -n "$exchanging" ]; then
      exchanging=''
      exchange "$1"
    fi
    if ! ended "$child"; then
      [ -z "$stopping" ] || kill -TERM "$child"
      continue
    fi
    [ -z "$stopping" ] || break
    [ $(($(date +%s) - started)) -lt $stable_s ] || backoff=$first_backoff_s restarts=0
    restarts=$((restarts + 1))
    [ $restarts -le $most_restarts ] || { log "$1 ended with $status, again; giving up"; break; }
    log "$1 ended with $status; starting it again in $backoff s"
    sleep "$backoff" &
    wait $!
    kill $! 2>/dev/null
    [ -z "$stopping" ] || break
    backoff=$((backoff * 2 < most_backoff_s ? backoff * 2 : most_backoff_s))
    begin "$1"
    adopt "$1"
  done
  forget "$1"
}

supervised_runs() { recorded "$1.process" >/dev/null; }

# Whether the current release runs, or has been found not to.
supervised_decided() {
  runs_current "$1" || [ "$(cat "$root/run/$1.refused" 2>/dev/null)" = "$(linked current)" ]
}

trim_log() {
  [ ! -f "$1" ] || [ "$(wc -c <"$1")" -lt $most_log_bytes ] || mv "$1" "$1.1"
}

supervised_begin() {  # NAME: prints what it does
  if supervisor=$(recorded "$1.supervisor"); then
    kill -HUP "$supervisor"
    echo exchanged
  else
    supervised_end "$1" >/dev/null  # left by a supervisor that was killed
    trim_log "$root/log/$1.log"
    setsid sh "$root/current/host.sh" supervise "$1" </dev/null >>"$root/log/$1.log" 2>&1 9<&- &
    echo started
  fi
}

gone() { ! recorded "$1" >/dev/null; }

# Ends the process that run/FILE names, and nothing else.
end_recorded() {
  victim=$(recorded "$1") || return 0
  kill -TERM "$victim" 2>/dev/null || :
  await $stop_patience_ds gone "$1" && return
  kill -KILL "$victim" 2>/dev/null || :
  await $stop_patience_ds gone "$1"
}

supervised_end() {  # NAME: the supervisor first, that it starts nothing anew; it ends its program
  end_recorded "$1.supervisor" || :
  end_recorded "$1.process" || return
  forget "$1"
}

supervised_names() {
  for record in "$root"/run/*.supervisor "$root"/run/*.process; do
    [ ! -f "$record" ] || { name=$(basename "$record"); echo "${name%.*}"; }
  done | sort -u
}

supervised_logs() { tail -n "$log_lines" "$root/log/$1.log" 2>/dev/null || :; }
