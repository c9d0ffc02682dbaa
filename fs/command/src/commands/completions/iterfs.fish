
# Completes the names of tables, and the terms of names that ask. For another command that reads
# files, the terms alone:
#
#     complete -c cat -a "(iterfs complete --asking -- (commandline -ct))"
for command in columns explain ls top
    complete -c iterfs -n "__fish_iterfs_using_subcommand $command" -f -a "(iterfs complete -- (commandline -ct) 2>/dev/null)"
end
