using Drap.Libp2p.Gossipsub;
using Drap.Libp2p.Keys;

namespace Drap.Libp2p.Host.PubSubs;

/// <summary>Our own messages on their way to the router: signed by who publishes them, who waits while there is no room.</summary>
internal sealed class Publisher(RouterHost owner, PrivateKey key)
{
    // Under the router's lock.
    private readonly Dictionary<ulong, Publication> publishing = [];
    private TaskCompletionSource? room;

    /// <summary>Messages that are being signed now, each of which comes back with a step of its own. Under the router's lock.</summary>
    public int Signing { get; private set; }

    /// <summary>Publishes, and says to how many peers. Waits while most of those who would get it do not keep up, and while too much waits for its signature.</summary>
    public async ValueTask<int> PublishAsync(string topic, ReadOnlyMemory<byte> data, CancellationToken ct)
    {
        while (true)
        {
            Task? wait = null;
            UnsignedMessage? draft = null;
            Publication? publication = null;
            using (RouterStep step = owner.Begin())
            {
                ObjectDisposedException.ThrowIf(owner.IsClosed, typeof(PubSub));
                int before = step.Effects.Count;
                switch (step.Router.Publish(topic, data.Span, step.Now, step.Effects))
                {
                    case PublishOutcome.TooLong:
                        throw new ArgumentException($"a message has at most {step.Router.Options.Limits.MessageBytesMax} bytes", nameof(data));
                    case PublishOutcome.BadTopic:
                        throw new ArgumentException("no topic can have that name, or there are too many", nameof(topic));
                    case PublishOutcome.Taken:
                        // Signed here and not on the pool: the caller waits for it anyway.
                        draft = ((GossipEffect.Sign)step.Effects[before]).Message;
                        step.Effects.RemoveAt(before);
                        publication = new Publication();
                        publishing.Add(draft.Sequence, publication);
                        Signing++;
                        break;
                    default:
                        room ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                        wait = room.Task;
                        break;
                }
            }
            if (draft is not null)
            {
                Sign(draft);
                // As a rule it has gone out by now; one that was overtaken waits for those before it.
                return publication!.Peers is { } peers ? peers : await publication.WaitAsync().ConfigureAwait(false);
            }
            await wait!.WaitAsync(ct).ConfigureAwait(false);
        }
    }

    // Under the router's lock, as are the next.

    /// <summary>Signing has ended, well or not.</summary>
    public void Signed(UnsignedMessage draft, RouterStep step)
    {
        Signing--;
        owner.Gathering.Add(step.Now);
        if (draft.IsSigned)
        {
            step.Router.Signed(draft, step.Now, step.Effects);
        }
        else
        {
            publishing.Remove(draft.Sequence);
            step.Router.NotSigned(draft, step.Now, step.Effects);
        }
    }

    /// <summary>A message has gone out.</summary>
    public void Published(GossipEffect.Published published)
    {
        if (publishing.Remove(published.Sequence, out Publication? publication))
            publication.End(published.Peers);
        LetGo();
    }

    /// <summary>There may be room: whoever waits tries again.</summary>
    public void LetGo()
    {
        room?.TrySetResult();
        room = null;
    }

    private void Sign(UnsignedMessage draft)
    {
        Span<byte> signature = stackalloc byte[PrivateKey.SignatureBytesMax];
        try
        {
            draft.Sign(signature[..key.Sign(draft.SignedBytes.Span, signature)]);
        }
        finally
        {
            owner.Tell(new RouterNews(draft));
        }
    }
}
