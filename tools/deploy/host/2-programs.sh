# What the prober is left with, as setpriv wants it: +net_raw,+kill
prober_capabilities() {
  sed -n 's/^AmbientCapabilities=//p' "$root/current/hardening/prober/10-prober.conf" |
    tr '[:upper:]' '[:lower:]' | sed 's/cap_/+/g; s/ /,/g'
}

# Becomes a program of the current release: NAME [ARGUMENT…]
become() {
  name=$1
  shift
  runtime=$(readlink -f "$root/current/runtime")
  for authorities in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt; do
    [ ! -r "$authorities" ] || export SSL_CERT_FILE="${SSL_CERT_FILE:-$authorities}"
  done
  # Started through the loader that came along; by a link to it of the program's own name, for ps, and for --replace.
  set -- "$runtime/run/$name" --inhibit-cache --library-path "$runtime/lib" --argv0 "$name" "$runtime/bin/$name" "$@"
  if [ "$name" = prober ] && [ "$(id -u)" = 0 ]; then
    capabilities=-all,$(prober_capabilities)
    set -- setpriv --reuid="$user" --regid="$user" --init-groups --inh-caps="$capabilities" \
      --ambient-caps="$capabilities" --bounding-set="$capabilities" --no-new-privs "$@"
  fi
  exec "$@"
}

# One by one: with all of them at once, port 53 would collide with systemd-resolved's on 127.0.0.53.
own_addresses() { hostname -I; }

launch() {  # NAME [ARGUMENT…]: the program with its arguments, in the foreground
  program=$1
  shift
  set -f
  IFS='
'
  set -- $(cat "$root/current/services/$program") "$@"
  unset IFS
  set +f
  [ "$program" != dnsserver ] || [ -n "${LISTEN_FDS:-}" ] || set -- "$@" --listen $(own_addresses)
  # Give up root by themselves; systemd has taken it from all.
  [ "$program" = prober ] || [ "$(id -u)" != 0 ] || set -- "$@" --user "$user"
  cd "$root/state"
  export RUNTIME_DIRECTORY="$root/tmp"
  become "$program" "$@"
}

# As an operator, where one's key is: on the director.
cdnctl() {
  [ ! -d "$root/current/keys/operator" ] || export PERIGEE_IDENTITY="$root/current/keys/operator"
  become cdnctl --config "$root/current/etc/cdn.textproto" "$@"
}
