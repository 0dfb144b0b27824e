using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Drap.Libp2p.Gossipsub;
using Drap.Libp2p.Keys;
using Xunit;

namespace Drap.Tests.Interop;

/// <summary>Gossipsub between drap's host and js-libp2p 3, over loopback. What is sent is counted by js, which decodes it.</summary>
public sealed class GossipsubTests(JsPackages packages) : IAsyncDisposable
{
    private const string Topic = "/drap/1.0.0/tasks/cpu/local/all";

    /// <summary>Longer than anything takes that is not stuck, on a machine that is busy.</summary>
    private static readonly TimeSpan patience = TimeSpan.FromSeconds(60);

    /// <summary>Message ids as js makes them, so that it asks for what we tell of.</summary>
    private static readonly GossipOptions likeJs = new() { MessageIds = MessageIdForm.KeyAndSequence };

    /// <summary>Small meshes, of which nobody has everybody, and gossip that is told of for so long that no stall makes a message miss anybody.</summary>
    private static readonly GossipOptions small = likeJs with
    {
        MeshSize = 3, MeshLow = 2, MeshHigh = 4, MeshByScore = 2, MeshOutbound = 1, FloodPublish = false, IDontWantBytesMin = 512,
        HeartbeatInterval = TimeSpan.FromMilliseconds(500), HistoryLength = 60, HistoryGossip = 30,
        PruneBackoff = TimeSpan.FromSeconds(3), UnsubscribeBackoff = TimeSpan.FromSeconds(1),
    };

    private readonly List<GossipMember> members = [];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static JsonObject SmallJs => new()
    {
        ["D"] = 3, ["Dlo"] = 2, ["Dhi"] = 4, ["Dscore"] = 2, ["Dout"] = 1, ["floodPublish"] = false,
        ["heartbeatInterval"] = 500, ["mcacheLength"] = 60, ["mcacheGossip"] = 30, ["pruneBackoff"] = 3000, ["unsubcribeBackoff"] = 1000,
    };

    public async ValueTask DisposeAsync()
    {
        foreach (GossipMember member in members)
            await member.DisposeAsync();
    }

    [Theory]
    [InlineData(KeyType.Ed25519)]
    [InlineData(KeyType.Secp256k1)]
    [InlineData(KeyType.Rsa)]
    public async Task Each_hears_what_the_other_signed(KeyType type)
    {
        (DrapMember drap, JsMember js) = await StartPairAsync(likeJs, MakeKey(type));
        for (int i = 0; i < 10; i++)
        {
            byte[] data = Encoding.UTF8.GetBytes($"message {i} " + new string('x', i * 200));
            await drap.PublishAsync(data);
            JsonObject message = await js.NextMessageAsync();
            Assert.Equal(data, JsMember.DataOf(message));
            Assert.Equal(drap.Id.ToString(), message["from"]!.GetValue<string>());
            await js.PublishAsync(data);
            GossipMessage got = await drap.NextMessageAsync();
            Assert.Equal(data, got.Content.Data.ToArray());
            Assert.Equal(js.Id, got.Content.From);
        }
        Assert.Equal(0, drap.PubSub.Counters.Rejected);
    }

