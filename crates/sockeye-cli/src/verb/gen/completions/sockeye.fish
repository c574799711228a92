# Completes the lines of sockeye in fish: it asks the sockeye on the PATH.

function __sockeye_complete
    set -l before (commandline --tokenize --current-process --cut-at-cursor)
    set -l word (commandline --current-token --cut-at-cursor)
    for line in (command sockeye gen complete -- $before[2..] "$word" 2>/dev/null)
        set -l parts (string split \t -- $line)
        if test $parts[1] = word
            printf '%s\t%s\n' $parts[2] $parts[3]
            continue
        end
        set -l lead (string sub --length $parts[2] -- $word)
        set -l stem (string sub --start (math $parts[2] + 1) -- $word)
        switch $parts[1]
            case files
                printf '%s\n' $lead(complete --do-complete "'' $stem")
            case users
                printf '%s\n' $lead(__fish_complete_users)
            case commands
                printf '%s\n' $lead(complete --do-complete "$stem")
            case hosts
                printf '%s\n' $lead(__fish_print_hostnames):
        end
    end
end

complete --command sockeye --no-files --arguments '(__sockeye_complete)'
