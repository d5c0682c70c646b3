# Where there is systemd: a service for each program, which runs with no more than the rights that it needs, and sockets
# that outlive it, so that a restart turns nobody away. `perigee-deployed`: the Debian packages' units are others.

unit_folder=/etc/systemd/system
unit() { echo "perigee-deployed-$1"; }
drop_ins() { echo "$unit_folder/$(unit "$1").service.d"; }  # NAME: what else there is to the service

argument_after() { grep -x -A 1 -e "$2" "$root/current/services/$1" | tail -n 1; }  # NAME FLAG

service_unit() {  # NAME
  cat <<UNIT
[Unit]
Description=Perigee: $1
Wants=network-online.target
After=network-online.target
$([ -z "$(socket_lines "$1")" ] || echo "Requires=$(unit "$1").socket")
StartLimitIntervalSec=600
StartLimitBurst=$most_restarts

[Service]
Type=notify
ExecStartPre=+/bin/sh $root/current/host.sh note_release $1
ExecStart=/bin/sh $root/current/host.sh launch $1
ExecReload=kill -HUP \$MAINPID
SyslogIdentifier=$1
Restart=always
RestartSec=$first_backoff_s
TimeoutStopSec=$((stop_patience_ds / 10))
WatchdogSec=30
UMask=0077
LimitNOFILE=1048576
ReadWritePaths=$root/state $root/tmp

[Install]
WantedBy=multi-user.target
UNIT
}

socket_lines() {  # NAME: nothing for a program that opens its ports itself
  case $1 in
    httpserver) echo "ListenStream=$(argument_after httpserver -p)" ;;
    dnsserver)
      for address in $(own_addresses); do
        case $address in *:*) address="[$address]" ;; esac
        echo "ListenDatagram=$address:$(argument_after dnsserver -p)"
        echo "ListenStream=$address:$(argument_after dnsserver -p)"
      done
      ;;
  esac
}

socket_unit() {  # NAME
  cat <<UNIT
[Unit]
Description=Perigee: the ports of $1

[Socket]
$(socket_lines "$1")
Backlog=4096
FreeBind=yes
BindIPv6Only=both

[Install]
WantedBy=sockets.target
UNIT
}

write_units() {  # NAME
  service_unit "$1" >"$unit_folder/$(unit "$1").service"
  rm -rf "$(drop_ins "$1")"
  cp -r "$root/current/hardening/$1" "$(drop_ins "$1")"
  [ -z "$(socket_lines "$1")" ] || socket_unit "$1" >"$unit_folder/$(unit "$1").socket"
  systemctl daemon-reload
}

units_of() {  # NAME: sockets first
  for kind in socket service; do
    [ ! -f "$unit_folder/$(unit "$1").$kind" ] || echo "$(unit "$1").$kind"
  done
}

systemd_runs() { systemctl is-active --quiet "$(unit "$1").service"; }

systemd_decided() { :; }  # systemctl has waited

socket_now() { cat "$unit_folder/$(unit "$1").socket" 2>/dev/null || :; }

systemd_begin() {  # NAME: prints what it does
  did=started before=$(socket_now "$1")
  ! systemd_runs "$1" || did=exchanged
  write_units "$1"
  systemctl reset-failed $(units_of "$1") 2>/dev/null || :  # it may have given up
  if [ $did = exchanged ] && [ "$before" = "$(socket_now "$1")" ]; then
    systemctl restart "$(unit "$1").service" || :
  else
    systemctl stop $(units_of "$1") || :  # other ports than before: they can't stay open
    systemctl --quiet enable --now $(units_of "$1") || :
  fi
  echo $did
}

systemd_end() {  # NAME
  units=$(units_of "$1")
  systemctl --quiet disable --now $units || return
  for file in $units; do rm -f "$unit_folder/$file"; done
  rm -rf "$(drop_ins "$1")"
  rm -f "$root/run/$1.release"
  systemctl daemon-reload
  systemctl reset-failed $units 2>/dev/null || :
}

systemd_names() {
  for file in "$unit_folder/$(unit "")"*.service; do
    [ ! -f "$file" ] || { name=$(basename "$file" .service); echo "${name#"$(unit "")"}"; }
  done
}

systemd_logs() { journalctl --no-pager --quiet -o cat -n "$log_lines" -u "$(unit "$1").service"; }
