#compdef nsscript
# Completion of nsscript for zsh, printed by `nsscript completions zsh`.

_nsscript() {
    local -a found asked
    local line kind result=1
    local -a parts
    asked=("${(@Q)words[2,CURRENT-1]}" "$PREFIX")
    for line in "${(@f)$(command nsscript __complete "${asked[@]}" 2>/dev/null)}"; do
        parts=("${(@ps:\t:)line}")
        kind=${parts[1]}
        case $kind in
            word) found+=("${parts[2]//:/\\:}:${parts[3]}") ;;
            recipes) _files -g '*.rhai(-.)' && result=0 ;;
            files) _files && result=0 ;;
            directories) _files -/ && result=0 ;;
        esac
    done
    if (( ${#found} )); then
        _describe -t words 'nsscript' found && result=0
    fi
    return result
}

# Called as a function of the completion system, or read by `source`.
if [[ ${funcstack[1]} == _nsscript ]]; then
    _nsscript "$@"
else
    compdef _nsscript nsscript
fi
