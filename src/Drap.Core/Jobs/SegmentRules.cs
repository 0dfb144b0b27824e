using System.Collections.Immutable;

namespace Drap.Core.Jobs;

/// <summary>What must hold of one segment by itself.</summary>
internal static class SegmentRules
{
    private const int labelLengthMax = 128;
    private const int gpusMax = 64;

    public static void Check(SegmentSpec segment, string path, RuleChecker problems)
    {
        CheckWidth(segment, path, problems);
        CheckCommands(segment, path, problems);
        CheckResources(segment.Resources, $"{path}.resources", problems);
        CheckConstraints(segment.Constraints, $"{path}.constraints", problems);
        CheckGangAndRace(segment, path, problems);
        CheckMarket(segment, path, problems);
        CheckEnvironment(segment, path, problems);
        CheckPlaces(segment, path, problems);
        LateRules.Check(segment, path, problems);
    }

    private static void CheckWidth(SegmentSpec segment, string path, RuleChecker problems)
    {
        string[] said =
        [
            .. segment.Count is null ? Array.Empty<string>() : ["count"], .. segment.Array is null ? Array.Empty<string>() : ["array"],
            .. segment.Items.Length == 0 ? Array.Empty<string>() : ["items"], .. segment.Files is null ? Array.Empty<string>() : ["files"],
            .. segment.Nodes is null ? Array.Empty<string>() : ["nodes"],
        ];
        problems.Require(said.Length <= 1, said.Length > 1 ? $"{path}.{said[1]}" : path, $"{string.Join(" and ", said)} together", "one of count, array, items, files and nodes");
        problems.Require(segment.Count is null or (> 0 and <= JobLimits.TasksMax), $"{path}.count", $"found {segment.Count}", $"1 to {JobLimits.TasksMax}");
        problems.Require(segment.Nodes is null or (> 0 and <= JobLimits.NodesPerGangMax), $"{path}.nodes", $"found {segment.Nodes}", $"1 to {JobLimits.NodesPerGangMax}");
        problems.Require(segment.Concurrency is null or > 0, $"{path}.concurrency", $"found {segment.Concurrency}", "1 or more");
        for (int i = 1; i < segment.Items.Length; i++)
            problems.Require(
                segment.Items[i].Fields.Keys.SequenceEqual(segment.Items[0].Fields.Keys), $"{path}.items[{i}]",
                $"fields {Names(segment.Items[i])}", $"the fields of the first item: {Names(segment.Items[0])}");
        if (segment.Files is not { } files)
            return;
        problems.Require(files.Glob.Length is > 0 and <= JobLimits.PathLengthMax, $"{path}.files.glob", $"found '{files.Glob}'", "a path or pattern");
        problems.Require(WorkPath.IsSafe(files.To), $"{path}.files.to", $"found '{files.To}'", WorkPath.Form);
        problems.Require(files.Group is not { Bytes: 0 }, $"{path}.files.group", "found 0", "a size above 0");
        problems.Require(files.Split is not { Bytes: 0 }, $"{path}.files.split", "found 0", "a size above 0");
        problems.Require(files.Sets.Sum(s => (long)s.Files.Length) <= JobLimits.FilesMax, $"{path}.files", "too many files", $"at most {JobLimits.FilesMax}");
        foreach (FilePart part in files.Sets.SelectMany(s => s.Files))
            problems.Require(
                WorkPath.IsSafe(part.Name) && part.Offset >= 0 && part.Length >= 0 && (part.Cid is null ? part.Path is not null : Cid.TryParse(part.Cid, out _)),
                $"{path}.files", $"the part '{part.Name}'", "a safe name, a range, and a path or a CID");

        static string Names(ItemSpec item) => item.Text is not null ? "none" : string.Join(", ", item.Fields.Keys);
    }

