using System.Globalization;
using Drap.Libp2p.Gossipsub;

namespace Drap.Libp2p.Tests.Gossipsub;

/// <summary>Options by the words of a script: <c>D=4 low=3 high=6 flood=no px=yes</c>.</summary>
internal static class TestOptions
{
    public static GossipOptions Parse(Dictionary<string, string> words)
    {
        int Int(string name, int usual) => words.TryGetValue(name, out string? v) ? int.Parse(v, CultureInfo.InvariantCulture) : usual;
        double Number(string name, double usual) => words.TryGetValue(name, out string? v) ? double.Parse(v, CultureInfo.InvariantCulture) : usual;
        var topic = new TopicScoreOptions
        {
            MeshDeliveriesWeight = Number("p3", 0), MeshFailureWeight = Number("p3b", 0), MeshDeliveriesThreshold = Number("expected", 20),
            TimeInMeshWeight = Number("p1", 0), FirstDeliveriesWeight = Number("p2", 0),
        };
        return new GossipOptions
        {
            MeshSize = Int("D", 6), MeshLow = Int("low", 4), MeshHigh = Int("high", 12), MeshByScore = Int("best", 4), MeshOutbound = Int("out", 2),
            GossipLazy = Int("lazy", 6), FloodPublish = words.GetValueOrDefault("flood", "no") == "yes",
            PeerExchange = words.GetValueOrDefault("px", "no") == "yes", IDontWantBytesMin = Int("large", 1024),
            PassOnDelay = TimeSpan.FromMilliseconds(Int("late", 0)),
            MessageIds = words.ContainsKey("js") ? MessageIdForm.KeyAndSequence : MessageIdForm.SourceAndSequence,
            Direct = words.TryGetValue("direct", out string? direct) ? [.. direct.Split(',').Select(TestRpc.Peer)] : [],
            DeliverOwn = words.ContainsKey("own"),
            Score = new ScoreOptions
            {
                DefaultTopic = topic, OpportunisticGraftThreshold = Number("median", 1), AcceptExchangeThreshold = Number("accept", 10),
                ColocationThreshold = Int("samehost", 10),
            },
            Limits = new GossipLimits
            {
                PendingMessagesMax = Int("pending", 1024), RivalsMax = Int("rivals", 4), ValidatingMax = Int("validating", 4096),
                IHaveIdsMax = Int("ids", 5000), SigningMax = Int("signing", 1024), PassOnWaitingMax = Int("waiting", 1024), SubscriptionBytesMax = Int("subscriptions", 512 << 10),
                IWantBytesMax = Int("iwantbytes", 4 << 20), MessageBytesMax = Int("message", 1 << 20), TopicsMax = Int("topics", 4096),
            },
        };
    }
}