    [Fact]
    public async Task Each_decides_about_what_the_other_publishes()
    {
        JsMember js = await AddJsAsync();
        DrapMember drap = await AddDrapAsync(likeJs);
        await js.Peer.DoAsync("reject", new() { ["topic"] = Topic, ["data"] = Convert.ToBase64String("bad"u8) });
        drap.Subscribe(message => ValueTask.FromResult(
            message.Content.Data.Span.StartsWith("bad"u8) ? MessageVerdict.Reject : message.Content.Data.Span.StartsWith("dull"u8) ? MessageVerdict.Ignore : MessageVerdict.Accept));
        await js.SubscribeAsync();
        await drap.ConnectAsync(js);
        await KnowEachOtherAsync(1, drap, js);
        await drap.PublishAsync("bad one"u8.ToArray());
        await drap.PublishAsync("good one"u8.ToArray());
        Assert.Equal("good one", Encoding.UTF8.GetString(JsMember.DataOf(await js.NextMessageAsync())));
        foreach (string text in (string[])["dull one", "bad one", "good one"])
            await js.PublishAsync(Encoding.UTF8.GetBytes(text));
        Assert.Equal("good one", Encoding.UTF8.GetString((await drap.NextMessageAsync()).Content.Data.Span));
        // Several are decided about at once.
        await UntilAsync(() => Task.FromResult((drap.PubSub.Counters.Rejected, drap.PubSub.Counters.Ignored) == (1, 1)), "one is rejected and one ignored");
        Assert.True(drap.PubSub.ScoreOf(js.Id) < 0);
        Assert.Equal(2, (await js.Peer.SeenAsync())["received"]!["messages"]!.GetValue<int>());
    }

    [Fact]
    public async Task Grafts_prunes_and_gossip_go_both_ways()
    {
        // js wants one in its mesh; `apart` wants nobody, and hears and tells by gossip alone.
        JsonObject one = SmallJs;
        (one["D"], one["Dlo"], one["Dhi"], one["Dscore"], one["Dout"]) = (1, 1, 1, 0, 0);
        JsMember js = await AddJsAsync(one);
        DrapMember apart = await AddDrapAsync(small with { MeshSize = 0, MeshLow = 0, MeshHigh = 0, MeshByScore = 0, MeshOutbound = 0, PruneBackoff = TimeSpan.FromMinutes(10) });
        DrapMember near = await AddDrapAsync(small with { MeshOutbound = 0 });

        // Who is dialed and has all it wants refuses a graft.
        apart.Subscribe();
        await js.SubscribeAsync();
        await js.ConnectAsync(apart);
        await SeenAsync(js, "sent", "graft", apart);
        await SeenAsync(js, "received", "prune", apart);

        // Who begins to hear grafts at once; so it is not js that does.
        await near.ConnectAsync(js);
        await UntilAsync(async () => await near.CountHearersAsync() == 1, "near knows js");
        near.Subscribe();
        await SeenAsync(js, "received", "graft", near);
        await UntilAsync(async () => await js.CountMeshAsync() == 1 && await near.CountMeshAsync() == 1, "near and js are in each other's mesh");

        // What goes to no mesh is told of, asked for, and passed on.
        await apart.PublishAsync("from-apart"u8.ToArray());
        await Task.WhenAll(js.HearAsync(["from-apart"]), near.HearAsync(["from-apart"]));
        await SeenAsync(js, "received", "ihave", apart);
        await SeenAsync(js, "sent", "iwant", apart);
        await js.PublishAsync("from-js"u8.ToArray());
        await Task.WhenAll(apart.HearAsync(["from-js"]), near.HearAsync(["from-js"]));
        await SeenAsync(js, "sent", "ihave", apart);
        await SeenAsync(js, "received", "iwant", apart);
        Assert.Equal((1, 0, 0), (apart.PubSub.Counters.IWants, apart.PubSub.Counters.BrokenPromises, near.PubSub.Counters.IWants));

        // Who leaves says so, and may come back.
        await js.UnsubscribeAsync();
        await SeenAsync(js, "sent", "prune", near);
        await UntilAsync(async () => await near.CountMeshAsync() == 0, "js has left near's mesh");
        await js.SubscribeAsync();
        await near.PublishAsync("again"u8.ToArray());
        await Task.WhenAll(js.HearAsync(["again"]), apart.HearAsync(["again"]));
        AssertNothingMore();
    }

