namespace Drap.Core.Market.Allocation;

/// <summary>The groups of one topic and one priority that wait for places, by how long they have.</summary>
internal sealed class PriorityRank
{
    private static readonly Comparer<AllocationGroup> Longest = Comparer<AllocationGroup>.Create((a, b) =>
        a.HungrySince != b.HungrySince ? a.HungrySince.CompareTo(b.HungrySince) : a.Id.CompareTo(b.Id));

    private static readonly Comparer<AllocationGroup> Number = Comparer<AllocationGroup>.Create((a, b) => a.Id.CompareTo(b.Id));

    private readonly SortedSet<AllocationGroup> waiting = new(Longest);
    private readonly SortedSet<AllocationGroup> patient = new(Number);

    /// <summary>Groups of which some worker said that it could take them at some time.</summary>
    public int Hopeful { get; private set; }

    public bool IsEmpty => waiting.Count == 0 && patient.Count == 0;

    /// <summary>Who waits longest of those that are not patient; null if there is none.</summary>
    public AllocationGroup? First => waiting.Min;

    /// <summary>Those that are patient, by number.</summary>
    public IReadOnlyCollection<AllocationGroup> Patient => patient;

    public void Add(AllocationGroup group)
    {
        Invariant.Check((group.Patient ? patient : waiting).Add(group));
        Hopeful += group.IsHopeful ? 1 : 0;
    }

    /// <summary>Takes it out, before anything of it changes by which it stands here.</summary>
    public void Remove(AllocationGroup group)
    {
        Invariant.Check((group.Patient ? patient : waiting).Remove(group));
        Hopeful -= group.IsHopeful ? 1 : 0;
    }

    /// <summary>Its answers changed so that it has hope, or none any more.</summary>
    public void HopeChanged(AllocationGroup group) => Hopeful += group.IsHopeful ? 1 : -1;
}
