using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Xunit;

namespace Drap.Tests.Interop;

/// <summary>
/// Hosts on machines of their own, with cables between them that are slow, lossy, cut, or lead elsewhere. In each case the two of them gossip, ask each
/// other and stream at the same time, and everything arrives, and once.
/// </summary>
public sealed class OtherNetworksTests
{
    private const string Echo = "/test/echo/1.0.0", Ask = "/test/ask/1.0.0", Topic = "t";

    /// <summary>Messages and requests each way in one exchange.</summary>
    private const int Count = 30;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static JsonArray Everywhere => ["/ip4/0.0.0.0/tcp/0"];

    [Fact]
    public async Task Far_away_and_lossy()
    {
        using var network = new TestNetwork();
        string a = network.AddMachine(), b = network.AddMachine();
        using var cable = TestCable.Connect(network, a, "10.9.0.1", b, "10.9.0.2");
        // There and back a tenth of a second; of a question and its answer one in 25 is lost.
        cable.Shape = new CableShape(TimeSpan.FromMilliseconds(50), 2, 0);
        await using JsPeer one = await StartAsync(1, a), two = await StartAsync(2, b);
        await MeetAsync(one, two, On(two, "10.9.0.2"));
        await ExchangeAsync(one, two, 1_000_000);
    }

    [Fact]
    public async Task Over_twenty_megabits()
    {
        using var network = new TestNetwork();
        string a = network.AddMachine(), b = network.AddMachine();
        using var cable = TestCable.Connect(network, a, "10.9.0.1", b, "10.9.0.2");
        cable.Shape = new CableShape(TimeSpan.Zero, 0, 20);
        await using JsPeer one = await StartAsync(1, a), two = await StartAsync(2, b);
        await MeetAsync(one, two, On(two, "10.9.0.2"));
        var clock = Stopwatch.StartNew();
        await ExchangeAsync(one, two, 5_000_000);
        // Ten megabytes go each way. Four seconds is what the cable needs for them; that they took so long shows that they went over it.
        Assert.True(clock.Elapsed > TimeSpan.FromSeconds(3.9), $"10 MB took {clock.Elapsed}");
    }

