using System.Collections.Immutable;
using System.Text;
using Drap.Api;
using Drap.Core.Jobs;
using Drap.Node.Blobs;

namespace Drap.Node.Service;

/// <summary>Checks what people submit: not every client is ours, and a job that is taken must be one that can run.</summary>
internal static class JobIntake
{
    /// <summary>Largest job as JSON: below one record of the journal by the room that the record's other fields need.</summary>
    private const int JsonBytesMax = Core.Journal.JournalLimits.RecordBytesMax - JobSecrets.SealedBytesMax - (64 << 10);

    /// <summary>Longest path of a folder for results: Linux takes no longer one.</summary>
    private const int OutFolderBytesMax = 4096;

    /// <summary>Problems that one answer names; the first lines are what a person mends first.</summary>
    private const int problemsShown = 20;

    /// <summary>The job with its defaults spelt out, checked.</summary>
    /// <exception cref="ApiException">It breaks a rule.</exception>
    public static JobSpec Check(JobSpec job)
    {
        JobSpec complete = JobForm.Complete(job);
        ImmutableArray<JobProblem> problems = JobRules.Check(complete);
        if (!problems.IsEmpty)
        {
            string more = problems.Length > problemsShown ? $"\nand {problems.Length - problemsShown} more" : "";
            throw problems.Length == 1
                ? new ApiException(ErrorCodes.BadJob, problems[0].Found, problems[0].Path, problems[0].Allowed)
                : new ApiException(ErrorCodes.BadJob, string.Join('\n', problems.Take(problemsShown)) + more, problems[0].Path, problems[0].Allowed);
        }
        return complete;
    }

    /// <summary>Where the results are wanted; empty where the client did not say.</summary>
    /// <exception cref="ApiException">It is no absolute path, or one that no system takes.</exception>
    public static string OutFolder(string? folder) => folder switch
    {
        null => "",
        _ when Path.IsPathRooted(folder) && !folder.Contains('\0', StringComparison.Ordinal) && Encoding.UTF8.GetByteCount(folder) <= OutFolderBytesMax => folder,
        _ => throw new ApiException(ErrorCodes.BadRequest, $"'{folder}' is no absolute path", "out_folder", $"an absolute path of at most {OutFolderBytesMax} bytes, or nothing"),
    };

    public static ImmutableArray<byte> ToJson(JobSpec job)
    {
        byte[] json = JobJson.Write(job);
        return json.Length <= JsonBytesMax
            ? [.. json]
            : throw new ApiException(ErrorCodes.TooLarge, $"the job is {json.Length} bytes as JSON", "segments", $"at most {JsonBytesMax}; fewer or shorter items");
    }

    /// <summary>Whether its tasks find anything in their work folders that came with the job.</summary>
    public static bool HasInputs(JobSpec job) => job.Segments.Any(s => s.Files is not null || s.Inputs.Values.Any(i => i.From is null));

    /// <summary>The blobs that its tasks find in their work folders.</summary>
    /// <exception cref="ApiException">One is not here, or has no name.</exception>
    public static IReadOnlyCollection<Cid> Inputs(JobSpec job, BlobStore blobs)
    {
        var inputs = new HashSet<Cid>();
        foreach (SegmentSpec segment in job.Segments)
        {
            foreach ((string name, InputSpec input) in segment.Inputs)
                if (input.From is null)
                    Add(input.Cid, $"inputs.{name}");
            if (segment.Files is { } files)
                foreach (FilePart part in files.Sets.SelectMany(s => s.Files))
                    Add(part.Cid, "files");

            void Add(string? text, string field)
            {
                string where = $"{segment.Name}.{field}";
                if (!Cid.TryParse(text, out Cid cid))
                    throw new ApiException(ErrorCodes.BadJob, $"'{text}' is no content identifier", where, "a CIDv1 of a file or folder that the node has");
                if (inputs.Add(cid) && !blobs.IsComplete(cid))
                    throw new ApiException(ErrorCodes.NotFound, $"the node does not have all of {cid}", where, "blobs that were added before the job is submitted");
            }
        }
        return inputs;
    }

    /// <summary>The same of a job that was taken already, whether they are here or not.</summary>
    public static IEnumerable<Cid> Named(JobSpec job) => Named(job.Segments);

    /// <summary>Those of them that everybody may read.</summary>
    public static IEnumerable<Cid> Public(JobSpec job) => Named(job.Segments.Where(s => s.Public));

    private static IEnumerable<Cid> Named(IEnumerable<SegmentSpec> segments)
    {
        foreach (SegmentSpec segment in segments)
        {
            foreach (InputSpec input in segment.Inputs.Values)
                if (input.From is null && Cid.TryParse(input.Cid, out Cid cid))
                    yield return cid;
            foreach (FilePart part in segment.Files?.Sets.SelectMany(s => s.Files) ?? [])
                if (Cid.TryParse(part.Cid, out Cid cid))
                    yield return cid;
        }
    }

    /// <summary>The values of the secrets that the job names; others that came with it are left out.</summary>
    /// <exception cref="ApiException">One is missing, cannot be a variable's value, or they are too long together. The value is never told.</exception>
    public static ImmutableSortedDictionary<string, string> Secrets(JobSpec job, ImmutableSortedDictionary<string, string> given)
    {
        var wanted = JobJson.EmptyMap<string>().ToBuilder();
        foreach (SegmentSpec segment in job.Segments)
        {
            int bytes = 0;
            foreach ((string name, string source) in segment.Secrets)
            {
                string where = $"{segment.Name}.secrets.{name}";
                if (!given.TryGetValue(source, out string? value))
                    throw new ApiException(ErrorCodes.BadJob, $"the value of {source} did not come with the job", where, "secrets: {SOURCE: VALUE} in the submit");
                if (value.Contains('\0', StringComparison.Ordinal))
                    throw new ApiException(ErrorCodes.BadJob, $"the value of {source} has a NUL in it", where, "text");
                bytes += Encoding.UTF8.GetByteCount(name) + Encoding.UTF8.GetByteCount(value);
                wanted[source] = value;
            }
            CheckSize(bytes, $"{segment.Name}.secrets");
        }
        CheckSize(wanted.Sum(s => Encoding.UTF8.GetByteCount(s.Key) + Encoding.UTF8.GetByteCount(s.Value)), "secrets");
        return wanted.ToImmutable();

        static void CheckSize(int bytes, string where)
        {
            if (bytes > JobSecrets.BytesMax)
                throw new ApiException(ErrorCodes.TooLarge, $"the secrets are {bytes} bytes together", where, $"at most {JobSecrets.BytesMax}");
        }
    }
}
