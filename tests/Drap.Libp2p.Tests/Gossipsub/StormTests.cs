using Drap.Libp2p.Gossipsub;
using Xunit;

namespace Drap.Libp2p.Tests.Gossipsub;

/// <summary>Any inputs in any order, many thousands of them, with answers late, twice or never: what must hold holds after each.</summary>
public sealed class StormTests
{
    [Theory]
    [InlineData(1, 20_000)]
    [InlineData(2, 20_000)]
    [InlineData(3, 20_000)]
    [InlineData(4, 20_000)]
    [InlineData(5, 20_000)]
    [InlineData(6, 20_000)]
    [InlineData(7, 20_000)]
    [InlineData(8, 20_000)]
    [InlineData(9, 20_000)]
    public void Whatever_comes_the_tables_agree(ulong seed, int steps)
    {
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var prng = new Prng(seed);
        var options = new GossipOptions
        {
            MeshSize = 3, MeshLow = 2, MeshHigh = 4, MeshByScore = 2, MeshOutbound = 1, FloodPublish = prng.Chance(1, 2), PeerExchange = prng.Chance(1, 2),
            Direct = [TestRpc.Peer("p0")], DeliverOwn = prng.Chance(1, 2), IDontWantBytesMin = 50,
            PassOnDelay = TimeSpan.FromMilliseconds(200 * prng.Below(3)),
            Score = new ScoreOptions { DefaultTopic = new TopicScoreOptions { MeshDeliveriesWeight = -0.01, MeshFailureWeight = -0.01 } },
            Limits = new GossipLimits
            {
                PendingMessagesMax = 4, MessagesPerRpcMax = 8, ValidatingMax = 5, SeenMax = 40, CacheMessagesMax = 20, RetainedPeersMax = 3, TopicsMax = 4,
                SubscriptionBytesMax = 2300, SigningMax = 4, PassOnWaitingMax = 3, IDontWantsMax = 3, IHaveIdsMax = 5,
            },
        };
        var router = new GossipRouter(TestRpc.Peer("me"), default, options, new Prng(seed));
        var effects = new List<GossipEffect>();
        var checks = new List<GossipMessage>();
        var verdicts = new List<GossipMessage>();
        var drafts = new List<UnsignedMessage>();
        var paused = new HashSet<PeerId>();
        Instant now = new(1_000_000_000);
        string Peer() => $"p{prng.Below(8)}";
        string Topic() => $"t{prng.Below(6)}";
        string Ids() => string.Join(' ', Enumerable.Range(0, 1 + prng.Below(4)).Select(_ => $"w{prng.Below(3)}#{prng.Below(60)}"));
        for (int i = 0; i < steps; i++)
        {
            PeerId peer = TestRpc.Peer(Peer());
            switch (prng.Below(22))
            {
                case 0:
                    router.Connected(peer, (GossipVersion)prng.Below(4), prng.Chance(1, 2), (UInt128)prng.Below(3), now, effects);
                    break;
                case 1 when prng.Chance(1, 2):
                    router.Disconnected(peer, now, effects);
                    paused.Remove(peer);
                    break;
                case 2:
                    router.Subscribe(Topic(), prng.Chance(1, 2), now, effects);
                    break;
                case 3 when prng.Chance(1, 2):
                    router.Unsubscribe(Topic(), now, effects);
                    break;
                case 4:
                    router.Prepare(Topic(), now, effects);
                    break;
                case 5:
                    router.Publish(Topic(), new byte[prng.Below(100)], now, effects);
                    break;
                case 6 when drafts.Count > 0:
                    router.Signed(Take(drafts, prng), new byte[64], now, effects);
                    break;
                case 7 or 8 or 9 when checks.Count > 0:
                    router.Verified(Take(checks, prng), prng.Chance(9, 10), now, effects);
                    break;
                case 10 or 11 when verdicts.Count > 0:
                    router.Validated(Take(verdicts, prng), (MessageVerdict)prng.Below(3), now, effects);
                    break;
                case 12:
                    now += TimeSpan.FromMilliseconds(prng.Below(1500));
                    router.Tick(now, effects);
                    break;
                case 13:
                    router.SetApplicationScore(peer, prng.Below(200) - 100);
                    break;
                default:
                    string rpc = prng.Below(9) switch
                    {
                        0 or 1 => $"sub {Topic()}",
                        2 => $"unsub {Topic()}",
                        3 or 4 => $"msg w{prng.Below(3)}#{prng.Below(60)} {Topic()} size={prng.Below(100)} sig={1 + prng.Below(2)}",
                        5 => $"graft {Topic()}; graft {Topic()}",
                        6 => $"prune {Topic()} {prng.Below(3)} x,y",
                        7 => $"ihave {Topic()} {Ids()}; idontwant {Ids()}",
                        _ => $"iwant {Ids()}",
                    };
                    router.Receive(peer, TestRpc.Encode(rpc, MessageIdForm.SourceAndSequence), now, effects);
                    break;
            }
            foreach (GossipEffect effect in effects)
            {
                switch (effect)
                {
                    case GossipEffect.Verify verify:
                        checks.Add(verify.Message);
                        break;
                    case GossipEffect.Validate validate:
                        verdicts.Add(validate.Message);
                        break;
                    case GossipEffect.Sign sign:
                        drafts.Add(sign.Message);
                        break;
                    case GossipEffect.Pause pause:
                        Assert.True(paused.Add(pause.Peer));
                        break;
                    case GossipEffect.Resume resume:
                        Assert.True(paused.Remove(resume.Peer));
                        break;
                    case GossipEffect.Send send:
                        Assert.NotEqual("malformed", TestRpc.Decode(send.Frame.Span, MessageIdForm.SourceAndSequence));
                        break;
                }
            }
            effects.Clear();
            // Some verdicts never come.
            if (verdicts.Count > 10)
                verdicts.RemoveAt(0);
            router.CheckInvariants();
        }
        GossipCounters done = router.Counters;
        // Every way was gone.
        Assert.All([done.Delivered, done.Published, done.Duplicates, done.Rejected, done.Ignored, done.SentOnRequest, done.BrokenPromises], n => Assert.True(n > 0));
        Assert.True(done.Delivered > 200 && done.Published > 200, $"{done.Delivered} delivered, {done.Published} published");
    }

    /// <summary>Some answers come twice.</summary>
    private static T Take<T>(List<T> waiting, Prng prng)
    {
        int at = prng.Below(waiting.Count);
        T taken = waiting[at];
        if (prng.Chance(9, 10))
            waiting.RemoveAt(at);
        return taken;
    }
}
