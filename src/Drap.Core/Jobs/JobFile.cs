using System.Collections.Immutable;
using System.Text;

namespace Drap.Core.Jobs;

/// <summary>What a job file is read with.</summary>
public sealed record JobFileOptions
{
    /// <summary>The file as the user named it, for messages; its ending <c>.json</c> makes it JSON, anything else is YAML.</summary>
    public string FileName { get; init; } = "job.yaml";

    /// <summary>The job's name where the file has none; characters that no name may have become <c>-</c>.</summary>
    public string DefaultName { get; init; } = "job";

    /// <summary>What paths on the command line are relative to; absolute.</summary>
    public string CurrentFolder { get; init; } = "/";

    /// <summary>Values of parameters from the command line.</summary>
    public ImmutableSortedDictionary<string, string> Params { get; init; } = JobJson.EmptyMap<string>();

    /// <summary>What defaults of parameters may use as <c>${{ client.NAME }}</c>: by custom <c>dotnet_root</c>, <c>home</c>, <c>cpus</c>.</summary>
    public ImmutableSortedDictionary<string, string> Client { get; init; } = JobJson.EmptyMap<string>();

    /// <summary>The client's files; null leaves globs unresolved, which only serves to check a file.</summary>
    public IFileLister? Files { get; init; }
}

/// <summary>A job, or every reason why there is none.</summary>
/// <param name="Job">Complete and checked; null if there are errors.</param>
/// <param name="Errors">In the order of the file; empty if there is a job.</param>
public sealed record JobFileResult(JobSpec? Job, ImmutableArray<JobFileError> Errors);

/// <summary>Reads job files.</summary>
public static class JobFile
{
    /// <summary>Errors that are reported for one file; more would not be read.</summary>
    public const int ErrorsMax = 100;

    /// <summary>Reads a job from YAML or JSON text. Never throws on what the text says.</summary>
    public static JobFileResult Read(string text, JobFileOptions options)
    {
        if (Encoding.UTF8.GetByteCount(text) is > JobLimits.DocumentBytesMax and int bytes)
            return Failed(options, 1, 1, $"{bytes} bytes", $"at most {JobLimits.DocumentBytesMax}");
        try
        {
            bool isJson = options.FileName.EndsWith(".json", StringComparison.OrdinalIgnoreCase);
            JobNode root = isJson ? JsonNodes.Read(text) : YamlNodes.Read(text);
            return root.Kind == JobNodeKind.Mapping
                ? new JobDraft(root, options).Read()
                : Failed(options, root.Line, root.Column, "found " + root.Describe(), "a job's fields: name, segments, …");
        }
        catch (JobSyntaxException e)
        {
            return Failed(options, e.Line, e.Column, e.Message, e.Allowed);
        }
    }

    private static JobFileResult Failed(JobFileOptions options, int line, int column, string found, string allowed) =>
        new(null, [new JobFileError(options.FileName, line, column, new JobProblem("", found, allowed))]);
}
