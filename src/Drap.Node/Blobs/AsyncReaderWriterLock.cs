namespace Drap.Node.Blobs;

/// <summary>
/// Many readers or one writer; a writer that waits goes before every reader that comes after it, so readers cannot starve it.
/// Several writers in a row can starve readers: meant for a writer that comes seldom. A cancelled wait takes nothing. Not
/// re-entrant: a reader that enters again while a writer waits would wait for itself. As many can wait as there are callers.
/// </summary>
public sealed class AsyncReaderWriterLock
{
    private readonly Lock gate = new();
    private readonly LinkedList<Waiter> waitingReaders = new(), waitingWriters = new();
    private int readers;
    private bool isWriting;

    /// <summary>Enters as a reader, waiting on this thread while a writer writes or waits.</summary>
    public Hold EnterRead(CancellationToken cancellationToken = default) =>
        TryEnterRead(cancellationToken, out Waiter? waiter) ? new Hold(this, false) : waiter!.Task.GetAwaiter().GetResult();

    /// <summary>Enters as a reader. Cancelled while it waits, it has entered nothing.</summary>
    public ValueTask<Hold> EnterReadAsync(CancellationToken cancellationToken = default) =>
        TryEnterRead(cancellationToken, out Waiter? waiter) ? new(new Hold(this, false)) : new(waiter!.Task);

    /// <summary>Enters as the writer, after the readers that are inside. Cancelled while it waits, it has entered nothing.</summary>
    public ValueTask<Hold> EnterWriteAsync(CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Waiter waiter;
        lock (gate)
        {
            if (!isWriting && readers == 0)
            {
                isWriting = true;
                return new(new Hold(this, true));
            }
            waiter = new Waiter(this, waitingWriters);
        }
        waiter.CancelWith(cancellationToken);
        return new(waiter.Task);
    }

    private bool TryEnterRead(CancellationToken cancellationToken, out Waiter? waiter)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (gate)
        {
            if (!isWriting && waitingWriters.Count == 0)
            {
                readers++;
                waiter = null;
                return true;
            }
            waiter = new Waiter(this, waitingReaders);
        }
        waiter.CancelWith(cancellationToken);
        return false;
    }

    private void Exit(bool asWriter)
    {
        lock (gate)
        {
            if (asWriter)
                isWriting = false;
            else
                readers--;
            Admit();
        }
    }

    /// <summary>Lets in who may enter now: the first writer if nobody is inside, else, if no writer waits, all readers.</summary>
    private void Admit()
    {
        if (isWriting)
            return;
        if (waitingWriters.First is { } writer)
        {
            if (readers == 0)
            {
                isWriting = true;
                writer.Value.Grant(true);
            }
            return;
        }
        while (waitingReaders.First is { } reader)
        {
            readers++;
            reader.Value.Grant(false);
        }
    }

    /// <summary>Being inside; disposing leaves, once.</summary>
    public sealed class Hold : IDisposable
    {
        private readonly bool asWriter;
        private AsyncReaderWriterLock? owner;

        internal Hold(AsyncReaderWriterLock owner, bool asWriter) => (this.owner, this.asWriter) = (owner, asWriter);

        public void Dispose() => Interlocked.Exchange(ref owner, null)?.Exit(asWriter);
    }

    /// <summary>One that waits; made and granted under the gate. Who takes it out of its list decides how it ends.</summary>
    private sealed class Waiter
    {
        // Continuations elsewhere: the one who leaves must not run the next one's work.
        private readonly TaskCompletionSource<Hold> entered = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly AsyncReaderWriterLock owner;
        private readonly LinkedListNode<Waiter> node;
        private CancellationTokenRegistration registration;

        public Waiter(AsyncReaderWriterLock owner, LinkedList<Waiter> list)
        {
            this.owner = owner;
            node = list.AddLast(this);
        }

        public Task<Hold> Task => entered.Task;

        public void CancelWith(CancellationToken token)
        {
            if (!token.CanBeCanceled)
                return;
            CancellationTokenRegistration made = token.Register(() => Cancel(token));
            lock (owner.gate)
            {
                if (node.List is not null)
                    registration = made;
                else
                    made.Unregister();
            }
        }

        public void Grant(bool asWriter)
        {
            node.List!.Remove(node);
            registration.Unregister();
            entered.SetResult(new Hold(owner, asWriter));
        }

        private void Cancel(CancellationToken token)
        {
            lock (owner.gate)
            {
                if (node.List is null)
                    return;
                node.List.Remove(node);
                // A writer that gives up may have been all that readers waited for.
                owner.Admit();
            }
            entered.SetCanceled(token);
        }
    }
}