    private static void CheckCommands(SegmentSpec segment, string path, RuleChecker problems)
    {
        CheckRun(segment.Driver, segment.Command, segment.Handler, path, problems);
        problems.Require(segment.Alternatives.Length <= JobLimits.AlternativesMax, $"{path}.alternatives", $"{segment.Alternatives.Length} of them", $"at most {JobLimits.AlternativesMax}");
        for (int i = 0; i < segment.Alternatives.Length; i++)
        {
            AlternativeSpec alternative = segment.Alternatives[i];
            string at = $"{path}.alternatives[{i}]";
            SegmentSpec merged = JobTasks.With(segment, i + 1);
            CheckRun(merged.Driver, merged.Command, merged.Handler, at, problems);
            if (alternative.Resources is not null)
                CheckResources(alternative.Resources, $"{at}.resources", problems);
            if (alternative.Constraints is not null)
                CheckConstraints(alternative.Constraints, $"{at}.constraints", problems);
        }
        CheckArgv(segment.Check, $"{path}.check", problems);
    }

    private static void CheckRun(Driver driver, CommandSpec? command, string? handler, string path, RuleChecker problems)
    {
        CheckArgv(command, $"{path}.command", problems);
        if (driver == Driver.Process)
        {
            problems.Require(command is not null, $"{path}.command", "no command", "a list (a program and its arguments) or a text (a script for sh)");
            problems.Require(handler is null, $"{path}.handler", "a handler", "a handler only with driver: dotnet");
            return;
        }
        problems.Require(handler is { Length: > 0 and <= 256 }, $"{path}.handler", handler is null ? "no handler" : $"found '{handler}'", "the name of a handler that workers have registered");
        problems.Require(command?.Script is null, $"{path}.command", "a script", "with driver: dotnet, a list of arguments for the handler");
    }

    private static void CheckArgv(CommandSpec? command, string path, RuleChecker problems)
    {
        if (command is null)
            return;
        problems.Require(command.Script is null or { Length: > 0 }, path, "an empty script", "a command");
        problems.Require(command.Script is not null || command.Argv is [{ Length: > 0 }, ..], path, "an empty command", "a program and its arguments");
        problems.Require(command.Argv.Length <= JobLimits.EntriesMax, path, $"{command.Argv.Length} arguments", $"at most {JobLimits.EntriesMax}");
        foreach (string text in command.Script is null ? command.Argv : [command.Script])
            problems.Require(text.Length <= JobLimits.TextLengthMax && !text.Contains('\0', StringComparison.Ordinal), path, "an argument that is too long or has a NUL", $"at most {JobLimits.TextLengthMax} characters");
    }

    private static void CheckResources(ResourcesSpec resources, string path, RuleChecker problems)
    {
        problems.Require(resources.Network is >= 0 and <= ResourceRequest.AmountMax, $"{path}.network", $"found {resources.Network}", "Mbit/s, 0 or more");
        problems.Require(resources.Named.Count <= ResourceRequest.NamedMax, $"{path}.named", $"{resources.Named.Count} of them", $"at most {ResourceRequest.NamedMax}");
        foreach ((string name, long amount) in resources.Named)
        {
            problems.Require(IsLabel(name), $"{path}.named.{name}", $"the name '{name}'", "letters, digits, '.', '_', '-', '/' and '='");
            problems.Require(amount is >= 0 and <= ResourceRequest.AmountMax, $"{path}.named.{name}", $"found {amount}", $"0 to {ResourceRequest.AmountMax}");
        }
        if (resources.Gpu is not { } gpu)
            return;
        problems.Require(gpu.Count is >= 0 and <= gpusMax, $"{path}.gpu.count", $"found {gpu.Count}", $"0 to {gpusMax}");
        problems.Require(gpu.Fraction.Milli is > 0 and <= 1000, $"{path}.gpu.fraction", $"found {gpu.Fraction}", "0.001 to 1");
        problems.Require(gpu.Fraction.Milli == 1000 || gpu.Count <= 1, $"{path}.gpu.fraction", $"a part of each of {gpu.Count} devices", "a part of one device, or whole ones");
        problems.Require(gpu.Type is null or { Length: > 0 and <= labelLengthMax }, $"{path}.gpu.type", $"found '{gpu.Type}'", "a word of the model's name");
    }

