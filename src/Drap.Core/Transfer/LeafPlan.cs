using System.Collections.Immutable;

namespace Drap.Core.Transfer;

/// <summary>Leaves of one file, in a row.</summary>
/// <param name="File">Which file of the plan.</param>
/// <param name="First">The first of them.</param>
/// <param name="Count">How many.</param>
public readonly record struct LeafRun(int File, int First, int Count);

/// <summary>
/// Shares out what is lacking of a few files among their holders: each takes a run when it has nothing more on the way, so that the faster brings
/// more. What a holder still owed when it broke off is shared out again; nothing that came is asked for twice. Pure; one caller at a time.
/// </summary>
public sealed class LeafPlan
{
    /// <summary>Leaves of one run: 2 MiB, so that a run takes about as long as the round trip of a fast link in the same region, and the last ones do not last.</summary>
    public const int RunLeavesMax = 8;

    /// <summary>Runs that one holder owes at most: one comes and one is on its way there, so that the link is never idle. With it a lost holder costs 4 MiB at most.</summary>
    public const int RunsPerHolder = 2;

    private readonly List<State[]> files = [];
    private readonly Stack<LeafRun> again = new();
    private readonly Dictionary<int, List<LeafRun>> owed = [];
    private int file, next;

    private enum State : byte
    {
        Wanted,
        Asked,
        Here,
    }

    /// <summary>Leaves that are not here yet.</summary>
    public long Left { get; private set; }

    /// <summary>Whether all is here.</summary>
    public bool IsComplete => Left == 0;

    /// <summary>Adds a file. <paramref name="isHere"/> says which of its leaves need not come.</summary>
    public int Add(int leaves, Func<int, bool> isHere)
    {
        var states = new State[leaves];
        for (int leaf = 0; leaf < leaves; leaf++)
        {
            states[leaf] = isHere(leaf) ? State.Here : State.Wanted;
            Left += states[leaf] == State.Here ? 0 : 1;
        }
        files.Add(states);
        return files.Count - 1;
    }

    /// <summary>Gives a holder its next run; false if nothing is left to share out, or it owes enough.</summary>
    public bool TryTake(int holder, out LeafRun run)
    {
        run = default;
        if (!owed.TryGetValue(holder, out List<LeafRun>? runs))
            owed[holder] = runs = [];
        if (runs.Count == RunsPerHolder || !(again.TryPop(out run) || TryNext(out run)))
            return false;
        for (int leaf = run.First; leaf < run.First + run.Count; leaf++)
            files[run.File][leaf] = State.Asked;
        runs.Add(run);
        return true;
    }

    /// <summary>The next leaf that a holder owes has come and is right. It must owe one; they come in the order in which they were taken.</summary>
    public void Came(int holder)
    {
        List<LeafRun> runs = owed[holder];
        LeafRun run = runs[0];
        Invariant.Check(files[run.File][run.First] == State.Asked);
        files[run.File][run.First] = State.Here;
        Left--;
        if (run.Count == 1)
            runs.RemoveAt(0);
        else
            runs[0] = run with { First = run.First + 1, Count = run.Count - 1 };
    }

    /// <summary>The leaf that a holder owes next.</summary>
    public bool TryOwed(int holder, out int file, out int leaf)
    {
        bool owes = owed.TryGetValue(holder, out List<LeafRun>? runs) && runs.Count > 0;
        (file, leaf) = owes ? (runs![0].File, runs[0].First) : (-1, -1);
        return owes;
    }

    /// <summary>The holder brings nothing more: what it owed others may bring.</summary>
    public void Lost(int holder)
    {
        if (!owed.Remove(holder, out List<LeafRun>? runs))
            return;
        for (int i = runs.Count - 1; i >= 0; i--)
        {
            for (int leaf = runs[i].First; leaf < runs[i].First + runs[i].Count; leaf++)
                files[runs[i].File][leaf] = State.Wanted;
            again.Push(runs[i]);
        }
    }

    /// <summary>Which files are whole.</summary>
    public ImmutableArray<int> Whole() => [.. Enumerable.Range(0, files.Count).Where(f => files[f].All(s => s == State.Here))];

    private bool TryNext(out LeafRun run)
    {
        for (; file < files.Count; file++, next = 0)
        {
            State[] states = files[file];
            while (next < states.Length && states[next] != State.Wanted)
                next++;
            if (next == states.Length)
                continue;
            int first = next;
            while (next < states.Length && next - first < RunLeavesMax && states[next] == State.Wanted)
                next++;
            run = new LeafRun(file, first, next - first);
            return true;
        }
        run = default;
        return false;
    }
}
