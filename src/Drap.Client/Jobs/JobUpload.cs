using System.Collections.Immutable;
using Drap.Api;
using Drap.Core.Jobs;

namespace Drap.Client.Jobs;

/// <summary>Makes a job that was read from a file into one that can be submitted: its local files go into the node's store, its secrets are read.</summary>
public static class JobUpload
{
    /// <summary>Files on their way at once: enough to keep a disk and two cores busy.</summary>
    private const int parallel = 4;

    /// <summary>Longest secret, in characters: a key file, not a data file.</summary>
    private const int secretCharsMax = 32 * 1024;

    /// <summary>The request for <paramref name="job"/>, with a new id.</summary>
    /// <param name="node">The node that will get it.</param>
    /// <param name="job">As the job file's reader gives it.</param>
    /// <param name="files">What its paths mean.</param>
    /// <param name="ignoreIn">A folder among the inputs whose ignore file leaves things out (<c>--dir</c>); null for none.</param>
    /// <param name="progress">Told the number of files taken, and of all; may be null.</param>
    /// <param name="cancel">Ends the upload; what was taken is forgotten by the store after a while.</param>
    /// <exception cref="ApiException"><see cref="ErrorCodes.BadJob"/>: a file or a secret is not there.</exception>
    public static async Task<SubmitRequest> PrepareAsync(
        INodeService node, JobSpec job, LocalFiles files, string? ignoreIn, Action<int, int>? progress, CancellationToken cancel)
    {
        // A file that is named twice goes up once.
        var wanted = new Dictionary<Part, Cid>();
        foreach (SegmentSpec segment in job.Segments)
        {
            foreach (InputSpec input in segment.Inputs.Values.Where(i => i.Path is not null))
                wanted.TryAdd(Part.Of(input), default);
            foreach (FilePart part in PartsOf(segment).Where(p => p.Path is not null))
                wanted.TryAdd(Part.Of(part), default);
        }
        await TakeAsync(node, files, ignoreIn, wanted, progress, cancel).ConfigureAwait(false);
        return new SubmitRequest
        {
            Id = DrapClient.NewJobId(),
            Job = job with { Segments = [.. job.Segments.Select(s => Resolved(s, files, wanted))] },
            Secrets = Secrets(job, files),
        };
    }

    private static async Task TakeAsync(
        INodeService node, LocalFiles files, string? ignoreIn, Dictionary<Part, Cid> wanted, Action<int, int>? progress, CancellationToken cancel)
    {
        int done = 0;
        Part[] parts = [.. wanted.Keys];
        await Parallel.ForEachAsync(parts, new ParallelOptions { MaxDegreeOfParallelism = parallel, CancellationToken = cancel }, async (part, stop) =>
        {
            string path = files.Resolve(part.Path);
            if (files.KindOf(part.Path) == PathKind.None)
                throw new ApiException(ErrorCodes.BadJob, $"the input '{part.Path}' is not there", path, "a file or folder of this machine");
            var request = new PathRequest { Path = path, Offset = part.Offset, Length = part.Length, Ignore = part.Path == ignoreIn };
            BlobDocument blob = await node.AddPathAsync(request, stop).ConfigureAwait(false);
            lock (wanted)
            {
                wanted[part] = blob.Cid;
                progress?.Invoke(++done, parts.Length);
            }
        }).ConfigureAwait(false);
    }

    private static SegmentSpec Resolved(SegmentSpec segment, LocalFiles files, Dictionary<Part, Cid> cids) => segment with
    {
        Inputs = segment.Inputs.ToImmutableSortedDictionary(
            i => i.Key,
            i => i.Value.Path is null ? i.Value : i.Value with
            {
                Path = null,
                Cid = cids[Part.Of(i.Value)].ToString(),
                Executable = i.Value.Executable || IsExecutable(files.Resolve(i.Value.Path)),
            },
            StringComparer.Ordinal),
        Files = segment.Files is not { } spread ? null : spread with
        {
            Sets = [.. spread.Sets.Select(set => set with
            {
                Files = [.. set.Files.Select(f => f.Path is null ? f : f with { Path = null, Cid = cids[Part.Of(f)].ToString() })],
            })],
        },
    };

    private static IEnumerable<FilePart> PartsOf(SegmentSpec segment) => segment.Files is { } files ? files.Sets.SelectMany(s => s.Files) : [];

    private static bool IsExecutable(string path) =>
        File.Exists(path) && (File.GetUnixFileMode(path) & (UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute)) != 0;

    private static ImmutableSortedDictionary<string, string> Secrets(JobSpec job, LocalFiles files)
    {
        var secrets = JobJson.EmptyMap<string>().ToBuilder();
        foreach (string source in job.Segments.SelectMany(s => s.Secrets.Values))
            if (!secrets.ContainsKey(source))
                secrets.Add(source, Secret(source, files));
        return secrets.ToImmutable();
    }

    private static string Secret(string source, LocalFiles files)
    {
        string? value = null;
        if (source.StartsWith("env:", StringComparison.Ordinal))
            value = Environment.GetEnvironmentVariable(source[4..]);
        else if (source.StartsWith("file:", StringComparison.Ordinal) && files.KindOf(source[5..]) == PathKind.File && files.SizeOf(source[5..]) <= secretCharsMax)
            value = File.ReadAllText(files.Resolve(source[5..])).TrimEnd('\n');
        return value is { Length: <= secretCharsMax } ? value : throw new ApiException(
            ErrorCodes.BadJob, $"the secret '{source}' is not there, or is too long", source, $"env:NAME or file:PATH, at most {secretCharsMax} characters");
    }

    /// <summary>A file, or a range of one.</summary>
    private readonly record struct Part(string Path, long Offset, long? Length)
    {
        public static Part Of(InputSpec input) => new(input.Path!, 0, null);

        public static Part Of(FilePart part) => new(part.Path!, part.Offset, part.Length);
    }
}
