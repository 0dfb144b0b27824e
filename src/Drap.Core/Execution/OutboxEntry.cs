using Drap.Core.Messages;
using Drap.Core.Nodes;

namespace Drap.Core.Execution;

/// <summary>A result that its scheduler has not acknowledged.</summary>
internal sealed class OutboxEntry(StoredResult result, OutboxLane lane, PrincipalUse use)
{
    /// <summary>The result.</summary>
    public StoredResult Result { get; } = result;

    /// <summary>Its scheduler's lane.</summary>
    public OutboxLane Lane { get; } = lane;

    /// <summary>What its principal has here.</summary>
    public PrincipalUse Use { get; } = use;

    /// <summary>Whether it is on disk.</summary>
    public bool IsStored { get; set; }

    /// <summary>Whether it was acknowledged or dropped, and only queues still know it.</summary>
    public bool IsGone { get; set; }

    /// <summary>Whether it was sent long enough ago that it is sent again with its lane.</summary>
    public bool IsLate { get; set; }

    /// <summary>When it was sent first.</summary>
    public Instant SentAt { get; set; }

    /// <summary>What it counts against the outbox's size: its outputs, and half a KiB for itself.</summary>
    public long Bytes { get; } = SizeOf(result.Result);

    public OutboxEntry? Previous { get; set; }

    public OutboxEntry? Next { get; set; }

    private static long SizeOf(AttemptResult result)
    {
        long bytes = 512;
        foreach (TaskOutput output in result.Outputs)
            bytes = Math.Min(bytes + Math.Max(output.Bytes, 0), long.MaxValue / 2);
        return bytes;
    }
}

/// <summary>The results of one scheduler, in the order in which they came.</summary>
internal sealed class OutboxLane(PeerId scheduler)
{
    public PeerId Scheduler { get; } = scheduler;

    public OutboxEntry? First { get; private set; }

    public OutboxEntry? Last { get; private set; }

    public int Count { get; private set; }

    /// <summary>Entries that have not been sent yet.</summary>
    public List<OutboxEntry> Fresh { get; } = [];

    /// <summary>When something was sent for the first time, last.</summary>
    public Instant SentAt { get; set; } = Instant.Zero;

    /// <summary>Whether something was sent and neither acknowledged nor found late. Acknowledged entries at the head are forgotten by asking.</summary>
    public bool IsOnItsWay
    {
        get
        {
            while (Sent.TryPeek(out OutboxEntry? first) && first.IsGone)
                Sent.Dequeue();
            return Sent.Count > 0;
        }
    }

    /// <summary>Entries that were sent once, until it is time to look whether they were acknowledged.</summary>
    public Queue<OutboxEntry> Sent { get; } = [];

    public Instant ResendAt { get; set; } = Instant.Never;

    public TimeSpan Backoff { get; set; } = Outbox.ResendFirst;

    public void Append(OutboxEntry entry)
    {
        entry.Previous = Last;
        if (Last is null)
            First = entry;
        else
            Last.Next = entry;
        Last = entry;
        Count++;
    }

    public void Remove(OutboxEntry entry)
    {
        if (entry.Previous is null)
            First = entry.Next;
        else
            entry.Previous.Next = entry.Next;
        if (entry.Next is null)
            Last = entry.Previous;
        else
            entry.Next.Previous = entry.Previous;
        entry.Previous = entry.Next = null;
        entry.IsGone = true;
        Count--;
    }
}
