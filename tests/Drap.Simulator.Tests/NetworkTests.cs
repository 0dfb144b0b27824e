using System.Text;
using Drap.Simulator.Network;
using Xunit;

namespace Drap.Simulator.Tests;

public sealed class NetworkTests
{
    private static readonly LinkConditions Bad = new()
    {
        Latency = TimeSpan.FromMilliseconds(10),
        Jitter = TimeSpan.FromMilliseconds(20),
        LossPerMillion = 100_000,
        DuplicatePerMillion = 100_000,
        ReorderPerMillion = 100_000,
        ReorderDelay = TimeSpan.FromMilliseconds(200),
        IsOrdered = false,
    };

    private readonly Simulation simulation = new(7);
    private readonly SimulatedNetwork network;
    private readonly List<string> heard = [];

    public NetworkTests()
    {
        network = new SimulatedNetwork(simulation);
        network.Attach("a", (_, _) => { });
        network.Attach("b", Hear);
    }

    [Fact]
    public void A_message_arrives_after_the_latency()
    {
        Send("hello");
        simulation.RunFor(TimeSpan.FromMicroseconds(99));
        Assert.Empty(heard);
        simulation.RunFor(TimeSpan.FromMicroseconds(1));
        Assert.Equal(["a: hello"], heard);
    }

    [Fact]
    public void An_ordered_link_keeps_the_order_under_jitter()
    {
        network.DefaultConditions = Bad with { IsOrdered = true, LossPerMillion = 0, DuplicatePerMillion = 0 };
        for (int i = 0; i < 200; i++)
            Send($"{i}");
        simulation.RunFor(TimeSpan.FromSeconds(1));
        Assert.Equal(Enumerable.Range(0, 200).Select(i => $"a: {i}"), heard);
    }

    [Fact]
    public void A_bad_link_loses_doubles_and_reorders_as_often_as_told()
    {
        network.DefaultConditions = Bad;
        for (int i = 0; i < 10_000; i++)
        {
            Send($"{i}");
            simulation.RunFor(TimeSpan.FromMilliseconds(1));
        }
        simulation.RunFor(TimeSpan.FromSeconds(1));
        int kinds = heard.Distinct().Count();
        Assert.InRange(network.Lost, 850, 1150);
        Assert.Equal(10_000 - network.Lost, kinds);
        Assert.InRange(heard.Count - kinds, 750, 1050);
        Assert.NotEqual(heard.Order(StringComparer.Ordinal), heard);
        Assert.Equal(network.Delivered, heard.Count);
    }

    [Fact]
    public void One_seed_gives_one_trace_and_another_seed_another()
    {
        Assert.Equal(TraceOf(3), TraceOf(3));
        Assert.NotEqual(TraceOf(3), TraceOf(4));
    }

    [Fact]
    public void A_partition_stops_also_what_is_under_way_and_heals()
    {
        Send("under way");
        network.Partition(1, "b");
        simulation.RunFor(TimeSpan.FromSeconds(1));
        Send("into the cut");
        network.Heal();
        Send("after");
        simulation.RunFor(TimeSpan.FromSeconds(1));
        Assert.Equal(["a: after"], heard);
        Assert.Equal(2, network.Lost);
    }

    [Fact]
    public void A_cut_has_a_direction()
    {
        network.Cut("b", "a");
        Send("hello");
        simulation.RunFor(TimeSpan.FromSeconds(1));
        network.Cut("a", "b");
        Send("lost");
        network.Mend("a", "b");
        Send("mended");
        simulation.RunFor(TimeSpan.FromSeconds(1));
        Assert.Equal(["a: hello", "a: mended"], heard);
    }

    [Fact]
    public void A_node_that_starts_again_does_not_hear_what_was_sent_before()
    {
        Send("before");
        network.Detach("b");
        Send("to nobody");
        network.Attach("b", (from, message) => Hear(from, message));
        Send("after");
        simulation.RunFor(TimeSpan.FromSeconds(1));
        Assert.Equal(["a: after"], heard);
    }

    private static ulong TraceOf(ulong seed)
    {
        var simulation = new Simulation(seed);
        var network = new SimulatedNetwork(simulation) { DefaultConditions = Bad };
        network.Attach("a", (from, message) => network.Send("a", from, message));
        network.Attach("b", (from, message) => network.Send("b", from, message));
        for (byte i = 0; i < 20; i++)
            network.Send("a", "b", new byte[] { i });
        simulation.RunFor(TimeSpan.FromSeconds(2));
        Assert.True(simulation.Happened > 100);
        return simulation.Trace.Value;
    }

    private void Send(string text) => network.Send("a", "b", Encoding.UTF8.GetBytes(text));

    private void Hear(string from, ReadOnlyMemory<byte> message) => heard.Add($"{from}: {Encoding.UTF8.GetString(message.Span)}");
}
