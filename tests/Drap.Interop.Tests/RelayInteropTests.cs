using System.Text.Json.Nodes;
using Xunit;

namespace Drap.Tests.Interop;

/// <summary>Connections over a relay with js and drap in each of the three places.</summary>
public sealed class RelayInteropTests(JsPackages packages)
{
    private const string Echo = "/test/echo/1.0.0";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData("drap", "js", "js")]
    [InlineData("drap", "drap", "js")]
    [InlineData("drap", "js", "drap")]
    [InlineData("js", "drap", "drap")]
    [InlineData("js", "drap", "js")]
    [InlineData("js", "js", "drap")]
    public async Task A_peer_that_listens_nowhere_is_reached_over_a_relay(string relayKind, string targetKind, string dialerKind)
    {
        packages.Require();
        await using JsPeer relay = await StartAsync(relayKind, 1, new() { ["listen"] = new JsonArray("/ip4/127.0.0.1/tcp/0"), ["relay"] = true });
        // js listens on a relay as on an interface; drap is told to reserve there.
        await using JsPeer target = targetKind == "js"
            ? await JsPeer.StartAsync(new() { ["listen"] = new JsonArray($"{relay.Addresses[0]}/p2p-circuit") })
            : await StartAsync("drap", 2, new() { ["reserve"] = new JsonArray(relay.Addresses[0]) });
        string? way = null;
        using var late = new CancellationTokenSource(Patience);
        while (way is null)
        {
            JsonArray addresses = (await target.DoAsync("addresses"))!.AsArray();
            way = addresses.Select(address => address!.GetValue<string>()).FirstOrDefault(address => address.Contains("/p2p-circuit/p2p/", StringComparison.Ordinal));
            await Task.Delay(50, late.Token);
        }
        await target.DoAsync("handle", new() { ["protocol"] = Echo });

        await using JsPeer dialer = await StartAsync(dialerKind, 3, new() { ["listen"] = new JsonArray() });
        await dialer.DialAsync(way);
        string data = Convert.ToBase64String([.. Enumerable.Range(0, 20_000).Select(i => (byte)i)]);
        JsonNode? back = await dialer.DoAsync("exchange", new() { ["peer"] = target.Id.ToString(), ["protocol"] = Echo, ["data"] = data });
        Assert.Equal(data, back!.GetValue<string>());

        // And back over the same connection.
        await dialer.DoAsync("handle", new() { ["protocol"] = Echo });
        back = await target.DoAsync("exchange", new() { ["peer"] = dialer.Id.ToString(), ["protocol"] = Echo, ["data"] = data });
        Assert.Equal(data, back!.GetValue<string>());
    }

    [Theory]
    [InlineData("drap", "js")]
    [InlineData("js", "drap")]
    public async Task Without_a_place_the_dialer_is_told_why(string relayKind, string dialerKind)
    {
        packages.Require();
        await using JsPeer relay = await StartAsync(relayKind, 1, new() { ["listen"] = new JsonArray("/ip4/127.0.0.1/tcp/0"), ["relay"] = true });
        await using JsPeer target = await StartAsync("drap", 2, []);
        await target.DialAsync(relay.Addresses[0]);
        await using JsPeer dialer = await StartAsync(dialerKind, 3, new() { ["listen"] = new JsonArray() });
        var failure = await Assert.ThrowsAsync<JsPeerException>(() => dialer.DialAsync($"{relay.Addresses[0]}/p2p-circuit/p2p/{target.Id}"));
        Assert.Contains("NO_RESERVATION", failure.Message, StringComparison.Ordinal);
    }

    private static Task<JsPeer> StartAsync(string kind, int seed, JsonObject options)
    {
        options["seed"] = seed;
        return kind == "js" ? JsPeer.StartAsync(options) : JsPeer.StartDrapAsync(options);
    }
}
