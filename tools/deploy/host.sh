#!/bin/sh
# The part of deployCDN, runCDN and stopCDN that runs on a host, as root. They send it along with each command; a
# copy in every release keeps its programs alive. POSIX sh and what Debian, Ubuntu and Amazon Linux have of old.
#
#   $root/runtimes/SHA256/   the programs with all their libraries
#   $root/releases/ID/       runtime -> the one it runs on; etc, keys, services (a file of arguments per program)
#   $root/current, previous  -> releases/ID
#   $root/run, log           root's: who runs (see `identity`), and what they said
#   $root/state, tmp         perigee's: the cache, the map; what does not outlive a process
set -eu
umask 022

root=${PERIGEE_ROOT:-/opt/perigee}
user=perigee
tools='tar gzip sha256sum setsid setpriv flock useradd readlink hostname'

lock_patience_s=60       # for another command on this host
start_patience_ds=400    # tenths of a second until a program runs; a replaced httpserver ends within 10 s
first_look_s=0.5
stop_patience_ds=200     # until it has ended, after SIGTERM; then SIGKILL
first_backoff_s=1        # between two starts of a program that ends; doubles
most_backoff_s=30
stable_s=60              # a program that lived so long starts anew with the first
most_restarts=20         # in a row; then it is left alone
most_log_bytes=10000000  # of a program's log when it starts; beyond, it becomes NAME.log.1

# setpriv's and systemd's word for it: what scamper needs to open raw sockets and to lock itself up, and the prober to
# end it then.
prober_capabilities=-all,+net_raw,+sys_chroot,+setuid,+setgid,+kill

die() { echo "$*" >&2; exit 1; }
linked() { basename "$(readlink "$root/$1" 2>/dev/null)" 2>/dev/null || :; }  # current or previous: its release's ID
services() { ls "$root/current/services" 2>/dev/null || :; }

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

release_of() { cat "$root/run/$1.release" 2>/dev/null || :; }  # the release that a program runs

await() {  # TENTHS COMMAND…: until it is true
  left=$1
  shift
  while ! "$@" >/dev/null; do
    [ "$left" -gt 0 ] || return 1
    left=$((left - 1))
    sleep 0.1
  done
}

# --- what is where ---

