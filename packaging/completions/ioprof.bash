# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for ioprof. Options and commands are those the command itself lists in --help, which is made from its
# tables: what it has is what is offered.

_ioprof_commands() {
	"$1" --help 2>/dev/null | sed -n 's/^ *\(Usage: \)\{0,1\}ioprof \([a-z][a-z-]*\)\( .*\)\{0,1\}$/\2/p' | sort -u
}

_ioprof() {
	local cur prev words cword split
	_init_completion -s -n : || return

	local -a command=()
	((cword > 1)) && [[ ${words[1]} == [a-z]* ]] && command=("${words[1]}")

	case $prev in
	-p | --pid)
		_pids
		return
		;;
	--token-file | --textfile | --jsonl | -o | --output)
		_filedir
		return
		;;
	--listen)
		mapfile -t COMPREPLY < <(compgen -W '127.0.0.1:9977 [::1]:9977' -- "$cur")
		return
		;;
	--socket-set)
		mapfile -t COMPREPLY < <(compgen -W 'auto tracepoint fexit syscall' -- "$cur")
		return
		;;
	esac
	$split && return

	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$("$1" "${command[@]}" --help 2>/dev/null |
			sed -nE 's/^ {2,6}(-[[:alnum:]], )?(--[a-z][a-z0-9-]*=?).*/\2/p')" -- "$cur")
		[[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace
	elif ((cword == 1)); then
		mapfile -t COMPREPLY < <(compgen -W "$(_ioprof_commands "$1")" -- "$cur")
	else
		_filedir
	fi
} && complete -F _ioprof ioprof
