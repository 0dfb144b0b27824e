using Xunit;

namespace Drap.Simulator.Tests;

public sealed class SimulationTests
{
    private readonly Simulation simulation = new(1);
    private readonly List<string> happened = [];

    [Fact]
    public void Events_happen_in_the_order_of_their_times_and_then_of_their_scheduling()
    {
        simulation.After(TimeSpan.FromSeconds(2), () => happened.Add("c"));
        simulation.After(TimeSpan.FromSeconds(1), () => happened.Add("a"));
        simulation.After(TimeSpan.FromSeconds(1), () => happened.Add("b"));
        simulation.RunFor(TimeSpan.FromSeconds(3));
        Assert.Equal(["a", "b", "c"], happened);
        Assert.Equal(Instant.Zero + TimeSpan.FromSeconds(4), simulation.Now);
    }

    [Fact]
    public void The_clock_stands_at_the_event_that_happens_and_a_past_time_means_now()
    {
        Instant at = simulation.Now + TimeSpan.FromMilliseconds(7);
        simulation.At(at, () =>
        {
            Assert.Equal(at, simulation.Now);
            simulation.At(Instant.Zero, () => happened.Add(simulation.Now == at ? "now" : "elsewhere"));
        });
        while (simulation.Step())
        {
        }
        Assert.Equal(["now"], happened);
    }

    [Fact]
    public void A_cancelled_event_does_not_happen_and_does_not_move_the_clock()
    {
        simulation.After(TimeSpan.FromSeconds(1), () => happened.Add("a")).Cancel();
        Assert.Null(simulation.NextAt());
        Assert.False(simulation.Step());
        Assert.Equal(Instant.Zero + TimeSpan.FromSeconds(1), simulation.Now);
        Assert.Empty(happened);
    }

    [Fact]
    public void Running_until_a_condition_says_whether_it_came()
    {
        simulation.After(TimeSpan.FromSeconds(1), () => happened.Add("a"));
        Assert.True(simulation.RunUntil(() => happened.Count == 1, simulation.Now + TimeSpan.FromSeconds(5)));
        Assert.False(simulation.RunUntil(() => happened.Count == 2, simulation.Now + TimeSpan.FromSeconds(5)));
    }

    [Fact]
    public void An_alarm_rings_at_the_deadline_set_last()
    {
        var alarm = new SimulatedAlarm(simulation, () => happened.Add(simulation.Now.ToString()));
        alarm.Set(simulation.Now + TimeSpan.FromSeconds(5));
        alarm.Set(simulation.Now + TimeSpan.FromSeconds(1));
        simulation.RunFor(TimeSpan.FromSeconds(10));
        alarm.Set(simulation.Now + TimeSpan.FromSeconds(1));
        alarm.Set(null);
        alarm.Set(Instant.Never);
        simulation.RunFor(TimeSpan.FromSeconds(10));
        Assert.Equal(["2.000s"], happened);
    }
}
