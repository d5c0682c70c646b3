# Completion of Perigee's programs in bash. They are asked for their --help, so it knows what they know.

# Each takes the text of a --help from standard input.
_perigee_flags() { sed -En 's/^  (-[^ ]+).*/\1/p' | tr ',' ' '; }
_perigee_subcommands() { sed -n '/^Subcommands:/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p'; }
# What it says in braces that the value of flag $1 may be.
_perigee_values() { sed -n "s/^  \(-[a-z],\)\?$1 [^ ]*{\([^}]*\)}.*/\2/p" | tr ',' ' '; }

# Of the fleet file $1; nothing when it cannot be read.
_perigee_replicas() {
	sed 's/#.*//' "$1" 2>/dev/null | tr '\n' ' ' | grep -o 'replica *{[^}]*}' |
		sed -n 's/.*[{ ]name: *"\([^"]*\)".*/\1/p'
}

_perigee() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
	# --flag=value is three words here.
	[ "$current" != = ] || current=
	[ "$previous" != = ] || previous=${COMP_WORDS[COMP_CWORD - 2]}

	local asked=("${COMP_WORDS[0]}") fleet=cdn.textproto help words word i
	[ -e $fleet ] || fleet=/etc/perigee/cdn.textproto
	help=$("${asked[@]}" --help 2>/dev/null)
	words=$(_perigee_flags <<<"$help")
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [ "$word" = --config ]; then
			fleet=${COMP_WORDS[i + 1]}
			[ "$fleet" != = ] || fleet=${COMP_WORDS[i + 2]}
		elif [[ $'\n'$(_perigee_subcommands <<<"$help")$'\n' == *$'\n'"$word"$'\n'* ]]; then
			asked+=("$word")
			help=$("${asked[@]}" --help 2>/dev/null)
			words+=" $(_perigee_flags <<<"$help")"
		fi
	done

	case $previous in
		--replica) words=$(_perigee_replicas "$fleet") ;;
		--user) words=$(compgen -u) ;;
		--group) words=$(compgen -g) ;;
		-*)
			local values
			values=$(_perigee_values "$previous" <<<"$help")
			[ -z "$values" ] || words=$values
			;;
		drain | undrain | force-up) words+=" $(_perigee_replicas "$fleet")" ;;
		*) words+=" $(_perigee_subcommands <<<"$help")" ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -o default -F _perigee cdnctl dnsserver httpserver prober