    private static void CheckConstraints(ConstraintsSpec constraints, string path, RuleChecker problems)
    {
        problems.Require(constraints.MaxWorkers is null or > 0, $"{path}.max_workers", $"found {constraints.MaxWorkers}", "1 or more");
        foreach ((string field, ImmutableArray<string> labels) in new[] { ("labels", constraints.Labels), ("not_labels", constraints.NotLabels) })
        {
            problems.Require(labels.Length <= 64, $"{path}.{field}", $"{labels.Length} of them", "at most 64");
            for (int i = 0; i < labels.Length; i++)
                problems.Require(IsLabel(labels[i]), $"{path}.{field}[{i}]", $"found '{labels[i]}'", "a label of letters, digits, '.', '_', '-', '/' and '='");
        }
        string? both = constraints.Labels.Intersect(constraints.NotLabels, StringComparer.Ordinal).Order(StringComparer.Ordinal).FirstOrDefault();
        problems.Require(both is null, $"{path}.not_labels", $"'{both}', which labels has too", "a label in one of them");
        string? known = constraints.Architecture is "amd64" or "x64" ? "x86_64" : constraints.Architecture is "arm64" ? "aarch64" : null;
        problems.Require(known is null, $"{path}.architecture", $"found '{constraints.Architecture}'", $"the word of uname: {known}");
        foreach ((string field, string? word) in new[] { ("architecture", constraints.Architecture), ("region", constraints.Region), ("zone", constraints.Zone) })
            problems.Require(word is null || IsLabel(word), $"{path}.{field}", $"found '{word}'", "a word of letters, digits, '.', '_', '-', '/' and '='");
    }

    private static void CheckGangAndRace(SegmentSpec segment, string path, RuleChecker problems)
    {
        bool race = segment.Accept.Of > 1;
        if (segment.Nodes is > 0)
        {
            problems.Require(!race, $"{path}.accept", $"accept: {segment.Accept} in a gang", "accept: first");
            problems.Require(segment.Concurrency is null, $"{path}.concurrency", "a concurrency in a gang, whose members run together", "none");
            problems.Require(segment.Alternatives.Length == 0, $"{path}.alternatives", "alternatives in a gang, whose members are alike", "none");
            problems.Require(
                segment.Constraints.MaxWorkers is null || segment.Constraints.MaxWorkers >= segment.Nodes, $"{path}.constraints.max_workers",
                $"found {segment.Constraints.MaxWorkers} with nodes: {segment.Nodes}", $"{segment.Nodes} or more");
        }
        problems.Require(!(segment.Exclusive && race), $"{path}.accept", $"accept: {segment.Accept} with exclusive, which allows one attempt at a time", "accept: first");
        if (!segment.Stdin)
            return;
        problems.Require(JobForm.TaskCount(segment) == 1, $"{path}.stdin", $"stdin for {JobForm.TaskCount(segment)} tasks", "stdin for one task");
        problems.Require(segment.Retries == 0, $"{path}.retries", "retries with stdin, which can be read once", "retries: 0");
        problems.Require(!race, $"{path}.accept", $"accept: {segment.Accept} with stdin, which can be read once", "accept: first");
    }

    private static void CheckMarket(SegmentSpec segment, string path, RuleChecker problems)
    {
        problems.Require(
            segment.Bid is not { } bid || segment.Limit is not { } limit || bid <= limit, $"{path}.limit",
            $"a limit of {segment.Limit} below the bid of {segment.Bid}", "a limit that is not below the bid");
        problems.Require(segment.Deadline is not { Ticks: 0 }, $"{path}.deadline", "found 0s", "a duration above 0");
        problems.Require(segment.Estimate is not { Ticks: 0 }, $"{path}.estimate", "found 0s", "a duration above 0");
        problems.Require(segment.Timeout > TimeSpan.Zero, $"{path}.timeout", "found 0s", "a duration above 0");
        problems.Require(segment.Retries is >= 0 and <= JobLimits.RetriesMax, $"{path}.retries", $"found {segment.Retries}", $"0 to {JobLimits.RetriesMax}");
        problems.Require(Math.Abs((long)segment.Priority) <= JobLimits.PriorityMax, $"{path}.priority", $"found {segment.Priority}", "-100 to 100");
        problems.Require(segment.MaxLog.Bytes is > 0 and <= JobLimits.LogMax, $"{path}.max_log", $"found {segment.MaxLog}", $"1 to {new ByteSize(JobLimits.LogMax)}");
        problems.Require(segment.Durability is >= 0 and <= JobLimits.DurabilityMax, $"{path}.durability", $"found {segment.Durability}", $"0 to {JobLimits.DurabilityMax}");
    }

