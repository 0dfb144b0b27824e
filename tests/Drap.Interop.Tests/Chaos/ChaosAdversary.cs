namespace Drap.Tests.Interop.Chaos;

/// <summary>One who breaks things, as a seed says: what, on which machine, and for how long. A machine that it has broken it leaves alone until that has healed.</summary>
internal sealed class ChaosAdversary
{
    private static readonly ChaosRole[] node = [ChaosRole.Main, ChaosRole.Worker], machine = [.. node, ChaosRole.Guard, ChaosRole.Task];

    private readonly Prng random;
    private readonly ChaosNode hub;
    private readonly ChaosNode[] workers;
    private readonly TestCable[] cables;
    private readonly Action<string> say;
    private readonly List<(DateTime At, ChaosNode[] Where, string What, Action Heal)> broken = [];

    /// <summary>One that has not begun.</summary>
    /// <param name="random">What it goes by.</param>
    /// <param name="hub">The scheduler.</param>
    /// <param name="workers">The workers.</param>
    /// <param name="cables">Each worker's cable; the hub is its second end.</param>
    /// <param name="say">Takes what it does.</param>
    public ChaosAdversary(Prng random, ChaosNode hub, ChaosNode[] workers, TestCable[] cables, Action<string> say) =>
        (this.random, this.hub, this.workers, this.cables, this.say) = (random, hub, workers, cables, say);

    /// <summary>Breaks and heals until then; then everything is healed.</summary>
    public async Task RunAsync(DateTime until, CancellationToken cancel)
    {
        while (DateTime.UtcNow < until)
        {
            Heal(DateTime.UtcNow);
            Break();
            await Task.Delay(TimeSpan.FromMilliseconds(300 + random.Below(2_200)), cancel);
        }
        while (broken.Count > 0)
            Heal(DateTime.MaxValue);
    }

    private void Heal(DateTime now)
    {
        foreach ((DateTime at, ChaosNode[] where, string what, Action heal) in broken.Where(b => b.At <= now).OrderBy(b => b.At).ToArray())
        {
            say($"{string.Join(" and ", where.Select(n => n.Name))}: over: {what}");
            broken.RemoveAll(b => b.Where == where);
            heal();
        }
    }

    private void Break()
    {
        int which = random.Below(workers.Length);
        ChaosNode worker = workers[which];
        TestCable cable = cables[which];
        // The long ones outlast a lease, or are soon over.
        TimeSpan shortly = TimeSpan.FromMilliseconds(200 + random.Below(5_000)), long_ = TimeSpan.FromMilliseconds(random.Chance(1, 4) ? 31_000 + random.Below(14_000) : 500 + random.Below(8_000));
        int kind = random.Below(100), side = random.Below(2);
        if (IsBroken(worker) || (kind < 18 && IsBroken(hub)))
            return;
        switch (kind)
        {
            case < 4:
                Do([hub], "the hub is killed", random.Chance(1, 4) ? long_ : shortly, () => hub.Kill(node), hub.Start);
                break;
            case < 7:
                Do([hub, worker], "both are killed", shortly, () =>
                {
                    hub.Kill(node);
                    worker.Kill(node);
                }, () =>
                {
                    hub.Start();
                    worker.Start();
                });
                break;
            case < 8:
                ChaosNode[] whole = [hub, .. workers.Where(w => !IsBroken(w))];
                Do(whole, "the power fails", shortly, () => Array.ForEach(whole, n => n.Kill(machine)), () => Array.ForEach(whole, n => n.Start()));
                break;
            case < 10:
                Do([hub], "the hub stands still", random.Chance(1, 3) ? long_ : shortly, () => hub.Freeze(node), () => hub.Thaw(node));
                break;
            case < 12:
                Do([hub], "the hub's disk is full", random.Chance(1, 3) ? long_ : shortly, hub.FillDisk, hub.FreeDisk);
                break;
            case < 18:
                Do([hub, worker], "the hub is killed while the worker is cut off", shortly, () =>
                {
                    hub.Kill(node);
                    cable.Shape = CableShape.Cut;
                }, () =>
                {
                    hub.Start();
                    cable.Shape = default;
                });
                break;
            case < 28:
                Do([worker], "the worker's process is killed", TimeSpan.Zero, () => worker.Kill(ChaosRole.Worker), () => { });
                break;
            case < 31:
                Do([worker], "the machine loses its power", long_, () => worker.Kill(machine), worker.Start);
                break;
            case < 36:
                Do([worker], "the node is killed", long_, () => worker.Kill(node), worker.Start);
                break;
            case < 40:
                // Both of those who end what must not outlive its lease: only the node's return does then, and it comes before that.
                Do([worker], "the node and its guard are killed", shortly, () => worker.Kill([.. node, ChaosRole.Guard]), worker.Start);
                break;
            case < 44:
                // A megabyte takes four seconds: whatever is on its way from there is cut in the middle.
                cable.Shape = new CableShape(TimeSpan.Zero, 0, 2);
                Do([worker], "it passes on what it has slowly, and is killed meanwhile", TimeSpan.FromMilliseconds(1_000 + random.Below(3_000)), () => { }, () =>
                {
                    worker.Kill(ChaosRole.Worker);
                    cable.Shape = default;
                });
                break;
            case < 48:
                Do([worker], "tasks are killed", TimeSpan.Zero, () => worker.Kill(ChaosRole.Task), () => { });
                break;
            case < 54:
                Do([worker], "the guard is killed", TimeSpan.Zero, () => worker.Kill(ChaosRole.Guard), () => { });
                break;
            case < 64:
                Do([worker], "the node stands still, its tasks do not", long_, () => worker.Freeze(node), () => worker.Thaw(node));
                break;
            case < 69:
                Do([worker], "tasks stand still, the node does not", shortly, () => worker.Freeze(ChaosRole.Task), () => worker.Thaw(ChaosRole.Task));
                break;
            case < 77:
                Do([worker], "cut off", long_, () => cable.Shape = CableShape.Cut, () => cable.Shape = default);
                break;
            case < 80:
                // What was held up comes late, and the answer to it does not.
                Do([worker], "cut off, then not heard", long_, () => cable.Shape = CableShape.Cut, () =>
                {
                    cable.SetShape(1, default);
                    Do([worker], "not heard", shortly, () => { }, () => cable.Shape = default);
                });
                break;
            case < 85:
                Do([worker], side == 0 ? "not heard" : "deaf", long_, () => cable.SetShape(side, CableShape.Cut), () => cable.Shape = default);
                break;
            case < 92:
                var shape = new CableShape(TimeSpan.FromMilliseconds(random.Below(80)), random.Below(8), 2 + random.Below(20), TimeSpan.FromMilliseconds(random.Below(60)));
                Do([worker], $"over a bad cable: {shape}", long_, () => cable.Shape = shape, () => cable.Shape = default);
                break;
            default:
                Do([worker], "its disk is full", long_, worker.FillDisk, worker.FreeDisk);
                break;
        }
    }

    private bool IsBroken(ChaosNode at) => broken.Any(b => b.Where.Contains(at));

    private void Do(ChaosNode[] where, string what, TimeSpan time, Action act, Action heal)
    {
        say($"{string.Join(" and ", where.Select(n => n.Name))}: {what}, for {time.TotalSeconds:0.0} s");
        act();
        if (time > TimeSpan.Zero)
            broken.Add((DateTime.UtcNow + time, where, what, heal));
    }
}