    [Fact]
    public async Task What_is_large_is_not_wanted_again_either_way()
    {
        DrapMember a = await AddDrapAsync(small), b = await AddDrapAsync(small);
        JsMember js = await AddJsAsync(SmallJs);
        a.Subscribe();
        b.Subscribe();
        await js.SubscribeAsync();
        await a.ConnectAsync(b);
        await a.ConnectAsync(js);
        await b.ConnectAsync(js);
        await UntilAsync(async () => await a.CountMeshAsync() == 2 && await b.CountMeshAsync() == 2 && await js.CountMeshAsync() == 2, "everybody is in everybody's mesh");
        // Whoever gets it first from one tells the other; which of them that is, is not the same each time.
        int said = 0, heard = 0;
        for (int i = 0; i < 100 && (said == 0 || heard == 0); i++)
        {
            await a.PublishAsync(Encoding.UTF8.GetBytes($"{i} {new string('x', 4000)}"));
            await Task.WhenAll(b.HearAsync([$"{i}"]), js.HearAsync([$"{i}"]));
            JsonNode seen = await js.Peer.SeenAsync(a.Id, b.Id);
            (said, heard) = (seen["sent"]!["idontwant"]!.GetValue<int>(), seen["received"]!["idontwant"]!.GetValue<int>());
        }
        Assert.True(said > 0 && heard > 0, $"of 100 messages js said {said} times that it has it, and heard so {heard} times");
        // What js said last may still be under way.
        await UntilAsync(() => Task.FromResult(a.PubSub.Counters.IDontWants + b.PubSub.Counters.IDontWants == said), "all that js said was heard");
        AssertNothingMore();
    }

    /// <summary>Five of each, each connected with everybody, in small meshes; two js peers go, one of them from one moment to the next, and come back.</summary>
    [Fact]
    public async Task In_a_mixed_mesh_of_ten_every_message_reaches_everyone_once()
    {
        var draps = new List<DrapMember>();
        var js = new List<JsMember>();
        for (int i = 0; i < 5; i++)
        {
            draps.Add(await AddDrapAsync(small));
            draps[i].Subscribe();
            js.Add(await AddJsAsync(SmallJs));
            await js[i].SubscribeAsync();
            for (int j = 0; j <= i; j++)
            {
                // Each kind dials the other.
                await draps[i].ConnectAsync(js[j]);
                if (j == i)
                    continue;
                await js[i].ConnectAsync(draps[j]);
                await draps[i].ConnectAsync(draps[j]);
                await js[i].ConnectAsync(js[j]);
            }
        }
        await MeshesStandAsync(9, [.. draps, .. js]);
        await PublishAsync("first", 5, [.. draps, .. js]);

        await js[4].UnsubscribeAsync();
        js[3].Peer.Kill();
        await KnowEachOtherAsync(7, [.. draps, .. js[..3]]);
        await PublishAsync("meanwhile", 3, [.. draps, .. js[..3]]);

        // Under another name, and under the same.
        JsMember returned = await AddJsAsync(SmallJs);
        await returned.SubscribeAsync();
        foreach (DrapMember drap in draps)
            await drap.ConnectAsync(returned);
        foreach (JsMember other in (JsMember[])[.. js[..3], js[4]])
            await returned.ConnectAsync(other);
        await js[4].SubscribeAsync();
        js[3] = returned;
        await MeshesStandAsync(9, [.. draps, .. js]);
        await PublishAsync("after", 3, [.. draps, .. js]);
        Assert.All(draps, drap => Assert.Equal((0, 0), (drap.PubSub.Counters.Rejected, drap.PubSub.Counters.RpcsRefused)));
        AssertNothingMore();
    }

    [Theory]
    [InlineData("signature")]
    [InlineData("unsigned")]
    [InlineData("data")]
    [InlineData("sender")]
    [InlineData("keyless")]
    public async Task What_a_js_peer_forges_is_rejected_and_held_against_it(string how)
    {
        (DrapMember drap, JsMember js) = await StartPairAsync(likeJs);
        await js.Peer.DoAsync("forge", new() { ["how"] = how, ["peer"] = drap.Id.ToString(), ["topic"] = Topic, ["data"] = "AAAA" });
        await UntilAsync(() => Task.FromResult(drap.PubSub.Counters.Rejected == 1), "the forged message was rejected");
        Assert.True(drap.PubSub.ScoreOf(js.Id) < 0);
        await js.PublishAsync("good"u8.ToArray());
        Assert.Equal("good", Encoding.UTF8.GetString((await drap.NextMessageAsync()).Content.Data.Span));
        Assert.Equal((1, 1), (drap.PubSub.Counters.Rejected, drap.PubSub.Counters.Delivered));
    }