facts() {
  echo "machine $(uname -m)"
  echo "kernel $(uname -r)"
  for tool in $tools; do command -v "$tool" >/dev/null || echo "missing $tool"; done
  for runtime in "$root"/runtimes/*; do [ ! -d "$runtime" ] || echo "runtime $(basename "$runtime")"; done
  echo "current $(linked current)"
  echo "previous $(linked previous)"
  for name in $(services); do
    recorded "$name.process" >/dev/null && echo "service $name running $(release_of "$name")" || echo "service $name stopped"
  done
}

# --- deploy ---

prepare() {
  id "$user" >/dev/null 2>&1 ||
    useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$user"
  mkdir -p "$root/runtimes" "$root/releases" "$root/run" "$root/log" "$root/state" "$root/tmp"
  [ -d /var/empty ] || mkdir -m 0555 /var/empty  # scamper locks itself up there
  chown "$user:$user" "$root/state" "$root/tmp"
  chmod 0700 "$root/state" "$root/tmp" "$root/run"
}

# Takes an archive from standard input, and makes sure that it is the one: SHA256 FOLDER
unpack() {
  rm -rf "$2.incoming" "$2.archive"
  mkdir -p "$2.incoming"
  chmod 0700 "$2.incoming"
  (umask 077; cat >"$2.archive")
  echo "$1  $2.archive" | sha256sum -c --status || die "what arrived is not what was sent (SHA-256): try again"
  tar -xzf "$2.archive" -C "$2.incoming" --no-same-owner
  rm "$2.archive"
}

receive() {  # RUNTIME: from standard input
  prepare
  [ ! -d "$root/runtimes/$1" ] || return 0
  unpack "$1" "$root/runtimes/$1"
  chmod 0755 "$root/runtimes/$1.incoming"
  mv -T "$root/runtimes/$1.incoming" "$root/runtimes/$1"
}

point() {  # current or previous, to ID; in one step
  ln -sfn "releases/$2" "$root/.$1"
  mv -T "$root/.$1" "$root/$1"
}

remove_old() {
  for release in "$root"/releases/*; do
    case $(basename "$release") in "$(linked current)" | "$(linked previous)") ;; *) rm -rf "$release" ;; esac
  done
  for runtime in "$root"/runtimes/*; do
    used=
    for release in current previous; do
      [ "$(readlink -f "$root/$release/runtime")" != "$runtime" ] || used=1
    done
    [ -n "$used" ] || rm -rf "$runtime"
  done
}

install() {  # ID SHA256 RUNTIME: the release from standard input
  prepare
  release=$root/releases/$1
  if [ ! -d "$release" ]; then
    unpack "$2" "$release"
    ln -s "../../runtimes/$3" "$release.incoming/runtime"
    chown -R "root:$user" "$release.incoming/etc" "$release.incoming/keys"
    chown "$user:$user" "$release.incoming/keys/key.pem"
    chmod 0755 "$release.incoming"
    mv -T "$release.incoming" "$release"
  fi
  before=$(linked current)
  if [ "$before" != "$1" ]; then
    [ -z "$before" ] || point previous "$before"
    point current "$1"
  fi
  remove_old
}

rollback() {
  current=$(linked current) previous=$(linked previous)
  [ -d "$root/releases/$previous" ] && [ -n "$previous" ] || die 'there is no previous release'
  point current "$previous"
  point previous "$current"
}

# --- run ---

# Becomes a program of the current release: NAME [ARGUMENT…]
become() {
  name=$1
  shift
  runtime=$root/current/runtime
  runtime=$(readlink -f "$runtime")
  for authorities in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt; do
    [ ! -r "$authorities" ] || export SSL_CERT_FILE="${SSL_CERT_FILE:-$authorities}"
  done
  # Started through the loader that came along; by a link to it of the program's own name, for ps, and for --replace.
  set -- "$runtime/run/$name" --inhibit-cache --library-path "$runtime/lib" --argv0 "$name" "$runtime/bin/$name" "$@"
  [ "$name" != prober ] ||
    set -- setpriv --reuid="$user" --regid="$user" --init-groups --inh-caps="$prober_capabilities" \
      --ambient-caps="$prober_capabilities" --bounding-set="$prober_capabilities" --no-new-privs "$@"
  exec "$@"
}

launch() {  # NAME [ARGUMENT…]: the program with its arguments, in the foreground
  program=$1
  shift
  set -f
  IFS='
'
  set -- $(cat "$root/current/services/$program") "$@"
  unset IFS
  set +f
  # Its own addresses one by one: with all of them at once, port 53 would collide with systemd-resolved's on 127.0.0.53.
  [ "$program" != dnsserver ] || set -- "$@" --listen $(hostname -I)
  cd "$root/state"
  export RUNTIME_DIRECTORY="$root/tmp"
  become "$program" "$@"
}

log() { echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) supervisor: $*"; }

begin() {  # NAME [ARGUMENT…]; sets child
  launch "$@" &
  child=$!
}

adopt() {  # NAME: the child is the one that counts
  record "$1.process" "$child" || :
  linked current >"$root/run/$1.release"
  rm -f "$root/run/$1.refused"
}

ended() { ! identity "$1" >/dev/null; }

# Connections whose handshake is under way when a port's old socket closes go over to the new one: 0 or 1. Linux 5.14.
migrate_handshakes() { echo "$1" 2>/dev/null >/proc/sys/net/ipv4/tcp_migrate_req || :; }

# Starts httpserver in the place of process $old, and waits until one of them has ended: the new one does not wait for
# longer than the old one's grace.
hand_over() {
  migrating=$(cat /proc/sys/net/ipv4/tcp_migrate_req 2>/dev/null) || :
  migrate_handshakes 1
  begin httpserver --replace "$old"
  until ended "$old" || ended "$child"; do sleep 0.1; done
  [ "$migrating" = 1 ] || migrate_handshakes 0
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
  child=$$
  record "$1.supervisor" $$
  begin "$1"
  adopt "$1"
  started=$(date +%s)
  while :; do
    wait "$child"
    status=$?
    if [ -n "$exchanging" ]; then
      exchanging=''
      exchange "$1"
      started=$(date +%s)
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
    [ -z "$stopping" ] || break
    backoff=$((backoff * 2 < most_backoff_s ? backoff * 2 : most_backoff_s))
    begin "$1"
    adopt "$1"
    started=$(date +%s)
  done
  forget "$1"
}

runs_current() { recorded "$1.process" && [ "$(release_of "$1")" = "$(linked current)" ]; }

refused() { [ "$(cat "$root/run/$1.refused" 2>/dev/null)" = "$(linked current)" ]; }

decided() { runs_current "$1" || refused "$1"; }

trim_log() {
  [ ! -f "$1" ] || [ "$(wc -c <"$1")" -lt $most_log_bytes ] || mv "$1" "$1.1"
}

begin_one() {  # NAME: prints what will have become of it
  if runs_current "$1" >/dev/null; then
    echo running
  elif supervisor=$(recorded "$1.supervisor"); then
    kill -HUP "$supervisor"
    echo exchanged
  else
    end_one "$1" >/dev/null  # left by a supervisor that was killed
    trim_log "$root/log/$1.log"
    setsid sh "$root/current/host.sh" supervise "$1" </dev/null >>"$root/log/$1.log" 2>&1 9<&- &
    echo started
  fi
}

# All at once; then, that each runs, and still does after the time in which a mistake in its settings ends it.
start() {
  [ -d "$root/current" ] || die 'nothing is deployed here: ./deployCDN first'
  outcomes=
  for name in $(services); do outcomes="$outcomes $name=$(begin_one "$name")"; done
  for outcome in $outcomes; do await $start_patience_ds decided "${outcome%=*}" || :; done
  sleep $first_look_s
  for outcome in $outcomes; do
    name=${outcome%=*}
    runs_current "$name" >/dev/null && echo "service $name ${outcome#*=}" || echo "service $name failed"
  done
}

# --- stop ---

gone() { ! recorded "$1" >/dev/null; }

# Ends the process that run/FILE names, and nothing else.
end_recorded() {
  victim=$(recorded "$1") || return 0
  kill -TERM "$victim" 2>/dev/null || :
  await $stop_patience_ds gone "$1" && return
  kill -KILL "$victim" 2>/dev/null || :
  await $stop_patience_ds gone "$1"
}

end_one() {  # NAME: the supervisor first, that it starts nothing anew; it ends its program
  recorded "$1.supervisor" >/dev/null || recorded "$1.process" >/dev/null || { echo "service $1 stopped"; return; }
  end_recorded "$1.supervisor" || :
  end_recorded "$1.process" && echo "service $1 ended" || echo "service $1 failed"
  forget "$1"
}

stop() {
  for record in "$root"/run/*.supervisor "$root"/run/*.process; do
    [ ! -f "$record" ] || { name=$(basename "$record"); echo "${name%.*}"; }
  done | sort -u | while read -r name; do end_one "$name"; done
  [ ! -d "$root/tmp" ] || find "$root/tmp" -mindepth 1 -delete
}

logs() {  # NAME: the end of it
  tail -n 5 "$root/log/$1.log" 2>/dev/null || :
}

cdnctl() {
  become cdnctl --config "$root/current/etc/cdn.textproto" "$@"
}

command=$1
shift
case $command in
  receive | install | rollback | start | stop)
    mkdir -p "$root"
    exec 9<"$root"  # one at a time
    flock -w $lock_patience_s 9 || die "another command has been at work on this host for $lock_patience_s s"
    "$command" "$@"
    ;;
  facts | supervise | logs | cdnctl) "$command" "$@" ;;
  *) die "host.sh: no such command: $command" ;;
esac
