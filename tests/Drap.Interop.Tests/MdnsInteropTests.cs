using System.Text.Json.Nodes;
using Xunit;

namespace Drap.Tests.Interop;

/// <summary>js and drap find each other by multicast DNS.</summary>
public sealed class MdnsInteropTests(JsPackages packages)
{
    private static JsonObject Js(string listen) => new() { ["listen"] = new JsonArray(listen), ["mdns"] = new JsonObject { ["interval"] = 1000 } };

    private static JsonObject Drap(int seed, string listen) => new() { ["seed"] = seed, ["listen"] = new JsonArray(listen), ["mdns"] = true };

    private static async Task AssertFindAsync(JsPeer one, JsPeer other)
    {
        foreach ((JsPeer finder, JsPeer found) in new[] { (one, other), (other, one) })
        {
            JsonObject discovery = await finder.NextAsync("discovery", next => next["peer"]!.GetValue<string>() == found.Id.ToString());
            string address = discovery["addresses"]!.AsArray()[0]!.GetValue<string>();
            await finder.DialAsync($"{address.Split("/p2p/")[0]}/p2p/{found.Id}");
        }
    }

    [Fact]
    public async Task In_a_network_of_nothing_but_loopback()
    {
        packages.Require();
        using var network = new TestNetwork();
        string machine = network.AddMachine();
        TestNetwork.Ip("-n", machine, "link", "set", "lo", "multicast", "on");
        TestNetwork.Ip("-n", machine, "route", "add", "224.0.0.0/4", "dev", "lo");
        await using JsPeer js = await JsPeer.StartAsync(Js("/ip4/127.0.0.1/tcp/0"), machine);
        await using JsPeer drap = await JsPeer.StartDrapAsync(Drap(1, "/ip4/127.0.0.1/tcp/0"), machine);
        await AssertFindAsync(js, drap);
        // And one drap host another, which began later.
        await using JsPeer late = await JsPeer.StartDrapAsync(Drap(2, "/ip4/127.0.0.1/tcp/0"), machine);
        await AssertFindAsync(late, drap);
    }

    [Fact]
    public async Task On_a_cable_between_two_machines()
    {
        packages.Require();
        using var network = new TestNetwork();
        string a = network.AddMachine(), b = network.AddMachine();
        (string end, _) = network.Connect(a, "10.9.0.1", b, "10.9.0.2");
        // js sends where the system's routes lead; drap sends on every interface.
        TestNetwork.Ip("-n", a, "route", "add", "224.0.0.0/4", "dev", end);
        await using JsPeer js = await JsPeer.StartAsync(Js("/ip4/0.0.0.0/tcp/0"), a);
        await using JsPeer drap = await JsPeer.StartDrapAsync(Drap(1, "/ip4/0.0.0.0/tcp/0"), b);
        JsonObject discovery = await js.NextAsync("discovery", next => next["peer"]!.GetValue<string>() == drap.Id.ToString());
        // The address of that cable and no other.
        Assert.All(discovery["addresses"]!.AsArray(), address => Assert.StartsWith("/ip4/10.9.0.2/tcp/", address!.GetValue<string>(), StringComparison.Ordinal));
        discovery = await drap.NextAsync("discovery", next => next["peer"]!.GetValue<string>() == js.Id.ToString());
        Assert.Contains(discovery["addresses"]!.AsArray(), address => address!.GetValue<string>().StartsWith("/ip4/10.9.0.1/tcp/", StringComparison.Ordinal));
    }
}
