# Completion of nsscript for fish, printed by `nsscript completions fish`.

function __nsscript_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -e words[1]
    for line in (command nsscript __complete $words $current 2>/dev/null)
        set -l parts (string split \t -- $line)
        switch $parts[1]
            case word
                printf '%s\t%s\n' $parts[2] $parts[3]
            case recipes
                __nsscript_files $current | string match -r '.*(?:/|\.rhai)$'
            case files
                __nsscript_files $current
            case directories
                __nsscript_files $current | string match '*/'
        end
    end
end

# The files that a word can become, as fish finds them for a command that it does not know.
function __nsscript_files
    complete -C"__nsscript_no_command $argv[1]" | string replace -r '\t.*' ''
end

complete -c nsscript -f -a '(__nsscript_complete)'
