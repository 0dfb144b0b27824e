using System.Collections.Immutable;
using Drap.Core.Jobs;
using Drap.Core.Messages;

namespace Drap.Core.Nodes;

/// <summary>
/// Finished means safe: a result counts when its outputs lie on so many nodes besides the worker that made them as its job asks for. The first of them is
/// this one. Until then it is not acknowledged, so its worker keeps result and outputs, and sends it again.
/// </summary>
internal sealed class SafetyDesk(SchedulerContext context)
{
    /// <summary>Results whose outputs may be on their way at once: 65 536 at 1 KiB, 64 MiB. What comes beyond waits at its worker and is sent again.</summary>
    public const int PendingMax = 65_536;

    private readonly Dictionary<AttemptId, Waiting> pending = [];
    private readonly Dictionary<PeerId, long> given = [];

    /// <summary>
    /// Whether a result may count now; else its outputs are asked for, unless they are already on their way. With a durability of 0 it counts at
    /// once, and the outputs come after it; if they are lost on the way, who made them runs again.
    /// </summary>
    public bool IsSafe(JobRun job, PeerId from, AttemptResult result)
    {
        if (result.Outcome != Outcome.Succeeded || result.Outputs.IsEmpty)
            return true;
        SegmentSpec segment = job.SegmentOf(result.Attempt.Task.Number).Spec;
        ImmutableArray<WantedBlob> blobs = [.. result.Outputs.Select(
            o => new WantedBlob(o.Content, !segment.Outputs.TryGetValue(o.Name, out OutputSpec? output) || (output.Result ?? true), segment.Public))];
        bool waits = segment.Durability > 0;
        if (waits && (pending.Count == PendingMax || !pending.TryAdd(result.Attempt, new Waiting(from, result, blobs, segment.Durability))))
            return false;
        context.Emit(new SchedulerEffect.Fetch(result.Attempt, from, blobs));
        return !waits;
    }

    /// <summary>
    /// The outputs are here, or will not be: the result that waited for them, as it then stands. Null if it counts already, if the same may
    /// succeed later (its worker sends it again, or is lost itself), or if copies are on their way to others.
    /// </summary>
    public (PeerId From, AttemptResult Result)? Take(SchedulerInput.Fetched fetched)
    {
        if (!pending.TryGetValue(fetched.Attempt, out Waiting? waiting))
            return null;
        if (fetched.End == FetchEnd.Safe)
            return Copy(waiting);
        pending.Remove(fetched.Attempt);
        return fetched.End == FetchEnd.Unreachable ? null : (waiting.From, waiting.Result with
        {
            Outcome = Outcome.NodeFault, Outputs = [], Detail = $"its outputs could not be had from {context.NameOf(waiting.From)}: {fetched.Why}",
        });
    }

    /// <summary>A copy lies elsewhere, or does not; else as of outputs that were fetched.</summary>
    public (PeerId From, AttemptResult Result)? Take(SchedulerInput.Copied copied)
    {
        if (!pending.TryGetValue(copied.Attempt, out Waiting? waiting) || !waiting.Asked.Remove(copied.Keeper))
            return null;
        if (copied.IsKept)
            waiting.Kept.Add(copied.Keeper);
        return Copy(waiting);
    }

    /// <summary>
    /// Nodes besides the worker that could keep what it makes now, this one included, no two of them on one disk: as many copies are made at most. Of no worker
    /// in particular it is one that lies on a disk of its own.
    /// </summary>
    public int KeepersFor(PeerId? worker) => OwnCopies(worker) + Disks(worker, []).Count;

    /// <summary>Has copies made until there are enough, or nobody is left who could keep one: then the result counts with what there is.</summary>
    private (PeerId From, AttemptResult Result)? Copy(Waiting waiting)
    {
        // One copy is enough here, wherever this node's disk is: that is what a machine on its own has.
        int wanted = waiting.Durability == 1 ? 0 : waiting.Durability - OwnCopies(waiting.From);
        HashSet<string> used = [.. waiting.Kept.Concat(waiting.Asked).Select(HostOf)];
        Dictionary<string, PeerId> free = Disks(waiting.From, waiting.Tried);
        foreach ((string disk, PeerId keeper) in free.OrderBy(f => given.GetValueOrDefault(f.Value)).ThenBy(f => f.Value))
        {
            if (waiting.Kept.Count + waiting.Asked.Count >= wanted)
                break;
            if (!used.Add(disk))
                continue;
            waiting.Tried.Add(keeper);
            waiting.Asked.Add(keeper);
            given[keeper] = given.GetValueOrDefault(keeper) + 1;
            context.Emit(new SchedulerEffect.Copy(waiting.Result.Attempt, keeper, waiting.Blobs));
        }
        if (waiting.Asked.Count > 0)
            return null;
        pending.Remove(waiting.Result.Attempt);
        return (waiting.From, waiting.Result);
    }

    /// <summary>Whether this node's own copy is one on another disk than the worker's.</summary>
    private int OwnCopies(PeerId? worker) => worker is { } made && IsOwn(HostOf(made)) ? 0 : 1;

    /// <summary>Disks other than this node's and the worker's, each with the node there that has kept least.</summary>
    private Dictionary<string, PeerId> Disks(PeerId? worker, HashSet<PeerId> tried)
    {
        var disks = new Dictionary<string, PeerId>(StringComparer.Ordinal);
        string made = worker is { } peer ? HostOf(peer) : "";
        foreach (PeerId keeper in context.Keepers)
        {
            string host = HostOf(keeper);
            if (keeper == worker || IsOwn(host) || host == made || tried.Contains(keeper))
                continue;
            if (!disks.TryGetValue(host, out PeerId other) || given.GetValueOrDefault(keeper) < given.GetValueOrDefault(other))
                disks[host] = keeper;
        }
        return disks;
    }

    // A disk is known by its machine's address: two nodes behind one address count as one, which errs on the safe side.
    private string HostOf(PeerId worker) => context.Names.TryGetValue(worker, out SchedulerInput.Named? named) ? named.Host : "";

    private static bool IsOwn(string host) => host is "" or SchedulerInput.Named.OwnHost;

    /// <summary>A result that does not count yet.</summary>
    private sealed record Waiting(PeerId From, AttemptResult Result, ImmutableArray<WantedBlob> Blobs, int Durability)
    {
        /// <summary>Who keeps a copy.</summary>
        public HashSet<PeerId> Kept { get; } = [];

        /// <summary>Who was asked for one and has not answered.</summary>
        public HashSet<PeerId> Asked { get; } = [];

        /// <summary>Who was ever asked: nobody is asked twice, so that this comes to an end.</summary>
        public HashSet<PeerId> Tried { get; } = [];
    }
}
