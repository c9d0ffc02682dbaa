# Completes the names of tables, and the terms of names that ask.
(( $+functions[_iterfs_paths] )) ||
_iterfs_paths() {
    local -a found
    found=(${(f)"$(iterfs complete "$@" -- "${(Q)PREFIX}" 2>/dev/null | cut -f 1)"})
    (( $#found )) && compadd -U -Q -S '' -- $found
}

# The same for any other command that reads files: completes the terms of names below a mount,
# and leaves the rest to zsh:
#
#     compdef _iterfs_names cat head less
(( $+functions[_iterfs_names] )) ||
_iterfs_names() {
    _iterfs_paths --asking || _default
}

