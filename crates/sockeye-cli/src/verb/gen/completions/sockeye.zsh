#compdef sockeye
# Completes the lines of sockeye in zsh: it asks the sockeye on the PATH.

_sockeye() {
  local line end
  local -a lines parts found shown known
  lines=("${(@f)$(command sockeye gen complete -- "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
  # What a word goes on with is added behind it, as behind the names of hosts.
  for end in '' : =; do
    found=() shown=()
    for line in $lines; do
      parts=("${(@ps:\t:)line}")
      if [[ $parts[1] != word ]]; then
        known=($parts)
      elif [[ ${parts[2]##*[^:=]} == "$end" ]]; then
        found+=("${parts[2]%$end}")
        shown+=("${(r:20:)parts[2]}  $parts[3]")
      fi
    done
    compadd -l ${end:+-S} $end -d shown -a found
  done
  IPREFIX+=${PREFIX[1,known[2]]}
  PREFIX=${PREFIX[known[2]+1,-1]}
  case $known[1] in
    files) _files ;;
    users) _users ;;
    commands) _command_names -e ;;
    # Among the words above.
    hosts) _hosts -F '(localhost)' -S : ;;
  esac
}

# Loaded as a function from fpath, or sourced.
if [[ $funcstack[1] == _sockeye ]]; then _sockeye "$@"; else compdef _sockeye sockeye; fi
