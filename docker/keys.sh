#!/bin/sh
# What the service `keys` does: makes an authority, once, and gives every host of the composition a key of its own, and an
# operator his. No other container sees the authority.
set -eu

# give NAME ROLE [ADDRESS]
give() {
	cdnctl keys issue "$1" --keys /authority --role "$2" ${3:+--address "$3"}
	install -o 10001 -g 10001 -m 0400 "/authority/$1"/*.pem "/hosts/$1"
}

[ -e /authority/ca.pem ] || cdnctl keys init --keys /authority
give director director 198.18.53.2
give operator operator
sed -n 's/^replica { name: "\([^"]*\)" *ipv4: "\([^"]*\)".*/\1 \2/p' /etc/perigee/cdn.textproto |
	while read -r name address; do give "$name" replica "$address"; done
