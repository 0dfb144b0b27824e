using System.Diagnostics.CodeAnalysis;

namespace Drap;

/// <summary>A first-in first-out queue with a limit; what happens at the limit is the caller's to say, since a full queue refuses.</summary>
/// <param name="capacity">How many items it holds at most; at least 1.</param>
public sealed class BoundedQueue<T>(int capacity)
{
    private readonly Queue<T> items = new();

    /// <summary>Items in the queue.</summary>
    public int Count => items.Count;

    /// <summary>The limit.</summary>
    public int Capacity { get; } = capacity;

    /// <summary>Puts an item at the end; false, and nothing done, when the queue is full.</summary>
    public bool TryEnqueue(T item)
    {
        if (items.Count >= Capacity)
            return false;
        items.Enqueue(item);
        return true;
    }

    /// <summary>Takes the first item; false when there is none.</summary>
    public bool TryDequeue([MaybeNullWhen(false)] out T item) => items.TryDequeue(out item);

    /// <summary>Looks at the first item; false when there is none.</summary>
    public bool TryPeek([MaybeNullWhen(false)] out T item) => items.TryPeek(out item);

    /// <summary>Drops everything.</summary>
    public void Clear() => items.Clear();
}
