using System.Globalization;
using Drap.Core.Execution;
using Drap.Node.Sandbox;
using Drap.Node.Time;

namespace Drap.Node.Guarding;

/// <summary>
/// The guard: this program, in a small mode, as a process of its own beside a worker. It has the table of what runs as its standard output, and as
/// its standard input a pipe from the node: a byte there wakes it, and its end says that the node is no more. It ends what the node should have
/// ended and did not, and goes when the node has gone and nothing is left. What it uses is chosen so that little of the runtime is loaded.
/// </summary>
public static unsafe class GuardProcess
{
    /// <summary>The word that stands first on its command line.</summary>
    public const string Word = "guard";

    /// <summary>Runs it to its end; the process's exit code.</summary>
    /// <param name="arguments">The home's mark, the node's process, and the folders of its cgroups.</param>
    public static int Run(ReadOnlySpan<string> arguments)
    {
        if (arguments.Length < 2 || !int.TryParse(arguments[1], CultureInfo.InvariantCulture, out int node) || GuardTable.TryOpen(1) is not { } table)
            return 2;
        using (table)
            new Guard(table, new GuardedFamily(new HomeMark(arguments[0]), node, arguments[2..].ToArray())).Run();
        return 0;
    }

    private sealed class Guard(GuardTable table, GuardedFamily family)
    {
        private readonly GuardWatch watch = new(table.Places);
        private readonly GuardedPlace[] places = new GuardedPlace[table.Places];
        private readonly List<GuardOrder> orders = [];
        private readonly int timer = Libc.timerfd_create(Libc.CLOCK_BOOTTIME, Libc.O_CLOEXEC | Libc.O_NONBLOCK);
        private bool nodeIsThere = true;

        public void Run()
        {
            while (true)
            {
                Read();
                watch.Look(places, table.Starts, nodeIsThere, BootClock.Now, orders);
                foreach (GuardOrder order in orders)
                    Carry(order);
                if (orders.Count > 0)
                    watch.Settle(places, nodeIsThere);
                orders.Clear();
                if (watch.IsOver)
                    return;
                Wait();
            }
        }

        private void Read()
        {
            for (int i = 0; i < places.Length; i++)
                places[i] = table.Read(i);
        }

        private void Carry(in GuardOrder order)
        {
            if (table.Find(order.Place, order.Serial) is not { } process)
                return;
            if (!order.Kill)
            {
                // The node cannot say any more that it has ended.
                if (family.IsGone(order.Serial, process, nodeIsThere))
                    watch.Gone(order.Place, order.Serial);
                return;
            }
            // A node that lives may have ended it by now, and started another there.
            if (!table.TryClaim(order.Place, order.Serial) || !family.End(order.Serial, process, nodeIsThere))
                return;
            watch.Gone(order.Place, order.Serial);
            table.SetGone(order.Place, order.Serial);
        }

        private void Wait()
        {
            Libc.PollFd* fds = stackalloc Libc.PollFd[2];
            // A negative descriptor is passed over.
            fds[0] = new Libc.PollFd { Fd = nodeIsThere ? 0 : -1, Events = Libc.POLLIN };
            fds[1] = new Libc.PollFd { Fd = timer, Events = Libc.POLLIN };
            Instant next = watch.NextLook, soon = BootClock.Now + GuardWatch.LookInterval;
            if (next > soon)
            {
                long starts = watch.Starts;
                table.FallAsleep();
                if (starts != table.Starts)
                    next = soon;
            }
            table.NextLook = next;
            Arm(next);
            _ = Libc.poll(fds, 2, -1);
            table.Wake();
            if (fds[0].Revents != 0)
            {
                byte* words = stackalloc byte[64];
                nodeIsThere = Libc.read(0, words, 64) != 0;
            }
            ulong count;
            if (fds[1].Revents != 0)
                _ = Libc.read(timer, &count, 8);
        }

        private void Arm(Instant at)
        {
            // Zero disarms.
            long nanoseconds = at == Instant.Never ? 0 : Math.Max(at.Nanoseconds, 1);
            var spec = new Libc.TimerSpec { Value = new Libc.TimeSpec { Seconds = nanoseconds / 1_000_000_000, Nanoseconds = nanoseconds % 1_000_000_000 } };
            _ = Libc.timerfd_settime(timer, Libc.TFD_TIMER_ABSTIME, &spec, null);
        }
    }
}
