using System.Collections.Immutable;
using System.Globalization;

namespace Drap.Core.Jobs;

/// <summary>Gives parameters their values: from the command line, else their defaults; checked against their types.</summary>
public static class ParamBinding
{
    /// <summary>
    /// The parameters with type and value set. Problems are under <c>params.NAME</c>; those of a value from the command line under
    /// <c>--param NAME</c>.
    /// </summary>
    /// <param name="declared">As the file has them.</param>
    /// <param name="given">From the command line.</param>
    /// <param name="currentFolder">What a <c>path</c> of the command line is relative to; absolute.</param>
    /// <param name="problems">Takes what is wrong.</param>
    public static ImmutableSortedDictionary<string, ParamSpec> Bind(
        ImmutableSortedDictionary<string, ParamSpec> declared, ImmutableSortedDictionary<string, string> given, string currentFolder,
        ICollection<JobProblem> problems)
    {
        foreach (string name in given.Keys.Where(n => !declared.ContainsKey(n)))
            problems.Add(new JobProblem($"--param {name}", $"no parameter '{name}'", declared.Count == 0 ? "none" : FieldWords.Instead(name, declared.Keys)));
        var bound = JobJson.EmptyMap<ParamSpec>().ToBuilder();
        foreach ((string name, ParamSpec spec) in declared)
        {
            ParamType type = spec.Type ?? Guess(spec.Value ?? spec.Default);
            bool isGiven = given.TryGetValue(name, out string? value);
            string path = isGiven ? $"--param {name}" : $"params.{name}";
            value ??= spec.Value ?? spec.Default;
            if (isGiven && type == ParamType.Path)
                value = WorkPath.Combine(currentFolder, value!);
            int before = problems.Count;
            if (value is null)
                problems.Add(new JobProblem(path, "no value, and no default", $"--param {name}={Form(type, spec)}"));
            else if (!Accepts(type, spec, value))
                problems.Add(new JobProblem(path, $"found '{value}'", Form(type, spec)));
            else
                CheckRange(spec, type, path, value, problems);
            // The rest is read with the default, so that a wrong value is one error and not one for each place that uses it.
            bound.Add(name, spec with { Type = type, Value = problems.Count > before ? spec.Default : value });
        }
        return bound.ToImmutable();
    }

    /// <summary>A parameter's value as expressions see it: whole numbers for int, size (bytes) and duration (seconds), else text.</summary>
    public static TemplateValue ValueOf(ParamSpec spec) => (spec.Type, spec.Value) switch
    {
        (_, null) => new TemplateValue(""),
        (ParamType.Int, { } text) when long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number) => new TemplateValue(number),
        (ParamType.Size, { } text) when ByteSize.TryParse(text, out ByteSize size) => new TemplateValue(size.Bytes),
        (ParamType.Duration, { } text) when Duration.TryParse(text, out TimeSpan duration) => new TemplateValue(duration.Ticks / TimeSpan.TicksPerSecond),
        (_, { } text) => new TemplateValue(text),
    };

    private static ParamType Guess(string? value) => value switch
    {
        null => ParamType.String,
        "true" or "false" => ParamType.Bool,
        _ when long.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _) => ParamType.Int,
        _ when IsFloat(value) => ParamType.Float,
        _ when ByteSize.TryParse(value, out _) => ParamType.Size,
        _ when Duration.TryParse(value, out _) => ParamType.Duration,
        _ => ParamType.String,
    };

    private static bool Accepts(ParamType type, ParamSpec spec, string value) => type switch
    {
        ParamType.Int => long.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _),
        ParamType.Float => IsFloat(value),
        ParamType.Size => ByteSize.TryParse(value, out _),
        ParamType.Duration => Duration.TryParse(value, out _),
        ParamType.Bool => value is "true" or "false",
        ParamType.Enum => spec.Values.Contains(value),
        _ => value.Length <= JobLimits.TextLengthMax,
    };

    private static string Form(ParamType type, ParamSpec spec) => type switch
    {
        ParamType.Int => "a whole number",
        ParamType.Float => "a number such as 0.5 or 1e-3",
        ParamType.Size => ByteSize.Form,
        ParamType.Duration => Duration.Form,
        ParamType.Bool => "true or false",
        ParamType.Enum => string.Join(", ", spec.Values),
        ParamType.Path => "a path",
        _ => "a text",
    };

    private static void CheckRange(ParamSpec spec, ParamType type, string path, string value, ICollection<JobProblem> problems)
    {
        if (type is not (ParamType.Int or ParamType.Size or ParamType.Duration))
        {
            if (spec.Min is not null || spec.Max is not null)
                problems.Add(new JobProblem(path, $"min and max of a {type.ToString().ToLowerInvariant()}", "those of an int, size or duration"));
            return;
        }
        foreach ((string? bound, int sign, string word) in new[] { (spec.Min, 1, "least"), (spec.Max, -1, "most") })
        {
            if (bound is null)
                continue;
            if (!Accepts(type, spec, bound))
                problems.Add(new JobProblem(path, $"found '{bound}' as the {word}", Form(type, spec)));
            else if (sign * Number(spec, type, value).CompareTo(Number(spec, type, bound)) < 0)
                problems.Add(new JobProblem(path, $"found '{value}'", $"at {word} {bound}"));
        }
    }

    private static long Number(ParamSpec spec, ParamType type, string value)
    {
        ValueOf(spec with { Type = type, Value = value }).TryGetNumber(out long number);
        return number;
    }

    /// <summary>Digits, a point, an exponent: no infinity and no NaN.</summary>
    private static bool IsFloat(string value) =>
        value.All(c => char.IsAsciiDigit(c) || c is '+' or '-' or '.' or 'e' or 'E')
        && double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out _);
}
