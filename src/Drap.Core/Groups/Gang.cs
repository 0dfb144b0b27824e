namespace Drap.Core.Groups;

/// <summary>
/// One run of a gang, in two phases (design 5): first every member is placed and holds its place; only when each has acknowledged does the
/// gang go, and all are told so until they run. A member that leaves before breaks the gang up; one that leaves later without success ends
/// the others, since a gang runs as a whole. Not thread-safe.
/// </summary>
/// <remarks>
/// <list type="number">
/// <item>Its caller makes it of what was placed, and breaks it up if <see cref="IsWhole"/> says no;</item>
/// <item><see cref="Acknowledge"/> says when it may go: the caller journals that, and then calls <see cref="Tell"/>;</item>
/// <item><see cref="Leave"/> says what becomes of the others; <see cref="Tell"/> again at <see cref="NextTell"/>.</item>
/// </list>
/// </remarks>
public sealed class Gang
{
    /// <summary>Who does not run yet is told again after this: a heartbeat, by which its start would have shown.</summary>
    public static readonly TimeSpan TellInterval = TimeSpan.FromSeconds(1);

    private readonly SortedSet<AttemptId> members;
    private readonly SortedSet<AttemptId> silent;
    private readonly int size;

    /// <summary>A gang whose members were placed.</summary>
    /// <param name="placed">The members; fewer than <paramref name="size"/> if some could not be.</param>
    /// <param name="size">Its ranks.</param>
    public Gang(IEnumerable<AttemptId> placed, int size)
    {
        members = [.. placed];
        silent = [.. members];
        this.size = size;
    }

    /// <summary>A gang that had gone before its scheduler's start, with those of its members that are under way still.</summary>
    public static Gang Recovered(IEnumerable<AttemptId> members, int size)
    {
        var gang = new Gang(members, size) { Phase = GangPhase.Gone };
        gang.silent.Clear();
        return gang;
    }

    /// <summary>How far it is.</summary>
    public GangPhase Phase { get; private set; } = GangPhase.Gathering;

    /// <summary>Members under way, in order.</summary>
    public IReadOnlyCollection<AttemptId> Members => members;

    /// <summary>Whether every rank has a place.</summary>
    public bool IsWhole => members.Count == size;

    /// <summary>When to <see cref="Tell"/> next; never while nobody has to be told.</summary>
    public Instant NextTell { get; private set; } = Instant.Never;

    /// <summary>Whether this attempt is a member under way.</summary>
    public bool Has(AttemptId attempt) => members.Contains(attempt);

    /// <summary>A member acknowledged its place. True, once, if it was the last: the gang has gone.</summary>
    public bool Acknowledge(AttemptId attempt)
    {
        silent.Remove(attempt);
        if (Phase != GangPhase.Gathering || silent.Count > 0 || !IsWhole)
            return false;
        Phase = GangPhase.Gone;
        return true;
    }

    /// <summary>The members that have to be told to start, in order: those that do not run.</summary>
    public List<AttemptId> Tell(Func<AttemptId, bool> runs, Instant now)
    {
        Invariant.Check(Phase != GangPhase.Gathering);
        List<AttemptId> told = [.. members.Where(m => !runs(m))];
        NextTell = told.Count > 0 ? now + TellInterval : Instant.Never;
        return told;
    }

    /// <summary>A member is under way no more.</summary>
    /// <param name="attempt">The member.</param>
    /// <param name="succeeded">Whether its rank has succeeded.</param>
    public GangVerdict Leave(AttemptId attempt, bool succeeded)
    {
        if (!members.Remove(attempt))
            return GangVerdict.Stays;
        if (Phase == GangPhase.Gathering)
            return Break();
        if (members.Count == 0)
        {
            Phase = GangPhase.Over;
            return GangVerdict.Over;
        }
        return succeeded ? GangVerdict.Stays : EndOthers();
    }

    /// <summary>A rank has failed, or will never run: the members under way cannot finish without it. Ends them once.</summary>
    public GangVerdict EndOthers()
    {
        if (Phase != GangPhase.Gone)
            return GangVerdict.Stays;
        Phase = GangPhase.Ending;
        return GangVerdict.Ends;
    }

    /// <summary>It cannot come together: who has a place gives it back.</summary>
    public GangVerdict Break()
    {
        Invariant.Check(Phase == GangPhase.Gathering);
        Phase = GangPhase.Over;
        return GangVerdict.Breaks;
    }
}

/// <summary>How far a gang is.</summary>
public enum GangPhase
{
    /// <summary>Its members hold their places, and not all have acknowledged them. Nothing runs.</summary>
    Gathering,

    /// <summary>It was told to start.</summary>
    Gone,

    /// <summary>A rank failed: the others are being ended.</summary>
    Ending,

    /// <summary>Nothing of it is under way.</summary>
    Over,
}

/// <summary>What becomes of a gang's other members.</summary>
public enum GangVerdict
{
    /// <summary>Nothing.</summary>
    Stays,

    /// <summary>They give their places back: it had not gone.</summary>
    Breaks,

    /// <summary>They are ended.</summary>
    Ends,

    /// <summary>There are none.</summary>
    Over,
}
