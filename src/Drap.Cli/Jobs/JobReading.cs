using System.Collections.Immutable;
using System.Globalization;
using System.Runtime.InteropServices;
using Drap.Client.Jobs;
using Drap.Core.Jobs;

namespace Drap.Cli.Jobs;

/// <summary>Reads the job file that was named, with its params, as the client does it: globs become files of this machine.</summary>
internal static class JobReading
{
    /// <summary>The job, complete and checked, and what its paths mean.</summary>
    /// <exception cref="CliException">With every error of the file; its exit code is <see cref="ExitCode.Usage"/>.</exception>
    public static (JobSpec Job, LocalFiles Files) Read(string file, IReadOnlyList<string> parameters, string currentFolder)
    {
        string path = Path.GetFullPath(file, currentFolder);
        string folder = Path.GetDirectoryName(path) ?? "/";
        var files = new LocalFiles(folder);
        JobFileResult result = JobFile.Read(Text(path, file), new JobFileOptions
        {
            FileName = file,
            DefaultName = Path.GetFileName(folder) is { Length: > 0 } name ? name : "job",
            CurrentFolder = currentFolder,
            Params = Params(parameters),
            Client = Client(),
            Files = files,
        });
        return result.Job is { } job
            ? (job, files)
            : throw new CliException(ExitCode.Usage, string.Join('\n', result.Errors.Select(e => e.ToString())), $"drap plan {file} checks it without running it");
    }

    private static string Text(string path, string asNamed)
    {
        try
        {
            if (new FileInfo(path) is { Exists: true, Length: > JobLimits.DocumentBytesMax })
                throw new CliException(ExitCode.Usage, $"{asNamed} is larger than a job file may be; allowed: {JobLimits.DocumentBytesMax} bytes");
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            string why = Directory.Exists(path) ? "is a folder" : e is FileNotFoundException or DirectoryNotFoundException ? "is not there" : e.Message;
            throw new CliException(ExitCode.Usage, $"{asNamed}: the job file {why}", "to run a command, put -- before it: drap run -- COMMAND");
        }
    }

    private static ImmutableSortedDictionary<string, string> Params(IReadOnlyList<string> texts)
    {
        var given = JobJson.EmptyMap<string>().ToBuilder();
        foreach (string text in texts)
        {
            int equals = text.IndexOf('=', StringComparison.Ordinal);
            if (equals < 1)
                throw new CliException(ExitCode.Usage, $"--param: found '{text}'; allowed: NAME=VALUE");
            given[text[..equals]] = text[(equals + 1)..];
        }
        return given.ToImmutable();
    }

    private static ImmutableSortedDictionary<string, string> Client() => JobJson.EmptyMap<string>().AddRange(
    [
        KeyValuePair.Create("cpus", Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture)),
        // …/shared/Microsoft.NETCore.App/10.0.1/ lies three folders below the root.
        KeyValuePair.Create("dotnet_root", Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."))),
        KeyValuePair.Create("home", Environment.GetEnvironmentVariable("HOME") ?? "/"),
    ]);
}
