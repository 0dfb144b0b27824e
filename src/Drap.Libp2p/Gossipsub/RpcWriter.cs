using Drap.Libp2p.Protobuf;

namespace Drap.Libp2p.Gossipsub;

/// <summary>Makes the frames that hold no message. One buffer serves them all.</summary>
internal sealed class RpcWriter(GossipLimits limits)
{
    private const int KeptBytes = 16 << 10;

    private ProtoWriter writer = new();

    /// <summary>Subscriptions of the given topics, in as many frames as it takes.</summary>
    public void Subscriptions(IReadOnlyList<TopicState> topics, bool on, Action<ReadOnlyMemory<byte>> emit)
    {
        int count = 0;
        foreach (TopicState topic in topics)
        {
            if (on && !topic.IsHeard)
                continue;
            if (count == limits.SubscriptionsPerRpcMax || writer.Length + topic.Utf8.Length > limits.SentFrameBytesMax)
            {
                emit(Take());
                count = 0;
            }
            int start = writer.BeginMessage(RpcField.Subscriptions);
            writer.Number(RpcField.SubscribeOn, on ? 1u : 0u);
            writer.Bytes(RpcField.SubscribeTopic, topic.Utf8);
            writer.EndMessage(start);
            count++;
        }
        if (count > 0)
            emit(Take());
    }

    /// <summary>What a draft holds, in as many frames as it takes.</summary>
    public void Control(ControlDraft draft, GossipVersion version, Action<ReadOnlyMemory<byte>> emit)
    {
        int start = writer.BeginMessage(RpcField.Control);
        int empty = writer.Length;
        void Flush(int next)
        {
            if (writer.Length == empty || writer.Length + next <= limits.SentFrameBytesMax)
                return;
            writer.EndMessage(start);
            emit(Take());
            start = writer.BeginMessage(RpcField.Control);
        }
        foreach (byte[] ihave in draft.IHaves)
        {
            Flush(ihave.Length);
            writer.Bytes(RpcField.IHave, ihave);
        }
        foreach (TopicState topic in draft.Grafts)
        {
            Flush(topic.Utf8.Length);
            int part = writer.BeginMessage(RpcField.Graft);
            writer.Bytes(RpcField.GraftTopic, topic.Utf8);
            writer.EndMessage(part);
        }
        foreach (PruneDraft prune in draft.Prunes)
        {
            Flush(prune.Topic.Utf8.Length + prune.Exchange.Count * limits.PeerRecordBytesMax);
            int part = writer.BeginMessage(RpcField.Prune);
            writer.Bytes(RpcField.PruneTopic, prune.Topic.Utf8);
            // 1.0 knows neither peers nor back-offs.
            if (version > GossipVersion.V10)
            {
                foreach (GossipPeer peer in prune.Exchange)
                {
                    int info = writer.BeginMessage(RpcField.PrunePeers);
                    writer.Bytes(RpcField.PeerInfoId, peer.Id.Bytes);
                    if (!peer.Record.IsEmpty)
                        writer.Bytes(RpcField.PeerInfoRecord, peer.Record.Span);
                    writer.EndMessage(info);
                }
                writer.Number(RpcField.PruneBackoff, (ulong)prune.BackoffSeconds);
            }
            writer.EndMessage(part);
        }
        writer.EndMessage(start);
        emit(Take());
    }

    /// <summary>IHAVEs of a topic, not yet in an RPC, each with as many ids as one may hold.</summary>
    public void IHave(TopicState topic, List<GossipMessage> messages, MessageIdForm form, List<byte[]> into)
    {
        int idsMax = Math.Min(limits.IHaveIdsMax, limits.IdsPerControlMax);
        Span<byte> id = stackalloc byte[MessageIds.BytesMax];
        for (int i = 0; i < messages.Count && i < idsMax;)
        {
            writer.Bytes(RpcField.IHaveTopic, topic.Utf8);
            for (; i < messages.Count && i < idsMax && writer.Length < limits.SentFrameBytesMax - MessageIds.BytesMax; i++)
                writer.Bytes(RpcField.IHaveIds, id[..MessageIds.Write(form, messages[i].Content.Fields(), id)]);
            into.Add(writer.ToArray());
            Clear();
        }
    }

    /// <summary>A question for those ids; they lie in <paramref name="source"/>.</summary>
    public void IWant(ReadOnlySpan<byte> source, ReadOnlySpan<Range> ids, Action<ReadOnlyMemory<byte>> emit)
    {
        for (int i = 0; i < ids.Length;)
        {
            int start = writer.BeginMessage(RpcField.Control);
            int part = writer.BeginMessage(RpcField.IWant);
            do
            {
                writer.Bytes(RpcField.IWantIds, source[ids[i]]);
                i++;
            }
            while (i < ids.Length && writer.Length + (ids[i].End.Value - ids[i].Start.Value) < limits.SentFrameBytesMax);
            writer.EndMessage(part);
            writer.EndMessage(start);
            emit(Take());
        }
    }

    /// <summary>The word that a message is here already.</summary>
    public ReadOnlyMemory<byte> IDontWant(SignedMessage message, MessageIdForm form)
    {
        Span<byte> id = stackalloc byte[MessageIds.BytesMax];
        int start = writer.BeginMessage(RpcField.Control);
        int part = writer.BeginMessage(RpcField.IDontWant);
        writer.Bytes(RpcField.IDontWantIds, id[..MessageIds.Write(form, message.Fields(), id)]);
        writer.EndMessage(part);
        writer.EndMessage(start);
        return Take();
    }

    private byte[] Take()
    {
        byte[] frame = Delimited.Frame(writer.Written);
        Clear();
        return frame;
    }

    // Thousands of routers in one process keep a small buffer each.
    private void Clear()
    {
        if (writer.Length > KeptBytes)
            writer = new ProtoWriter();
        else
            writer.Clear();
    }
}
