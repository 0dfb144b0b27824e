using System.Globalization;
using Drap.Core.Messages;

namespace Drap.Simulator.Worlds;

/// <summary>The last things that happened in a world, a line each; older ones are dropped. Not thread-safe.</summary>
/// <param name="linesMax">So many are kept.</param>
public sealed class WorldTrace(int linesMax)
{
    /// <summary>The most lines that are kept: a screen's worth many times over, a few MiB.</summary>
    public const int LinesMax = 100_000;

    private readonly Queue<string> lines = new();

    /// <summary>The lines, the oldest first.</summary>
    public IReadOnlyCollection<string> Lines => lines;

    internal void Add(World world, string what)
    {
        if (lines.Count == linesMax)
            lines.Dequeue();
        lines.Enqueue(string.Create(CultureInfo.InvariantCulture, $"{world.Simulation.Happened,9}  {(world.Now - world.Start).TotalSeconds,12:0.000000} s  {what}"));
    }

    internal static string Describe(Message message) => message switch
    {
        Ad ad => $"ad {ad.Id} of {string.Join(", ", ad.Groups.Select(g => $"{g.Count} of group {g.Id}"))}",
        Offer offer => $"offer {offer.Id} to ad {offer.Ad}: {string.Join(", ", offer.Entries.Select(e => $"{e.Count} of group {e.Group} at {e.Ask}{(e.Firm ? "" : ", soft")}"))}",
        Refusal refusal => $"refusal of ad {refusal.Ad}: {string.Join(", ", refusal.Entries.Select(e => $"{e.Reason} for group {e.Group}"))}",
        Confirm confirm => $"confirmation of offer {confirm.Offer}: {string.Join(", ", confirm.Tasks.Select(t => $"{confirm.Works[t.Work].Job.ToString()[..8]}.{t.Number} attempt {t.Attempt}"))}{(confirm.AwaitGo ? ", awaits go" : "")}",
        Ack ack => $"acknowledgement of offer {ack.Offer}",
        Nack nack => $"refusal of offer {nack.Offer}'s confirmation: {nack.Reason}",
        Heartbeat beat => $"heartbeat {beat.Number} of epoch {beat.Epoch.Value}",
        HeartbeatReply reply => $"reply to heartbeat {reply.Number}",
        Result result => $"results: {string.Join(", ", result.Entries.Select(e => $"{Describe(e.Attempt)} {e.Outcome}"))}",
        ResultAck ack => $"results acknowledged: {Describe(ack.Attempts)}",
        Go go => $"go: {Describe(go.Attempts)}",
        Cancel cancel => $"cancel ({cancel.Reason}): {Describe(cancel.Attempts)}",
        Release release => $"release: {Describe(release.Attempts)}",
        Reconcile reconcile => $"reconcile, round {reconcile.Round}: {Describe(reconcile.Attempts)}",
        ReconcileReply reply => $"reply to reconcile, round {reply.Round}: holds {Describe(reply.Held)}, finished {Describe(reply.Finished)}",
        Notice notice => $"notice {notice.Kind}: {Describe(notice.Attempts)}",
        _ => message.GetType().Name,
    };

    internal static string Describe(AttemptId attempt) => $"{attempt.Task.Job.ToString()[..8]}.{attempt.Task.Number} attempt {attempt.Fence.Attempt}";

    private static string Describe(IEnumerable<AttemptId> attempts) => string.Join(", ", attempts.Select(Describe));
}
