namespace Drap.Cli.Commands;

/// <summary>Shell scripts that ask the program itself what may come next, so that they never fall behind it.</summary>
internal static class CompletionScripts
{
    public static string Of(string shell) => shell switch
    {
        "bash" => bash,
        "zsh" => zsh,
        _ => fish,
    };

    private const string bash = """
        # drap, completion for bash
        _drap() {
            local IFS=$'\n' word="${COMP_WORDS[COMP_CWORD]}"
            COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" "[suggest:${COMP_POINT}]" "${COMP_LINE}" 2>/dev/null)" -- "$word"))
            [ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "$word"))
        }
        complete -o filenames -F _drap drap ./drap

        """;

    private const string zsh = """
        #compdef drap
        # drap, completion for zsh
        _drap() {
            local -a words_of_drap
            words_of_drap=("${(@f)$("${words[1]}" "[suggest:${#BUFFER}]" "$BUFFER" 2>/dev/null)}")
            compadd -a words_of_drap
            _files
        }
        compdef _drap drap

        """;

    private const string fish = """
        # drap, completion for fish
        function __drap_complete
            set -l line (commandline -cp)
            drap "[suggest:"(string length -- $line)"]" "$line" 2>/dev/null
        end
        complete -c drap -a '(__drap_complete)'

        """;
}
