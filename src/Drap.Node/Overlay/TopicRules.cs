using System.Globalization;
using Drap.Core.Messages;
using Drap.Libp2p.Kademlia;

namespace Drap.Node.Overlay;

/// <summary>What is known of topics by their names.</summary>
internal static class TopicRules
{
    /// <summary>Topics on which ads are published (design 5, audience): <c>/drap/1.0.0/tasks/{class}/{region}/{shard}</c>.</summary>
    private const string Tasks = "/drap/1.0.0/tasks/";

    /// <summary>Whether a frame may be passed on: on topics of ads only ads are. Who passes on anything else is not worth being heard.</summary>
    /// <param name="topic">The topic.</param>
    /// <param name="frame">The frame.</param>
    /// <param name="ad">The ad, where it is one.</param>
    public static bool IsGood(string topic, ReadOnlySpan<byte> frame, out Ad? ad)
    {
        ad = null;
        if (frame.Length > IOverlay.FrameBytesMax || !topic.StartsWith(Tasks, StringComparison.Ordinal))
            return frame.Length <= IOverlay.FrameBytesMax;
        ad = MessageCodec.TryDecode(frame, out Message? message, out _) ? message as Ad : null;
        return ad is not null;
    }

    /// <summary>The region of the DHT whose members hear a topic of ads; null for other topics.</summary>
    public static KeyPrefix? RegionOf(string topic)
    {
        if (!topic.StartsWith(Tasks, StringComparison.Ordinal))
            return null;
        string shard = topic[(topic.LastIndexOf('/') + 1)..];
        if (shard == "all")
            return default(KeyPrefix);
        int dash = shard.IndexOf('-', StringComparison.Ordinal);
        return dash > 0 && int.TryParse(shard.AsSpan(0, dash), NumberStyles.None, CultureInfo.InvariantCulture, out int level)
            && level is > 0 and <= KeyPrefix.LengthMax && shard.Length - dash - 1 == level
            && uint.TryParse(shard.AsSpan(dash + 1), NumberStyles.AllowBinarySpecifier, CultureInfo.InvariantCulture, out uint bits)
            ? new KeyPrefix(bits, level)
            : null;
    }
}