    private static void CheckEnvironment(SegmentSpec segment, string path, RuleChecker problems)
    {
        foreach ((string field, ImmutableSortedDictionary<string, string> map) in new[] { ("env", segment.Env), ("secrets", segment.Secrets) })
        {
            problems.Require(map.Count <= JobLimits.EntriesMax, $"{path}.{field}", $"{map.Count} of them", $"at most {JobLimits.EntriesMax}");
            foreach ((string name, string value) in map)
            {
                problems.Require(IsVariable(name), $"{path}.{field}.{name}", $"the name '{name}'", "letters, digits and '_', not a digit first");
                problems.Require(!name.StartsWith("DRAP_", StringComparison.Ordinal), $"{path}.{field}.{name}", $"the name '{name}'", "names that do not start with DRAP_");
                problems.Require(!value.Contains('\0', StringComparison.Ordinal), $"{path}.{field}.{name}", "a NUL", "text");
            }
        }
        foreach ((string name, string source) in segment.Secrets)
        {
            problems.Require(
                source.Length > 5 && (source.StartsWith("env:", StringComparison.Ordinal) || source.StartsWith("file:", StringComparison.Ordinal)),
                $"{path}.secrets.{name}", "a secret's value, or nothing", "where the client finds it: env:NAME or file:PATH");
            problems.Require(!segment.Env.ContainsKey(name), $"{path}.secrets.{name}", $"'{name}' in env too", "a name in one of them");
        }
    }

    private static void CheckPlaces(SegmentSpec segment, string path, RuleChecker problems)
    {
        problems.Require(segment.Inputs.Count <= JobLimits.EntriesMax, $"{path}.inputs", $"{segment.Inputs.Count} of them", $"at most {JobLimits.EntriesMax}");
        problems.Require(segment.Outputs.Count <= JobLimits.EntriesMax, $"{path}.outputs", $"{segment.Outputs.Count} of them", $"at most {JobLimits.EntriesMax}");
        var targets = new List<(string To, string Name)>();
        if (segment.Files is { } files)
            targets.Add((files.To, "files"));
        foreach ((string name, InputSpec input) in segment.Inputs)
        {
            string at = $"{path}.inputs.{name}";
            problems.Require(JobRules.IsName(name), at, $"the name '{name}'", "a lower-case letter, then letters, digits, '_' and '-'");
            string[] sources = [.. new[] { input.Path, input.Cid, input.From }.OfType<string>()];
            problems.Require(sources.Length == 1, at, sources.Length == 0 ? "no source" : "more than one source", "one of path, cid and from");
            problems.Require(input.Cid is null || Cid.TryParse(input.Cid, out _), $"{at}.cid", $"found '{input.Cid}'", "a CIDv1 in base32, bafk… or bafy…");
            problems.Require(input.From is not null || (input.Tasks == "all" && !input.Optional), at, "tasks or optional without from", "them only with from");
            problems.Require(IsSafeTemplate(input.To), $"{at}.to", $"found '{input.To}'", WorkPath.Form);
            string? clash = targets.Where(t => WorkPath.Overlap(t.To, input.To)).Select(t => t.Name).FirstOrDefault();
            problems.Require(clash is null, $"{at}.to", $"'{input.To}', which '{clash}' fills too", "places of their own");
            targets.Add((input.To, name));
        }
        foreach ((string name, OutputSpec output) in segment.Outputs)
        {
            string at = $"{path}.outputs.{name}";
            problems.Require(JobRules.IsName(name), at, $"the name '{name}'", "a lower-case letter, then letters, digits, '_' and '-'");
            problems.Require(IsSafeTemplate(output.Path), $"{at}.path", $"found '{output.Path}'", WorkPath.Form);
            problems.Require(IsSafeTemplate(output.To), $"{at}.to", $"found '{output.To}'", WorkPath.Form);
        }
    }

    /// <summary>Whether the path is safe if every expression in it is a harmless word; what it really is, is checked when it is bound.</summary>
    private static bool IsSafeTemplate(string text) =>
        !Template.TryParse(text, out Template? template, out _) || WorkPath.IsSafe(template.WithPlaceholders("x"));

    private static bool IsVariable(string name) =>
        name.Length is > 0 and <= 256 && !char.IsAsciiDigit(name[0]) && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_');

    private static bool IsLabel(string text) =>
        text.Length is > 0 and <= labelLengthMax && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-' or '/' or '=');
}
