
# Completes the names of tables, and the terms of names that ask. For any command that reads
# files, it completes the terms alone, and leaves the rest to bash:
#
#     complete -o bashdefault -o default -F _iterfs_names cat head less
_iterfs_names() {
    # Bash breaks words at `=`, `:` and `@`, and replaces only the last part, to which an `@`
    # belongs.
    local line=${COMP_LINE:0:COMP_POINT} flags=(--asking)
    local word=${line##*[[:space:]]}
    local kept=${word%"${word##*[$COMP_WORDBREAKS]}"}
    kept=${kept%@}
    [[ ${COMP_WORDS[0]##*/} == iterfs ]] && flags=()
    mapfile -t COMPREPLY < <(iterfs complete "${flags[@]}" -- "$word" 2>/dev/null | cut -f 1)
    COMPREPLY=("${COMPREPLY[@]#"$kept"}")
    if ((${#COMPREPLY[@]})); then
        compopt -o nospace 2>/dev/null
    fi
    return 0
}

_iterfs_or_names() {
    local line=${COMP_LINE:0:COMP_POINT}
    case ${line##*[[:space:]]} in
        -*) ;;
        *)
            case ${COMP_WORDS[1]} in
                columns | explain | ls | top)
                    if ((COMP_CWORD > 1)); then
                        _iterfs_names
                        return
                    fi
                    ;;
            esac
            ;;
    esac
    _iterfs "$@"
}

complete -o bashdefault -o default -F _iterfs_or_names iterfs
