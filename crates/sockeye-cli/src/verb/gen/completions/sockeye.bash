# shellcheck shell=bash
# Completes the lines of sockeye in bash, with or without bash-completion: it asks the sockeye on the PATH, and never
# the program that the line names, since a Tab must run nothing unknown.

_sockeye() {
  local rest=${COMP_LINE:0:COMP_POINT} gap i kind value lead stem found
  local -a words=() all=()
  # Bash breaks words at colons and the like. What has no space between is one word.
  for ((i = 0; i < COMP_CWORD; i++)); do
    gap=${rest%%"${COMP_WORDS[i]}"*}
    rest=${rest#"$gap${COMP_WORDS[i]}"}
    if [[ -n $gap ]] || ((i == 0)); then words+=(''); fi
    words[-1]+=${COMP_WORDS[i]}
  done
  gap=${rest%%[![:space:]]*}
  if [[ -n $gap ]]; then words+=(''); fi
  words[-1]+=${rest#"$gap"}

  local word=${words[-1]}
  # Only what stands behind the last break is replaced.
  local kept=${word%"${word##*["$COMP_WORDBREAKS"]}"}
  COMPREPLY=()
  while IFS=$'\t' read -r kind value _; do
    lead='' stem=''
    if [[ $kind != word ]]; then lead=${word:0:value} stem=${word:value}; fi
    case $kind in
      word) all=("$value") ;;
      commands) mapfile -t all < <(compgen -c -- "$stem") ;;
      files)
        compopt -o filenames
        mapfile -t all < <(compgen -f -- "$stem")
        ;;
      hosts)
        mapfile -t all < <(_sockeye_hosts "$stem")
        all=("${all[@]/%/:}")
        ;;
      users) mapfile -t all < <(compgen -u -- "$stem") ;;
      *) all=() ;;
    esac
    for found in "${all[@]}"; do
      if [[ $found == *[:=] ]]; then compopt -o nospace; fi
      found=$lead$found
      COMPREPLY+=("${found#"$kept"}")
    done
  done < <(command sockeye gen complete -- "${words[@]:1}" 2>/dev/null)
}

_sockeye_hosts() {
  if declare -F _known_hosts_real >/dev/null; then
    local -a COMPREPLY=()
    _known_hosts_real -- "$1"
    ((${#COMPREPLY[@]} == 0)) || printf '%s\n' "${COMPREPLY[@]}"
  else
    compgen -A hostname -- "$1"
  fi
}

complete -F _sockeye sockeye
