using Drap.Core.Leases;
using Drap.Core.Messages;

namespace Drap.Core.Execution;

/// <summary>One attempt on this worker, from its confirmation to the moment when its result goes to the outbox.</summary>
public sealed class Attempt : Lease
{
    internal Attempt(AttemptId id, Line line, Assignment assignment)
        : base(id, line.Terms.Scheduler, line.Terms.Principal, line.Terms.StopsAtLeaseEnd)
    {
        Line = line;
        Assignment = assignment;
    }

    /// <summary>What it has in common with others.</summary>
    public Line Line { get; }

    /// <summary>Its own part.</summary>
    public Assignment Assignment { get; }

    /// <summary>How far it is.</summary>
    public AttemptPhase Phase { get; internal set; }

    /// <summary>What it holds; null while it stands in line.</summary>
    public Grant? Grant { get; internal set; }

    /// <summary>When it was handed to its driver.</summary>
    public Instant LaunchedAt { get; internal set; }

    /// <summary>When its program was loaded, as far as it was told.</summary>
    public Instant? StartedAt { get; internal set; }

    /// <summary>When it is signalled next: at its time-out, or after the grace.</summary>
    internal Instant SignalAt { get; set; } = Instant.Never;

    /// <summary>Why it is being ended; null while nobody ends it.</summary>
    public Outcome? EndedAs { get; internal set; }

    /// <summary>What the result says about that.</summary>
    internal string EndedBecause { get; set; } = "";

    /// <summary>Heartbeat replies that have told of its start.</summary>
    internal int StartTold { get; set; }

    /// <summary>When it should be over, as far as is known: <see cref="Instant.Zero"/> if nobody knows, which counts as "any moment".</summary>
    public Instant ExpectedEnd
    {
        get
        {
            TimeSpan expected = Line.Here.IsMeasured ? Line.Here.Mean : Line.Terms.Estimate;
            return expected == TimeSpan.Zero ? Instant.Zero : LaunchedAt + expected;
        }
    }
}

/// <summary>How far an attempt is.</summary>
public enum AttemptPhase : byte
{
    /// <summary>It has its resources and waits for the rest of its gang.</summary>
    AwaitsGo,

    /// <summary>It has its resources and starts at the next flush.</summary>
    Ready,

    /// <summary>It stands in line for resources.</summary>
    Waiting,

    /// <summary>It was launched, and its end is not known.</summary>
    Running,

    /// <summary>It was launched and has been told to end.</summary>
    Ending,

    /// <summary>It is over.</summary>
    Over,
}
