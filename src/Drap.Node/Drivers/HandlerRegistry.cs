using System.Collections.Concurrent;
using System.Collections.Immutable;

namespace Drap.Node.Drivers;

/// <summary>Runs one task in this process. Returning ends it well; throwing ends it as failed, with the exception's message. It must heed the token.</summary>
public delegate ValueTask TaskHandler(HandlerContext context, CancellationToken cancellation);

/// <summary>The handlers that this process offers, by the names under which jobs ask for them. Safe from any thread.</summary>
public sealed class HandlerRegistry
{
    /// <summary>The most handlers: their names travel in what a worker says of itself.</summary>
    public const int HandlersMax = 256;

    private readonly ConcurrentDictionary<string, TaskHandler> handlers = new(StringComparer.Ordinal);

    /// <summary>Registers a handler, or puts another in its place. Throws when there are <see cref="HandlersMax"/> already.</summary>
    public void Register(string name, TaskHandler handler)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(handler);
        if (handlers.Count >= HandlersMax && !handlers.ContainsKey(name))
            throw new InvalidOperationException($"handler '{name}': {HandlersMax} handlers are registered, which is the most; one handler can do several things by its arguments");
        handlers[name] = handler;
    }

    /// <summary>The handler of a name; null if there is none.</summary>
    public TaskHandler? Find(string name) => handlers.GetValueOrDefault(name);

    /// <summary>The names, ordered, as <c>NodeTraits.Handlers</c> has them.</summary>
    public ImmutableArray<string> Names => [.. handlers.Keys.Order(StringComparer.Ordinal)];
}
