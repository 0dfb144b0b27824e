using System.Diagnostics;
using System.Text.Json.Nodes;
using Xunit;

namespace Drap.Tests.Interop;

/// <summary>One DHT of js and drap servers: what the one puts the other finds.</summary>
public sealed class DhtInteropTests(JsPackages packages)
{
    private const string Cid = "QmVzw6MPsF96TyXBSRs1ptLoVMWRv5FCYJZZGJSVB2Hp39", OtherCid = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static JsonObject Server(int seed) => new() { ["seed"] = seed, ["listen"] = new JsonArray("/ip4/127.0.0.1/tcp/0"), ["dht"] = "server" };

    private static async Task<string[]> TableAsync(JsPeer peer) =>
        [.. (await peer.DoAsync("dhtTable"))!.AsArray().Select(id => id!.GetValue<string>())];

    private static async Task UntilInTableAsync(JsPeer peer, JsPeer server)
    {
        using var late = new CancellationTokenSource(Patience);
        while (!(await TableAsync(peer)).Contains(server.Id.ToString()))
            await Task.Delay(50, late.Token);
    }

    // Between four peers each way is the only one, and a connection that goes at that moment, such as one of two that they dialed to each other, ends it: so whoever
    // looks looks again.
    private static async Task UntilFoundAsync(string what, JsPeer by, string command, JsonObject parameters, Predicate<JsonNode?> isIt)
    {
        string? last = null;
        for (var clock = Stopwatch.StartNew(); clock.Elapsed < Patience; await Task.Delay(100, TestContext.Current.CancellationToken))
        {
            try
            {
                JsonNode? found = await by.DoAsync(command, parameters.DeepClone().AsObject());
                if (found is not null && isIt(found))
                    return;
                last = found?.ToJsonString() ?? "nothing";
            }
            catch (JsPeerException failure)
            {
                last = failure.Message;
            }
        }
        Assert.Fail($"not found: {what}, but {last}");
    }

    // The public key of an Ed25519 peer stands in its name, which makes the record: under /pk/ and the name, the key.
    private static (string Key, string Value) PublicKeyOf(JsPeer peer)
    {
        byte[] name = peer.Id.Bytes.ToArray();
        return (Convert.ToBase64String([.. "/pk/"u8, .. name]), Convert.ToBase64String(name.AsSpan(2)));
    }

    [Fact]
    public async Task Js_and_drap_find_each_other_s_peers_values_and_providers()
    {
        packages.Require();
        JsonObject js = new() { ["dht"] = "server" };
        await using JsPeer js1 = await JsPeer.StartAsync(js), js2 = await JsPeer.StartAsync(js);
        await using JsPeer drap1 = await JsPeer.StartDrapAsync(Server(1)), drap2 = await JsPeer.StartDrapAsync(Server(2));
        // A chain: drap1 - js1 - js2 - drap2.
        await drap1.DialAsync(js1.Addresses[0]);
        await js1.DialAsync(js2.Addresses[0]);
        await js2.DialAsync(drap2.Addresses[0]);
        JsPeer[] all = [js1, js2, drap1, drap2];
        foreach ((JsPeer one, JsPeer other) in new[] { (drap1, js1), (js1, js2), (js2, drap2) })
        {
            await UntilInTableAsync(one, other);
            await UntilInTableAsync(other, one);
        }

        // Each finds the one at the other end.
        foreach ((int from, int to) in new[] { (2, 3), (3, 2), (2, 1), (0, 3), (1, 2) })
        {
            string wanted = all[to].Addresses[0].Split("/p2p/")[0];
            await UntilFoundAsync(
                $"{to} by {from} at {wanted}", all[from], "dhtFindPeer", new() { ["peer"] = all[to].Id.ToString() },
                found => found!.AsArray().Any(address => address!.GetValue<string>().Split("/p2p/")[0] == wanted));
        }

        // What one puts each gets.
        foreach ((JsPeer putter, JsPeer named) in new[] { (drap1, js2), (js2, drap1) })
        {
            (string key, string value) = PublicKeyOf(named);
            await putter.DoAsync("dhtPut", new() { ["key"] = key, ["value"] = value });
            foreach (JsPeer peer in all)
                await UntilFoundAsync($"a value of {putter.Id.Short} by {peer.Id.Short}", peer, "dhtGet", new() { ["key"] = key }, got => got!.GetValue<string>() == value);
        }

        // Who provides is found by each.
        foreach ((JsPeer provider, string cid) in new[] { (drap2, Cid), (js1, OtherCid) })
        {
            await provider.DoAsync("dhtProvide", new() { ["cid"] = cid });
            foreach (JsPeer peer in all.Where(peer => peer != provider))
            {
                await UntilFoundAsync(
                    $"{provider.Id.Short} as provider by {peer.Id.Short}", peer, "dhtProviders", new() { ["cid"] = cid },
                    found => found!.AsArray().Any(id => id!.GetValue<string>() == provider.Id.ToString()));
            }
        }
    }

    [Fact]
    public async Task Clients_ask_servers_of_the_other_kind()
    {
        packages.Require();
        await using JsPeer server = await JsPeer.StartDrapAsync(Server(3)), other = await JsPeer.StartDrapAsync(Server(4));
        await other.DialAsync(server.Addresses[0]);
        await UntilInTableAsync(server, other);
        await UntilInTableAsync(other, server);
        await using JsPeer client = await JsPeer.StartAsync(new() { ["dht"] = "client" });
        await client.DialAsync(server.Addresses[0]);
        await UntilInTableAsync(client, server);
        await other.DoAsync("dhtProvide", new() { ["cid"] = Cid });
        await UntilFoundAsync(
            "the other by the client", client, "dhtProviders", new() { ["cid"] = Cid },
            found => found!.AsArray().Select(id => id!.GetValue<string>()).SequenceEqual([other.Id.ToString()]));
        // It answers nobody, and so is in nobody's table.
        Assert.Equal([other.Id.ToString()], await TableAsync(server));
    }
}