    /// <summary>So many messages of each, one after another or all at once; waits until everybody has heard all.</summary>
    private static async Task PublishAsync(string name, int each, GossipMember[] members)
    {
        var published = new List<(GossipMember By, string Text)>();
        for (int i = 0; i < each; i++)
        {
            foreach (GossipMember member in members)
                published.Add((member, $"{name}-{member.Name}-{i}"));
            // Above the size from which on it is said that a message is not wanted, and below it.
            Task[] under = [.. published.TakeLast(members.Length).Select((p, at) => p.By.PublishAsync(Encoding.UTF8.GetBytes($"{p.Text} {new string('x', at * 150)}")))];
            await Task.WhenAll(under);
        }
        await Task.WhenAll(members.Select(member => member.HearAsync([.. published.Where(p => p.By != member).Select(p => p.Text)])));
    }

    // Also after all that there may be under way: those who are left have been told everything, and what they have not read was read.
    private void AssertNothingMore() => members.ForEach(member => member.HearRest());

    private static Task KnowEachOtherAsync(int others, params GossipMember[] members) =>
        AllAsync(members, async member => await member.CountHearersAsync() == others, $"know {others} others that hear the topic");

    private static async Task MeshesStandAsync(int others, params GossipMember[] members)
    {
        await KnowEachOtherAsync(others, members);
        await AllAsync(members, async member => await member.CountMeshAsync() >= 2, "have two in their mesh");
    }

    private static Task SeenAsync(JsMember js, string way, string kind, DrapMember drap) =>
        UntilAsync(async () => (await js.Peer.SeenAsync(drap.Id))[way]![kind]!.GetValue<int>() > 0, $"js has {way} {kind} to or from {drap.Name}");

    private static async Task AllAsync(GossipMember[] members, Func<GossipMember, Task<bool>> condition, string what)
    {
        foreach (GossipMember member in members)
            await UntilAsync(() => condition(member), $"{member.Name} {what}");
    }

    private static async Task UntilAsync(Func<Task<bool>> condition, string what)
    {
        long end = Environment.TickCount64 + (long)patience.TotalMilliseconds;
        while (!await condition())
        {
            Assert.True(Environment.TickCount64 < end, $"it never came about: {what}");
            await Task.Delay(20, Cancel);
        }
    }

    /// <summary>Two that know that the other hears the topic.</summary>
    private async Task<(DrapMember Drap, JsMember Js)> StartPairAsync(GossipOptions options, PrivateKey? key = null)
    {
        JsMember js = await AddJsAsync();
        DrapMember drap = await AddDrapAsync(options, key);
        drap.Subscribe();
        await js.SubscribeAsync();
        await drap.ConnectAsync(js);
        await KnowEachOtherAsync(1, drap, js);
        return (drap, js);
    }

    private async Task<DrapMember> AddDrapAsync(GossipOptions options, PrivateKey? key = null)
    {
        DrapMember member = await DrapMember.StartAsync($"drap{members.Count}", options, key);
        members.Add(member);
        return member;
    }

    private async Task<JsMember> AddJsAsync(JsonObject? gossipsub = null)
    {
        packages.Require();
        JsMember member = await JsMember.StartAsync($"js{members.Count}", gossipsub);
        members.Add(member);
        return member;
    }

    private static PrivateKey MakeKey(KeyType type)
    {
        if (type != KeyType.Rsa)
            return PrivateKey.FromRandom(type, RandomNumberGenerator.GetBytes(PrivateKey.RandomBytes));
        using var rsa = RSA.Create(2048);
        return PrivateKey.FromRsa(rsa);
    }
}
