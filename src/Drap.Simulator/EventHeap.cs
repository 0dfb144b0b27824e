using System.Diagnostics.CodeAnalysis;

namespace Drap.Simulator;

/// <summary>
/// What will happen, the soonest first, and of one instant in the order in which it was added: a heap of four children a node, whose
/// entries are small and whose payloads stay where they are. Not thread-safe.
/// </summary>
internal sealed class EventHeap
{
    private const int Children = 4;

    private Entry[] heap = new Entry[1024];
    private Event[] slots = new Event[1024];
    private int[] free = new int[1024];
    private int freeCount, used;
    private long added;

    /// <summary>Something that happens.</summary>
    /// <param name="Target">Whom it happens to: a <see cref="SimulatedEvent"/> or an <see cref="ISimulated"/>.</param>
    /// <param name="Kind">What it is.</param>
    /// <param name="What">What belongs to it.</param>
    /// <param name="From">Whom it comes from.</param>
    public readonly record struct Event(object Target, int Kind, object? What, int From);

    private readonly record struct Entry(long At, long Order, int Slot)
    {
        public bool IsBefore(in Entry other) => At < other.At || (At == other.At && Order < other.Order);
    }

    /// <summary>How many wait.</summary>
    public int Count { get; private set; }

    /// <summary>Adds one.</summary>
    public void Add(Instant at, in Event what)
    {
        if (Count == heap.Length)
            Grow();
        int slot = freeCount > 0 ? free[--freeCount] : used++;
        slots[slot] = what;
        var entry = new Entry(at.Nanoseconds, added++, slot);
        int hole = Count++;
        while (hole > 0)
        {
            int parent = (hole - 1) / Children;
            if (!entry.IsBefore(heap[parent]))
                break;
            heap[hole] = heap[parent];
            hole = parent;
        }
        heap[hole] = entry;
    }

    /// <summary>The first, which stays; false if none waits.</summary>
    public bool TryPeek(out Instant at, [NotNullWhen(true)] out object? target)
    {
        (at, target) = Count == 0 ? (Instant.Never, null) : (new Instant(heap[0].At), slots[heap[0].Slot].Target);
        return target is not null;
    }

    /// <summary>Takes the first out; false if none waits.</summary>
    public bool TryTake(out Instant at, out Event what)
    {
        if (Count == 0)
        {
            (at, what) = (Instant.Never, default);
            return false;
        }
        int slot = heap[0].Slot;
        (at, what) = (new Instant(heap[0].At), slots[slot]);
        slots[slot] = default;
        free[freeCount++] = slot;
        Entry last = heap[--Count];
        int hole = 0;
        while (true)
        {
            int first = hole * Children + 1;
            if (first >= Count)
                break;
            int least = first;
            for (int child = first + 1; child < Math.Min(first + Children, Count); child++)
                if (heap[child].IsBefore(heap[least]))
                    least = child;
            if (!heap[least].IsBefore(last))
                break;
            heap[hole] = heap[least];
            hole = least;
        }
        heap[hole] = last;
        return true;
    }

    private void Grow()
    {
        Array.Resize(ref heap, Count * 2);
        Array.Resize(ref slots, Count * 2);
        Array.Resize(ref free, Count * 2);
    }
}
