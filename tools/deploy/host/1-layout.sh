#!/bin/sh
# The part of deployCDN, runCDN and stopCDN that runs on a host, as root: the files of this folder, one after the other.
# They send it along with each command; a copy in every release keeps its programs alive. POSIX sh and what Debian,
# Ubuntu and Amazon Linux have of old.
#
#   $root/runtimes/SHA256/   the programs with all their libraries
#   $root/releases/ID/       runtime -> the one it runs on; etc, keys, services (a file of arguments per program),
#                            hardening (for systemd, a folder per program)
#   $root/current, previous  -> releases/ID
#   $root/run, log           root's: who runs (see `identity`), and what they said
#   $root/state, tmp         perigee's: the cache, the map; what does not outlive a process
set -eu
umask 022

root=/opt/perigee
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
log_lines=5              # of a program's log, for the operator
most_log_bytes=10000000  # of a program's log when it starts; beyond, it becomes NAME.log.1

die() { echo "$*" >&2; exit 1; }
linked() { basename "$(readlink "$root/$1" 2>/dev/null)" 2>/dev/null || :; }  # current or previous: its release's ID
services() { ls "$root/current/services" 2>/dev/null || :; }
release_of() { cat "$root/run/$1.release" 2>/dev/null || :; }  # that a program runs
note_release() { linked current >"$root/run/$1.release"; }

await() {  # TENTHS COMMAND…: until it is true
  left=$1
  shift
  while ! "$@" >/dev/null; do
    [ "$left" -gt 0 ] || return 1
    left=$((left - 1))
    sleep 0.1
  done
}

prepare() {
  id "$user" >/dev/null 2>&1 ||
    useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$user"
  for folder in runtimes releases run log state tmp; do mkdir -p "$root/$folder"; done
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
    # Root's alone: who takes over dnsserver is no operator.
    [ ! -d "$release.incoming/keys/operator" ] || chmod 0700 "$release.incoming/keys/operator"
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
