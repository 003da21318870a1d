# Completion of nsscript for bash, printed by `nsscript completions bash`.

_nsscript() {
    # Bash parts words at `=` and `:` as well. Those that touch on the line are one word.
    local rest=${COMP_LINE:0:COMP_POINT} words=() index raw before='' after
    for ((index = 0; index <= COMP_CWORD; index++)); do
        raw=${COMP_WORDS[index]}
        after=${rest#"${rest%%[![:space:]]*}"}
        if ((index > 0)) && [[ $after == "$rest" && ($raw == [=:]* || $before == *[=:]) ]]; then
            words[${#words[@]} - 1]+=$raw
        else
            words+=("$raw")
        fi
        before=$raw
        rest=${after#"$raw"}
    done
    local whole=${words[${#words[@]} - 1]} kind word about
    # Bash replaces the last part alone.
    local part=${COMP_WORDS[COMP_CWORD]}
    [[ $part == [=:]* ]] && part=
    local kept=${whole%"$part"}
    local typed=$whole
    typed=${typed#[\"\']}

    COMPREPLY=()
    while IFS=$'\t' read -r kind word about; do
        case $kind in
            word)
                [[ $word == "$typed"* ]] && COMPREPLY+=("${word#"$kept"}")
                ;;
            recipes | files | directories)
                _nsscript_files "$kind" "$typed"
                ;;
        esac
    done < <(command nsscript __complete "${words[@]:1}" 2>/dev/null)
    # A word that a value follows at once gets no blank.
    [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
    return 0
}

# Adds files: directories always, so that one can go on into them.
_nsscript_files() {
    local kind=$1 typed=${2//\\/} path
    while IFS= read -r path; do
        if [[ $kind == files || ($kind == recipes && $path == *.rhai) || -d ${path/#\~/$HOME} ]]; then
            COMPREPLY+=("$path")
        fi
    done < <(compgen -f -- "$typed")
    compopt -o filenames 2>/dev/null
}

complete -F _nsscript nsscript
