using System.Text;
using System.Text.Json.Nodes;
using Xunit;

namespace Drap.Tests.Interop;

/// <summary>That the js peers of the other tests do what they are told, before drap's part is blamed.</summary>
public sealed class JsPeerTests(JsPackages packages)
{
    [Fact]
    public async Task Two_js_peers_gossip_and_refuse_what_is_forged()
    {
        packages.Require();
        await using JsPeer a = await JsPeer.StartGossipAsync(), b = await JsPeer.StartGossipAsync();
        await a.DialAsync(b.Addresses[0]);
        await Task.WhenAll(a.SubscribeAsync("t"), b.SubscribeAsync("t"));
        await a.NextAsync("subscription");
        foreach (string how in (string[])["signature", "unsigned", "data", "sender", "keyless"])
            await a.DoAsync("forge", new() { ["how"] = how, ["peer"] = b.Id.ToString(), ["topic"] = "t", ["data"] = "AAAA" });
        await a.PublishAsync("t", "good"u8);
        JsonObject message = await b.NextAsync("message");
        Assert.Equal("good", Encoding.UTF8.GetString(Convert.FromBase64String(message["data"]!.GetValue<string>())));
        Assert.Equal(6, (await b.SeenAsync())["received"]!["messages"]!.GetValue<int>());
    }

    [Fact]
    public async Task A_js_peer_says_what_it_cannot_do()
    {
        packages.Require();
        await using JsPeer peer = await JsPeer.StartAsync([]);
        var failure = await Assert.ThrowsAsync<JsPeerException>(() => peer.DialAsync("/ip4/127.0.0.1/tcp/1"));
        Assert.Contains("ECONNREFUSED", failure.Message, StringComparison.Ordinal);
    }
}
