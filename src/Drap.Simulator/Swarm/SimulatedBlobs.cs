using System.Collections.Immutable;
using System.Text;
using Drap.Core.Jobs;
using Drap.Core.Messages;

namespace Drap.Simulator.Swarm;

/// <summary>The blobs of a simulated swarm: what its tasks leave, for all to take, until a test loses it.</summary>
public sealed class SimulatedBlobs
{
    private readonly HashSet<Cid> here = [];

    /// <summary>Whether a task that runs again leaves the same content. Default true; else each attempt leaves its own.</summary>
    public bool IsRepeatable { get; set; } = true;

    /// <summary>Blobs that are here.</summary>
    public IReadOnlyCollection<Cid> Here => here;

    /// <summary>Puts something here that a job brings.</summary>
    public Cid Add(string content)
    {
        Cid cid = Cid.Of(CidCodec.Raw, Encoding.UTF8.GetBytes(content));
        here.Add(cid);
        return cid;
    }

    /// <summary>It is nowhere to be had from now on.</summary>
    public void Lose(Cid cid) => here.Remove(cid);

    internal ImmutableArray<Cid> MissingOf(TaskSpec task) => [.. task.Inputs.SelectMany(i => i.Parts)
        .Select(p => Cid.TryParse(p.Cid, out Cid cid) ? cid : throw new InvalidOperationException($"'{p.Cid}' is no CID"))
        .Where(cid => !here.Contains(cid)).Take(AttemptResult.MissingMax)];

    internal ImmutableArray<TaskOutput> Make(AttemptId attempt, TaskSpec task) =>
        [.. task.Outputs.Keys.Select(name => new TaskOutput(name, Add(IsRepeatable ? $"{name} of {attempt.Task}" : $"{name} of {attempt}"), 1))];
}