    /// <summary>
    /// A connection that nobody asks anything over outlives the cut, and carries on. Who asks is told by the silence that the other may be gone, connects
    /// anew when that can be done, and asks again; and what was asked is done once.
    /// </summary>
    [Fact]
    public async Task Cut_for_ten_seconds_and_restored()
    {
        using var network = new TestNetwork();
        string a = network.AddMachine(), b = network.AddMachine();
        using var cable = TestCable.Connect(network, a, "10.9.0.1", b, "10.9.0.2");
        await using JsPeer one = await StartAsync(1, a), two = await StartAsync(2, b), three = await StartAsync(3, a), four = await StartAsync(4, b);
        await MeetAsync(one, two, On(two, "10.9.0.2"));
        await MeetAsync(three, four, On(four, "10.9.0.2"));
        await ExchangeAsync(one, two, 10_000);
        await ExchangeAsync(three, four, 10_000);

        cable.Shape = new CableShape(TimeSpan.Zero, 100, 0);
        Task[] quiet = [PublishAsync(one, "in the cut"), PublishAsync(two, "in the cut"), StreamAsync(one, two, 2_000_000), StreamAsync(two, one, 2_000_000)];
        Task[] asking = [AskAsync(three, four), AskAsync(four, three)];
        await Task.Delay(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
        Assert.All([quiet[2], quiet[3], .. asking], task => Assert.False(task.IsCompleted));
        cable.Shape = default;

        await Task.WhenAll([.. quiet, .. asking]);
        await HeardAsync(one, two, "in the cut");
        await HeardAsync(two, one, "in the cut");
        Assert.DoesNotContain(one.Taken().Concat(two.Taken()), next => next["event"]!.GetValue<string>() == "disconnect");
        foreach (JsPeer asked in new[] { three, four })
            Assert.Equal(2 * Count, await ServedAsync(asked));
        // And anew over what stands now.
        await UntilHeardOfAsync(three, four);
        await ExchangeAsync(three, four, 10_000);
        await ExchangeAsync(one, two, 10_000);
    }

    [Fact]
    public async Task With_another_address_than_before()
    {
        using var network = new TestNetwork();
        string a = network.AddMachine(), b = network.AddMachine();
        (string endA, _) = network.Connect(a, "10.9.0.1", b, "10.9.0.2");
        await using JsPeer two = await StartAsync(2, b);
        await using JsPeer one = await StartAsync(1, a, new() { ["bootstrap"] = new JsonArray(On(two, "10.9.0.2")) });
        await MeetAsync(one, two, null);
        await UntilAsync("the old address", async () => await KnowsAsync(two, one, "/ip4/10.9.0.1/"));
        await ExchangeAsync(one, two, 1_000_000);

        TestNetwork.Ip("-n", a, "addr", "del", "10.9.0.1/24", "dev", endA);
        TestNetwork.Ip("-n", a, "addr", "add", "10.9.0.77/24", "dev", endA);
        // Asked before anybody has noticed: these come again over the next connection.
        Task asking = AskAsync(two, one);
        // It notices, connects anew to whom it knows, and tells where it is now.
        await one.NextAsync("addresses", said => said["addresses"]!.AsArray().All(
            address => !address!.GetValue<string>().StartsWith("/ip4/10.9.0.1/", StringComparison.Ordinal)));
        await UntilAsync("the new address", async () =>
            (await TextsAsync(two, "connections")).Any(address => address.StartsWith("/ip4/10.9.0.77/", StringComparison.Ordinal))
            && await KnowsAsync(two, one, "/ip4/10.9.0.77/"));
        await asking;
        Assert.Equal(2 * Count, await ServedAsync(one));
        await UntilHeardOfAsync(one, two);
        await ExchangeAsync(one, two, 1_000_000);
    }

    [Fact]
    public async Task Two_that_cannot_reach_each_other_meet_over_a_relay()
    {
        using var network = new TestNetwork();
        string a = network.AddMachine(), relayMachine = network.AddMachine(), b = network.AddMachine();
        network.Connect(a, "10.9.1.1", relayMachine, "10.9.1.254");
        network.Connect(b, "10.9.2.1", relayMachine, "10.9.2.254");
        await using JsPeer relay = await JsPeer.StartDrapAsync(new() { ["seed"] = 9, ["listen"] = Everywhere, ["relay"] = true }, relayMachine);
        await using JsPeer target = await StartAsync(1, a, new() { ["reserve"] = new JsonArray(On(relay, "10.9.1.254")) });
        string? way = null;
        await UntilAsync("an address over the relay", async () =>
            (way = (await TextsAsync(target, "addresses")).FirstOrDefault(address =>
                address.StartsWith("/ip4/10.9.2.254/", StringComparison.Ordinal) && address.Contains("/p2p-circuit/", StringComparison.Ordinal))) is not null);

        await using JsPeer dialer = await StartAsync(2, b);
        var failure = await Assert.ThrowsAsync<JsPeerException>(() => dialer.DialAsync(On(target, "10.9.1.1")));
        Assert.Contains("unreachable", failure.Message, StringComparison.OrdinalIgnoreCase);
        await MeetAsync(dialer, target, way!);
        await ExchangeAsync(dialer, target, 3_000_000);
        Assert.All(await TextsAsync(dialer, "connections"), address => Assert.StartsWith("/ip4/10.9.2.254/", address, StringComparison.Ordinal));
    }

    // A drap host that gossips, answers requests and echoes streams.
    private static async Task<JsPeer> StartAsync(int seed, string machine, JsonObject? options = null)
    {
        options ??= [];
        (options["seed"], options["listen"], options["pubsub"]) = (seed, Everywhere, "gossipsub");
        JsPeer peer = await JsPeer.StartDrapAsync(options, machine);
        await peer.DoAsync("handle", new() { ["protocol"] = Echo });
        await peer.DoAsync("serve", new() { ["protocol"] = Ask });
        await peer.SubscribeAsync(Topic);
        return peer;
    }

    // The one dials the other, or does so by itself.
    private static async Task MeetAsync(JsPeer one, JsPeer other, string? address)
    {
        if (address is not null)
            await one.DialAsync(address);
        await UntilHeardOfAsync(one, other);
    }

    private static async Task UntilHeardOfAsync(JsPeer one, JsPeer other)
    {
        foreach (JsPeer peer in new[] { one, other })
            await UntilAsync("another that hears the topic", async () => (await peer.DoAsync("hearers", new() { ["topic"] = Topic }))!.GetValue<int>() == 1);
    }

    private static async Task ExchangeAsync(JsPeer one, JsPeer other, int bytes)
    {
        string round = Guid.NewGuid().ToString();
        (int servedOne, int servedOther) = (await ServedAsync(one), await ServedAsync(other));
        await Task.WhenAll(
            StreamAsync(one, other, bytes), StreamAsync(other, one, bytes), PublishAsync(one, round), PublishAsync(other, round),
            AskAsync(one, other), AskAsync(other, one));
        await HeardAsync(one, other, round);
        await HeardAsync(other, one, round);
        Assert.Equal((servedOne + Count, servedOther + Count), (await ServedAsync(one), await ServedAsync(other)));
    }

    private static async Task StreamAsync(JsPeer from, JsPeer to, int bytes)
    {
        JsonNode? back = await from.DoAsync("stream", new() { ["peer"] = to.Id.ToString(), ["protocol"] = Echo, ["bytes"] = bytes });
        Assert.Equal(bytes, back!.GetValue<long>());
    }

    private static async Task PublishAsync(JsPeer from, string round)
    {
        for (int i = 0; i < Count; i++)
            await from.PublishAsync(Topic, Encoding.UTF8.GetBytes(Text(from, round, i)));
    }

    private static async Task AskAsync(JsPeer from, JsPeer to)
    {
        await Task.WhenAll(Enumerable.Range(0, Count).Select(async i =>
        {
            string question = Convert.ToBase64String(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"question {i}")));
            JsonNode? answer = await from.DoAsync("ask", new() { ["peer"] = to.Id.ToString(), ["protocol"] = Ask, ["data"] = question });
            Assert.Equal(question, answer!.GetValue<string>());
        }));
    }

    private static async Task<int> ServedAsync(JsPeer peer) => (await peer.DoAsync("served"))!.GetValue<int>();

    // All of a round has come, and nothing has come twice: what came before its last would have been seen on the way to it.
    private static async Task HeardAsync(JsPeer peer, JsPeer from, string round)
    {
        var heard = new List<string>();
        while (heard.Count < Count)
        {
            JsonObject message = await peer.NextAsync("message");
            heard.Add(Encoding.UTF8.GetString(Convert.FromBase64String(message["data"]!.GetValue<string>())));
        }
        Assert.Equal(Enumerable.Range(0, Count).Select(i => Text(from, round, i)).Order(StringComparer.Ordinal), heard.Order(StringComparer.Ordinal));
    }

    private static string Text(JsPeer from, string round, int number) => string.Create(CultureInfo.InvariantCulture, $"{from.Id.Short} {round} {number}");

    private static async Task UntilAsync(string what, Func<Task<bool>> condition)
    {
        var clock = Stopwatch.StartNew();
        while (!await condition())
        {
            Assert.True(clock.Elapsed < Patience, $"after {Patience.TotalSeconds} s {what} has not come about");
            await Task.Delay(100, TestContext.Current.CancellationToken);
        }
    }

    private static async Task<bool> KnowsAsync(JsPeer peer, JsPeer other, string start) =>
        (await TextsAsync(peer, "known", new() { ["peer"] = other.Id.ToString() })).Any(address => address.StartsWith(start, StringComparison.Ordinal));

    private static async Task<string[]> TextsAsync(JsPeer peer, string command, JsonObject? parameters = null)
    {
        JsonNode? said = await peer.DoAsync(command, parameters);
        return [.. (said as JsonArray ?? said!["addresses"]!.AsArray()).Select(text => text!.GetValue<string>())];
    }

    private static string On(JsPeer peer, string address) =>
        peer.Addresses.Single(one => one.StartsWith($"/ip4/{address}/", StringComparison.Ordinal));
}
