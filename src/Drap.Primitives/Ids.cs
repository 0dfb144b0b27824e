using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Drap;

/// <summary>A job. The client makes it, so that a retried submit is the same job.</summary>
/// <param name="Value">A UUID.</param>
public readonly record struct JobId(Guid Value) : IComparable<JobId>
{
    /// <inheritdoc/>
    public int CompareTo(JobId other) => Value.CompareTo(other.Value);

    /// <summary>The 32 lower-case hex digits that people see and shorten to a unique prefix.</summary>
    public override string ToString() => Value.ToString("n");

    /// <summary>Reads 32 hex digits, with or without hyphens.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out JobId id)
    {
        bool ok = Guid.TryParse(text, out Guid value);
        id = new JobId(value);
        return ok;
    }
}

/// <summary>One task of a job.</summary>
/// <param name="Job">The job.</param>
/// <param name="Number">From 1, counted through the job's segments in their order; what a person types after the dot in <c>3.17</c>.</param>
public readonly record struct TaskId(JobId Job, int Number) : IComparable<TaskId>
{
    /// <inheritdoc/>
    public int CompareTo(TaskId other)
    {
        int byJob = Job.CompareTo(other.Job);
        return byJob != 0 ? byJob : Number.CompareTo(other.Number);
    }

    /// <summary>Job and number, as <c>0123….17</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Job}.{Number}");
}

/// <summary>
/// The token of one attempt: (epoch, attempt number) in one integer that only grows over a task's life, so that whoever guards an
/// effect can compare two with <c>&lt;</c>. A task sees it as <c>DRAP_FENCE</c>.
/// </summary>
/// <param name="Value">epoch × 2^20 + attempt; an epoch is UTC milliseconds (41 bits until 2039, 42 until 2109), an attempt below 2^20.</param>
public readonly record struct Fence(long Value) : IComparable<Fence>
{
    /// <summary>Bits of the attempt number: a task is placed at most a million times.</summary>
    public const int AttemptBits = 20;

    /// <summary>The token of attempt <paramref name="attempt"/> (from 1) in epoch <paramref name="epoch"/>.</summary>
    public Fence(Epoch epoch, int attempt) : this((epoch.Value << AttemptBits) | (uint)attempt) =>
        Invariant.Check(attempt is > 0 and < 1 << AttemptBits && epoch.Value is >= 0 and < 1L << 43);

    /// <summary>The epoch in which the attempt was placed.</summary>
    public Epoch Epoch => new(Value >> AttemptBits);

    /// <summary>The attempt's number within its task, from 1, through all epochs.</summary>
    public int Attempt => (int)(Value & ((1 << AttemptBits) - 1));

    /// <inheritdoc/>
    public int CompareTo(Fence other) => Value.CompareTo(other.Value);

    /// <summary>The integer in decimal.</summary>
    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);
}

/// <summary>One placement of a task under one lease; the name of the lease too.</summary>
/// <param name="Task">The task.</param>
/// <param name="Fence">Its token.</param>
public readonly record struct AttemptId(TaskId Task, Fence Fence) : IComparable<AttemptId>
{
    /// <inheritdoc/>
    public int CompareTo(AttemptId other)
    {
        int byTask = Task.CompareTo(other.Task);
        return byTask != 0 ? byTask : Fence.CompareTo(other.Fence);
    }

    /// <summary>Task and attempt, as <c>0123….17#2</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Task}#{Fence.Attempt}");
}

/// <summary>One start of a scheduler; a higher one has the say. Max of the journaled one + 1 and UTC milliseconds.</summary>
/// <param name="Value">UTC milliseconds, or one more than the last where the clock stood still.</param>
public readonly record struct Epoch(long Value) : IComparable<Epoch>
{
    /// <inheritdoc/>
    public int CompareTo(Epoch other) => Value.CompareTo(other.Value);

    /// <summary>The integer in decimal.</summary>
    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);
}

/// <summary>A task advertisement.</summary>
/// <param name="Value">A UUID.</param>
public readonly record struct AdId(Guid Value) : IComparable<AdId>
{
    /// <inheritdoc/>
    public int CompareTo(AdId other) => Value.CompareTo(other.Value);
}

/// <summary>An offer, and after its confirmation the name under which it is acknowledged.</summary>
/// <param name="Value">A UUID.</param>
public readonly record struct OfferId(Guid Value) : IComparable<OfferId>
{
    /// <inheritdoc/>
    public int CompareTo(OfferId other) => Value.CompareTo(other.Value);
}

/// <summary>A person or organisation behind nodes; quotas, credit and reputation count per principal.</summary>
/// <param name="Name">A short name, as the certificate will carry it; <c>local</c> on a machine of its own.</param>
public readonly record struct Principal(string Name) : IComparable<Principal>
{
    /// <summary>The owner of a machine on its own.</summary>
    public static readonly Principal Local = new("local");

    /// <inheritdoc/>
    public int CompareTo(Principal other) => string.CompareOrdinal(Name, other.Name);

    /// <summary>The name.</summary>
    public override string ToString() => Name;
}
