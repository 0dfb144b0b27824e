using System.Collections.Immutable;

namespace Drap.Core.Jobs;

/// <summary>Expressions that are bound when a task starts: they must read, and use only what there will be.</summary>
internal static class LateRules
{
    public static void Check(SegmentSpec segment, string path, RuleChecker problems)
    {
        // What is known when the scheduler makes the task, and what only in the work folder.
        ImmutableArray<string> early = Early(segment);
        ImmutableArray<string> all =
        [
            .. early, "job.id", .. segment.Nodes is > 0 ? ["hosts"] : Array.Empty<string>(), .. segment.Inputs.Keys.Select(n => "inputs." + n),
            .. segment.Files is null ? Array.Empty<string>() : ["inputs.files"], .. segment.Outputs.Keys.Select(n => "outputs." + n),
        ];
        Command(segment.Command, $"{path}.command");
        Command(segment.Check, $"{path}.check");
        for (int i = 0; i < segment.Alternatives.Length; i++)
            Command(segment.Alternatives[i].Command, $"{path}.alternatives[{i}].command");
        foreach ((string name, string value) in segment.Env)
            Text(value, all, $"{path}.env.{name}");
        foreach ((string name, InputSpec input) in segment.Inputs)
            Text(input.To, early, $"{path}.inputs.{name}.to");
        foreach ((string name, OutputSpec output) in segment.Outputs)
        {
            Text(output.Path, early, $"{path}.outputs.{name}.path");
            Text(output.To, early, $"{path}.outputs.{name}.to");
        }

        void Command(CommandSpec? command, string at)
        {
            if (command?.Script is { } script)
                Text(script, all, at);
            for (int i = 0; i < command?.Argv.Length; i++)
                Text(command.Argv[i], all, $"{at}[{i}]");
        }

        void Text(string text, ImmutableArray<string> allowed, string at)
        {
            if (!Template.TryParse(text, out Template? template, out string? error))
                problems.Require(false, at, error, "");
            else if (template.Names().FirstOrDefault(n => !allowed.Contains(n)) is { } unknown)
                problems.Require(false, at, $"'{unknown}' is not known", FieldWords.Instead(unknown, allowed));
        }
    }

    private static ImmutableArray<string> Early(SegmentSpec segment) =>
    [
        "index", "number", "job.name", "segment.name", "segment.count",
        .. segment.Items is [{ Text: not null }, ..] ? ["item"] : Array.Empty<string>(),
        .. segment.Items is [{ Text: null } first, ..] ? first.Fields.Keys.Select(f => "item." + f) : [],
        .. segment.Nodes is > 0 ? ["rank", "nodes"] : Array.Empty<string>(),
    ];
}
