using System.Collections.Immutable;
using System.Text;
using Drap.Core.Jobs;
using Drap.Core.Messages;

namespace Drap.Simulator.Swarm;

/// <summary>
/// The blobs of a simulated swarm: what its tasks leave lies on their workers first, and for all to take once the scheduler's node has it, until a
/// test loses it.
/// </summary>
public sealed class SimulatedBlobs
{
    private readonly HashSet<Cid> here = [];
    private readonly HashSet<(PeerId Worker, Cid Content)> made = [];
    private readonly HashSet<(PeerId Worker, Cid Content)> kept = [];

    /// <summary>Whether a task that runs again leaves the same content. Default true; else each attempt leaves its own.</summary>
    public bool IsRepeatable { get; set; } = true;

    /// <summary>Blobs that are at the scheduler's node.</summary>
    public IReadOnlyCollection<Cid> Here => here;

    /// <summary>Puts something here that a job brings.</summary>
    public Cid Add(string content)
    {
        Cid cid = Cid.Of(CidCodec.Raw, Encoding.UTF8.GetBytes(content));
        here.Add(cid);
        return cid;
    }

    /// <summary>Workers that keep a copy of it, in order.</summary>
    public ImmutableArray<PeerId> KeepersOf(Cid cid) => [.. kept.Where(k => k.Content == cid).Select(k => k.Worker).Order()];

    /// <summary>It is nowhere to be had from now on.</summary>
    public void Lose(Cid cid) => here.Remove(cid);

    /// <summary>A worker's disk loses what it made so far.</summary>
    public void Spoil(PeerId worker) => made.RemoveWhere(m => m.Worker == worker);

    internal void Keep(PeerId worker, Cid content)
    {
        Invariant.Check(here.Contains(content));
        kept.Add((worker, content));
    }

    internal ImmutableArray<Cid> MissingOf(TaskSpec task) => [.. task.Inputs.SelectMany(i => i.Parts)
        .Select(p => Cid.TryParse(p.Cid, out Cid cid) ? cid : throw new InvalidOperationException($"'{p.Cid}' is no CID"))
        .Where(cid => !here.Contains(cid)).Take(AttemptResult.MissingMax)];

    internal ImmutableArray<TaskOutput> Make(PeerId worker, AttemptId attempt, TaskSpec task)
    {
        var outputs = ImmutableArray.CreateBuilder<TaskOutput>(task.Outputs.Count);
        foreach (string name in task.Outputs.Keys)
        {
            Cid content = Cid.Of(CidCodec.Raw, Encoding.UTF8.GetBytes(IsRepeatable ? $"{name} of {attempt.Task}" : $"{name} of {attempt}"));
            made.Add((worker, content));
            outputs.Add(new TaskOutput(name, content, 1));
        }
        return outputs.ToImmutable();
    }

    /// <summary>Brings to the scheduler's node what a worker made; false if that worker never made it.</summary>
    internal bool Bring(PeerId worker, Cid content)
    {
        if (!made.Contains((worker, content)))
            return false;
        here.Add(content);
        return true;
    }
}
