using System.Numerics;

namespace Drap.Core.Market.Packing;

/// <summary>
/// A problem made ready: without the items that cannot be taken and the dimensions that cannot run short, in an order that does not depend
/// on the order in which items were added, with values scaled so that sums and products of them fit in 64 bits.
/// </summary>
internal sealed class PackingTable
{
    /// <summary>A need of 2^20 is the whole capacity.</summary>
    public const int WeightBits = 20;

    // All copies of all items are worth less than 2^38, so that a dual price times a weight stays below 2^58, and 24 of them below 2^63.
    private const int ValueBits = 38;

    public int Items { get; private set; }

    public int Dimensions { get; private set; }

    /// <summary>By dimension.</summary>
    public readonly long[] Capacity = new long[PackingProblem.DimensionsMax];

    /// <summary>By item, then dimension: exact.</summary>
    public long[] Needs = [];

    /// <summary>By item, then dimension: as a part of the capacity, rounded down.</summary>
    public long[] Weights = [];

    /// <summary>Scaled; at least 1, so that work for nothing is still better than none.</summary>
    public long[] Values = [];

    /// <summary>Copies, cut to what would fit alone.</summary>
    public int[] Counts = [];

    /// <summary>The item's index in the problem.</summary>
    public int[] Sources = [];

    public void Build(PackingProblem problem)
    {
        if (Sources.Length < problem.Items)
            Allocate(Math.Max(64, (int)BitOperations.RoundUpToPowerOf2((uint)problem.Items)));
        Collect(problem);
        Span<int> dimensions = stackalloc int[PackingProblem.DimensionsMax];
        Dimensions = FindBinding(problem, dimensions);
        Sources.AsSpan(0, Items).Sort(new Canonical(problem));
        int shift = ValueShift(problem);
        for (int d = 0; d < Dimensions; d++)
            Capacity[d] = problem.Capacity[dimensions[d]];
        for (int i = 0; i < Items; i++)
        {
            int source = Sources[i];
            Counts[i] = Alone(problem, source);
            long value = problem.Value(source);
            Values[i] = Math.Max(1, shift >= 0 ? value << shift : value >> -shift);
            ReadOnlySpan<long> need = problem.Need(source);
            for (int d = 0; d < Dimensions; d++)
            {
                Needs[i * Dimensions + d] = need[dimensions[d]];
                Weights[i * Dimensions + d] = Weight(need[dimensions[d]], Capacity[d]);
            }
        }
    }

    private void Allocate(int items)
    {
        Needs = new long[items * PackingProblem.DimensionsMax];
        Weights = new long[items * PackingProblem.DimensionsMax];
        Values = new long[items];
        Counts = new int[items];
        Sources = new int[items];
    }

    private void Collect(PackingProblem problem)
    {
        Items = 0;
        for (int i = 0; i < problem.Items; i++)
            if (problem.Value(i) >= 0 && Alone(problem, i) > 0)
                Sources[Items++] = i;
    }

    /// <summary>How many copies of an item fit when nothing else is taken.</summary>
    private static int Alone(PackingProblem problem, int item)
    {
        long most = problem.Count(item);
        ReadOnlySpan<long> need = problem.Need(item);
        for (int d = 0; d < need.Length; d++)
        {
            long capacity = problem.Capacity[d];
            if (need[d] > capacity)
                return 0;
            if (need[d] > 0 && most > 1)
                most = Math.Min(most, capacity / need[d]);
        }
        return (int)most;
    }

    /// <summary>Finds the dimensions in which not everything fits together; the others never decide anything.</summary>
    private int FindBinding(PackingProblem problem, Span<int> binding)
    {
        int found = 0;
        for (int d = 0; d < problem.Dimensions; d++)
        {
            long rest = problem.Capacity[d];
            for (int i = 0; i < Items && rest >= 0; i++)
                rest -= problem.Need(Sources[i])[d] * Alone(problem, Sources[i]);
            if (rest < 0)
                binding[found++] = d;
        }
        return found;
    }

    private int ValueShift(PackingProblem problem)
    {
        UInt128 sum = 1;
        for (int i = 0; i < Items; i++)
            sum += (UInt128)problem.Value(Sources[i]) * (uint)Alone(problem, Sources[i]);
        return ValueBits - (128 - (int)UInt128.LeadingZeroCount(sum));
    }

    private static long Weight(long need, long capacity)
    {
        int tooLarge = Math.Max(0, WeightBits + 1 - BitOperations.LeadingZeroCount((ulong)capacity));
        long parts = capacity >> tooLarge;
        return parts == 0 ? 0 : ((need >> tooLarge) << WeightBits) / (parts + (tooLarge > 0 ? 1 : 0));
    }

    /// <summary>By the order key, then by everything else, so that only items that are alike in all are equal.</summary>
    private readonly struct Canonical(PackingProblem problem) : IComparer<int>
    {
        public int Compare(int a, int b)
        {
            int by = problem.Order(a).CompareTo(problem.Order(b));
            if (by == 0)
                by = problem.Value(b).CompareTo(problem.Value(a));
            if (by == 0)
                by = problem.Need(a).SequenceCompareTo(problem.Need(b));
            return by != 0 ? by : problem.Count(b).CompareTo(problem.Count(a));
        }
    }
}
