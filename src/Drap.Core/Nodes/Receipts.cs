using System.Collections.Immutable;
using Drap.Core.Messages;

namespace Drap.Core.Nodes;

/// <summary>
/// What happens once a result is acknowledged: the attempt is forgotten, and its receipt goes out, with the next results, since nobody waits for it and
/// each message costs its receiver a turn.
/// </summary>
internal sealed class Receipts
{
    /// <summary>Entries of one receipt: 64 B each, so 64 KiB.</summary>
    public const int EntriesMax = 1024;

    /// <summary>How long a receipt waits for results to go along with: half of what makes a person wait.</summary>
    public static readonly TimeSpan GatherMax = TimeSpan.FromMilliseconds(50);

    private readonly List<(PeerId To, Principal Principal, ReceiptEntry Entry)> entries = [];
    private readonly List<AttemptId> settled = [];

    /// <summary>When what was gathered goes out by itself.</summary>
    public Instant NextDeadline { get; private set; } = Instant.Never;

    /// <summary>
    /// Counts an acknowledged result and says what it costs: its time by our clock and a round trip, as far as one was measured; nothing if
    /// its end was not the task's doing.
    /// </summary>
    public Credits Add(PeerId to, StoredResult stored, TimeSpan roundTrip)
    {
        AttemptResult result = stored.Result;
        settled.Add(result.Attempt);
        // A node that fails a task is not paid for it; nor is one that never began.
        if (result.Outcome is Outcome.NodeFault or Outcome.NotStarted or Outcome.LeaseLost or Outcome.InputMissing || result.Wall == TimeSpan.Zero)
            return Credits.Zero;
        TimeSpan billed = result.Wall + roundTrip;
        Credits amount = Billing.Amount(stored.Price, billed);
        entries.Add((to, stored.Principal, new ReceiptEntry(result.Attempt, stored.Price, billed, amount)));
        return amount;
    }

    /// <summary>Forgets what was acknowledged, and sends the receipts if it is time, one message a receiver and principal.</summary>
    /// <param name="now">The time.</param>
    /// <param name="goesAlong">Whether something else goes out, or they must.</param>
    /// <param name="effects">Where the messages go.</param>
    public void Flush(Instant now, bool goesAlong, List<WorkerEffect> effects)
    {
        if (settled.Count > 0)
            effects.Add(new WorkerEffect.Forget([.. settled]));
        settled.Clear();
        if (entries.Count == 0)
            return;
        NextDeadline = Instant.Min(NextDeadline, now + GatherMax);
        if (!goesAlong && entries.Count < EntriesMax && now < NextDeadline)
            return;
        NextDeadline = Instant.Never;
        // Nearly always there is one receiver and one principal: runs of them are cut, without sorting.
        for (int start = 0, end; start < entries.Count; start = end)
        {
            (PeerId to, Principal principal, _) = entries[start];
            end = start + 1;
            while (end < entries.Count && end - start < EntriesMax && entries[end].To == to && entries[end].Principal == principal)
                end++;
            var part = ImmutableArray.CreateBuilder<ReceiptEntry>(end - start);
            for (int i = start; i < end; i++)
                part.Add(entries[i].Entry);
            effects.Add(new WorkerEffect.Send(to, new Messages.Receipt(principal, part.MoveToImmutable())));
        }
        entries.Clear();
    }
}
