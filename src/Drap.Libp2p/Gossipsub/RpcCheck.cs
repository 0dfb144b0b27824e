using Drap.Libp2p.Protobuf;

namespace Drap.Libp2p.Gossipsub;

/// <summary>What is wrong with an RPC as a whole; nothing of such a one is done.</summary>
public enum RpcFault
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>It is no RPC.</summary>
    Malformed,

    /// <summary>It holds more parts of a kind than the limits say.</summary>
    TooMuch,
}

/// <summary>
/// Walks an RPC once before anything of it is done, so that a frame counts whole or not at all, and its parts are counted before any of them
/// costs something. Allocates nothing.
/// </summary>
internal static class RpcCheck
{
    public static RpcFault Of(ReadOnlySpan<byte> rpc, GossipLimits limits)
    {
        int subscriptions = 0, messages = 0;
        var counts = new ControlCounts();
        var reader = new ProtoReader(rpc);
        while (reader.Next())
        {
            RpcFault fault = reader.Field switch
            {
                RpcField.Subscriptions => ++subscriptions > limits.SubscriptionsPerRpcMax ? RpcFault.TooMuch : OfSubscription(reader.Bytes()),
                RpcField.Publish => ++messages > limits.MessagesPerRpcMax ? RpcFault.TooMuch : OfMessage(reader.Bytes()),
                RpcField.Control => OfControl(reader.Bytes(), ref counts, limits),
                _ => RpcFault.None,
            };
            if (fault != RpcFault.None)
                return fault;
        }
        return reader.Malformed ? RpcFault.Malformed : RpcFault.None;
    }

    private static RpcFault OfMessage(ReadOnlySpan<byte> message) => MessageFields.TryRead(message, out _) ? RpcFault.None : RpcFault.Malformed;

    private static RpcFault OfSubscription(ReadOnlySpan<byte> subscription)
    {
        var reader = new ProtoReader(subscription);
        while (reader.Next())
        {
            if (reader.Field == RpcField.SubscribeOn)
                reader.Bool();
            else if (reader.Field == RpcField.SubscribeTopic)
                reader.Bytes();
        }
        return reader.Malformed ? RpcFault.Malformed : RpcFault.None;
    }

    private static RpcFault OfControl(ReadOnlySpan<byte> control, ref ControlCounts counts, GossipLimits limits)
    {
        var reader = new ProtoReader(control);
        while (reader.Next())
        {
            if (reader.Field is < RpcField.IHave or > RpcField.IDontWant)
                continue;
            if (counts.Next(reader.Field) > limits.ControlsPerRpcMax)
                return RpcFault.TooMuch;
            ReadOnlySpan<byte> part = reader.Bytes();
            RpcFault fault = reader.Field switch
            {
                RpcField.IHave => OfFields(part, RpcField.IHaveIds, limits.IdsPerControlMax, text: RpcField.IHaveTopic),
                RpcField.IWant => OfFields(part, RpcField.IWantIds, limits.IdsPerControlMax),
                RpcField.IDontWant => OfFields(part, RpcField.IDontWantIds, limits.IDontWantIdsMax),
                RpcField.Graft => OfFields(part, RpcField.GraftTopic, int.MaxValue),
                _ => OfPrune(part, limits),
            };
            if (fault != RpcFault.None)
                return fault;
        }
        return reader.Malformed ? RpcFault.Malformed : RpcFault.None;
    }

    private static RpcFault OfFields(ReadOnlySpan<byte> part, int repeated, int countMax, int text = 0)
    {
        int count = 0;
        var reader = new ProtoReader(part);
        while (reader.Next())
        {
            if (reader.Field == repeated && ++count > countMax)
                return RpcFault.TooMuch;
            if (reader.Field == repeated || reader.Field == text)
                reader.Bytes();
        }
        return reader.Malformed ? RpcFault.Malformed : RpcFault.None;
    }

    private static RpcFault OfPrune(ReadOnlySpan<byte> prune, GossipLimits limits)
    {
        int peers = 0;
        var reader = new ProtoReader(prune);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case RpcField.PruneTopic:
                    reader.Bytes();
                    break;
                case RpcField.PruneBackoff:
                    reader.UInt64();
                    break;
                case RpcField.PrunePeers:
                    if (++peers > limits.PrunePeersMax)
                        return RpcFault.TooMuch;
                    var info = new ProtoReader(reader.Bytes());
                    while (info.Next())
                        if (info.Field is RpcField.PeerInfoId or RpcField.PeerInfoRecord)
                            info.Bytes();
                    if (info.Malformed)
                        return RpcFault.Malformed;
                    break;
            }
        }
        return reader.Malformed ? RpcFault.Malformed : RpcFault.None;
    }

    private struct ControlCounts
    {
        private int haves, wants, grafts, prunes, notWanted;

        public int Next(int field) => field switch
        {
            RpcField.IHave => ++haves,
            RpcField.IWant => ++wants,
            RpcField.Graft => ++grafts,
            RpcField.Prune => ++prunes,
            _ => ++notWanted,
        };
    }
}
