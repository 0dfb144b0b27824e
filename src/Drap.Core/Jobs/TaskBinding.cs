using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Drap.Core.Jobs;

/// <summary>Where and as what an attempt runs: what only the worker knows.</summary>
public sealed record TaskContext
{
    /// <summary>The attempt.</summary>
    public required AttemptId Attempt { get; init; }

    /// <summary>The absolute path of the work folder, in which inputs lie.</summary>
    public required string WorkFolder { get; init; }

    /// <summary>The absolute path of the output folder.</summary>
    public required string OutFolder { get; init; }

    /// <summary>The devices that the lease grants, in order.</summary>
    public ImmutableArray<int> Devices { get; init; } = [];

    /// <summary>A gang's hosts, by rank.</summary>
    public ImmutableArray<string> Hosts { get; init; } = [];
}

/// <summary>What a driver executes.</summary>
/// <param name="Argv">The program and its arguments; a handler's arguments with <see cref="Driver.Dotnet"/>.</param>
/// <param name="Check">The check's; empty without one.</param>
/// <param name="Env">The task's own variables and those that it always gets, without secrets.</param>
public sealed record BoundTask(ImmutableArray<string> Argv, ImmutableArray<string> Check, ImmutableSortedDictionary<string, string> Env);

/// <summary>Puts values for what is known only at the worker.</summary>
public static class TaskBinding
{
    /// <summary>The commands and the environment of an attempt.</summary>
    /// <returns>False with a message for people; the attempt then fails by its own fault.</returns>
    public static bool TryBind(TaskSpec task, TaskContext context, [NotNullWhen(true)] out BoundTask? bound, [NotNullWhen(false)] out string? error)
    {
        bound = null;
        TemplateLookup lookup = (string name, out TemplateValue value) => TryLookup(task, context, name, out value);
        var env = Standard(task, context).ToBuilder();
        foreach ((string name, string value) in task.Env)
        {
            if (!TryText(value, lookup, out string? text, out error))
            {
                error = $"env.{name}: {error}";
                return false;
            }
            env[name] = text;
        }
        if (!TryArgv(task.Command, "command", lookup, out ImmutableArray<string> argv, out error)
            || !TryArgv(task.Check, "check", lookup, out ImmutableArray<string> check, out error))
            return false;
        bound = new BoundTask(argv, check, env.ToImmutable());
        return true;
    }

    private static ImmutableSortedDictionary<string, string> Standard(TaskSpec task, TaskContext context)
    {
        var env = JobJson.EmptyMap<string>().ToBuilder();
        long cores = Math.Max(1, (task.Resources.Cpu.Milli + 999) / 1000);
        env["DRAP_JOB"] = context.Attempt.Task.Job.ToString();
        env["DRAP_TASK"] = Text(context.Attempt.Task.Number);
        env["DRAP_SEGMENT"] = task.Segment;
        env["DRAP_INDEX"] = Text(task.Number);
        env["DRAP_ATTEMPT"] = Text(context.Attempt.Fence.Attempt);
        env["DRAP_FENCE"] = context.Attempt.Fence.ToString();
        env["DRAP_CPUS"] = task.Resources.Cpu.ToString();
        env["DRAP_MEMORY"] = Text(task.Resources.Memory.Bytes);
        env["DRAP_WORK"] = context.WorkFolder;
        env["DRAP_OUT"] = context.OutFolder;
        env["OMP_NUM_THREADS"] = Text(cores);
        // Set also when empty: a task without a device must not find its neighbours'.
        env["CUDA_VISIBLE_DEVICES"] = string.Join(',', context.Devices.Select(d => Text(d)));
        if (task.Item?.Text is { } item)
            env["DRAP_ITEM"] = item;
        if (task.Nodes > 0)
        {
            env["DRAP_RANK"] = Text(task.Index);
            env["DRAP_NODES"] = Text(task.Nodes);
            env["DRAP_HOSTS"] = string.Join(',', context.Hosts);
        }
        return env.ToImmutable();
    }

    private static bool TryLookup(TaskSpec task, TaskContext context, string name, out TemplateValue value)
    {
        string? text = name switch
        {
            "job.id" => context.Attempt.Task.Job.ToString(),
            "hosts" => string.Join(',', context.Hosts),
            _ when name.StartsWith("inputs.", StringComparison.Ordinal) =>
                task.Inputs.FirstOrDefault(i => i.Name == name[7..]) is { } input ? $"{context.WorkFolder}/{input.To}" : "",
            _ when name.StartsWith("outputs.", StringComparison.Ordinal) && task.Outputs.TryGetValue(name[8..], out OutputSpec? output) =>
                $"{context.OutFolder}/{output.Path}",
            _ => null,
        };
        value = new TemplateValue(text ?? "");
        return text is not null;
    }

    private static bool TryArgv(
        CommandSpec? command, string field, TemplateLookup lookup, out ImmutableArray<string> argv, [NotNullWhen(false)] out string? error)
    {
        argv = [];
        error = null;
        if (command is null)
            return true;
        var result = ImmutableArray.CreateBuilder<string>();
        foreach (string argument in command.ToArgv())
        {
            if (!TryText(argument, lookup, out string? text, out error))
            {
                error = $"{field}: {error}";
                return false;
            }
            result.Add(text);
        }
        argv = result.DrainToImmutable();
        return true;
    }

    private static bool TryText(string text, TemplateLookup lookup, [NotNullWhen(true)] out string? bound, [NotNullWhen(false)] out string? error)
    {
        error = null;
        bound = text;
        return !text.Contains("${{", StringComparison.Ordinal)
            || (Template.TryParse(text, out Template? template, out error) && template.TryEvaluate(lookup, out bound, out error));
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
