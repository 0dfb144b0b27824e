using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Drap.Core.Jobs;
using Drap.Core.Messages;

namespace Drap.Core.Nodes;

/// <summary>A segment, or an alternative of it, before the market: what its tasks run.</summary>
internal sealed class PlacementGroup(JobRun job, SegmentRun segment, int variant)
{
    private readonly bool isUniform = JobTasks.IsUniform(segment.Spec, variant);
    private ImmutableArray<byte>? shared;

    public JobRun Job { get; } = job;

    public SegmentRun Segment { get; } = segment;

    /// <summary>0 for the segment itself, then its alternatives.</summary>
    public int Variant { get; } = variant;

    /// <summary>What its tasks get as secrets, once the first was given out.</summary>
    public ImmutableArray<SecretVariable> Secrets { get; private set; } = [];

    /// <summary>What these take of a confirmation, at most.</summary>
    public int SecretBytes => Secrets.Sum(s => s.Name.Length + (3 * s.Value.Length));

    /// <summary>Its lines are not looked at for stealing before.</summary>
    public Instant NextSteal { get; set; } = Instant.Zero;

    /// <summary>Its terms changed, or what it takes was made anew.</summary>
    public void ForgetTemplate() => shared = null;

    /// <summary>What a task runs; tasks that differ in nothing but their index share one, made once. False with a message for people if it cannot be made.</summary>
    public bool TryMakeTemplate(
        int number, Func<JobId, ImmutableArray<byte>, ImmutableSortedDictionary<string, string>?> unseal,
        out ImmutableArray<byte> template, [NotNullWhen(false)] out string? error)
    {
        error = null;
        template = shared ?? [];
        if (shared is not null)
            return true;
        if (!JobTasks.TryMake(Job.Graph, Segment.Index, number - Segment.First, Variant, OutputOf, out TaskSpec? task, out error)
            || !TryTakeSecrets(unseal, out error))
            return false;
        // Where outputs are delivered is the client's business, and differs from task to task.
        ImmutableSortedDictionary<string, OutputSpec> declared = task.Outputs.ToImmutableSortedDictionary(o => o.Key, o => o.Value with { To = "" }, StringComparer.Ordinal);
        template = [.. JobJson.Write(task with { Timeout = Segment.Spec.Timeout, Outputs = declared })];
        if (isUniform)
            shared = template;
        return true;
    }

    /// <summary>Takes what its tasks get as secrets; false if the journal has them, but sealed with another key.</summary>
    private bool TryTakeSecrets(Func<JobId, ImmutableArray<byte>, ImmutableSortedDictionary<string, string>?> unseal, [NotNullWhen(false)] out string? error)
    {
        error = null;
        ImmutableSortedDictionary<string, string> wanted = Segment.Spec.Secrets;
        if (wanted.Count == Secrets.Length)
            return true;
        Job.Secrets ??= unseal(Job.Id, Job.SealedSecrets);
        if (Job.Secrets is not { } values || !wanted.Values.All(values.ContainsKey))
        {
            error = "its secrets cannot be read: the node's secret.key is not the one they were sealed with";
            return false;
        }
        Secrets = [.. wanted.Select(s => new SecretVariable(s.Key, values[s.Value]))];
        return true;
    }

    private bool OutputOf(int segment, int index, string name, out string cid, out bool executable)
    {
        foreach (TaskOutput output in Job.Tasks.Outputs(Job.Graph.NumberOf(segment, index)))
            if (output.Name == name)
            {
                (cid, executable) = (output.Content.ToString(), output.Executable);
                return true;
            }
        (cid, executable) = ("", false);
        return false;
    }
}
