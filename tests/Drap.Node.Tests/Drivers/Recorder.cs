using System.Text;
using Drap.Node.Drivers;
using Xunit;

namespace Drap.Node.Tests.Drivers;

/// <summary>Writes down what a driver reports, and waits for it.</summary>
internal sealed class Recorder : IDriverEvents
{
    /// <summary>Nothing here takes so long, even on a loaded machine; a longer wait means that the event is missing.</summary>
    private static readonly TimeSpan WaitMax = TimeSpan.FromSeconds(60);

    private readonly object gate = new();
    private readonly List<AttemptStart> starts = [];
    private readonly Dictionary<AttemptId, Ended> exits = [];
    private readonly Dictionary<(AttemptId, LogStream), MemoryStream> logs = [];
    private int rooms;

    public int LogChunks { get; private set; }

    public void Started(ReadOnlySpan<AttemptStart> started)
    {
        lock (gate)
        {
            starts.AddRange(started);
            Monitor.PulseAll(gate);
        }
    }

    public void Log(AttemptId attempt, LogStream stream, long offset, ReadOnlySpan<byte> bytes)
    {
        lock (gate)
        {
            if (!logs.TryGetValue((attempt, stream), out MemoryStream? log))
                logs[(attempt, stream)] = log = new MemoryStream();
            Assert.Equal(log.Length, offset);
            log.Write(bytes);
            LogChunks++;
            Monitor.PulseAll(gate);
        }
    }

    public void StdinRoom(AttemptId attempt)
    {
        lock (gate)
        {
            rooms++;
            Monitor.PulseAll(gate);
        }
    }

    public void Exited(ReadOnlySpan<AttemptExit> ended)
    {
        lock (gate)
        {
            foreach (AttemptExit exit in ended)
                exits.Add(exit.Attempt, new Ended(exit, exit.Stdout.ToArray(), exit.Stderr.ToArray(), exit.Stdout.Dropped));
            Monitor.PulseAll(gate);
        }
    }

    public int Exits
    {
        get
        {
            lock (gate)
                return exits.Count;
        }
    }

    public Ended WaitForExit(AttemptId attempt) => WaitFor($"the end of {attempt}", () => exits.GetValueOrDefault(attempt));

    public AttemptStart WaitForStart(AttemptId attempt) =>
        WaitFor($"the start of {attempt}", () => starts.Any(s => s.Attempt == attempt) ? (AttemptStart?)starts.First(s => s.Attempt == attempt) : null)!.Value;

    public string WaitForOutput(AttemptId attempt, string text) =>
        WaitFor($"'{text}' on stdout of {attempt}", () => Output(attempt) is { } output && output.Contains(text, StringComparison.Ordinal) ? output : null);

    public void WaitForRooms(int count) => WaitFor($"room on stdin, {count} times", () => rooms >= count ? this : null);

    public string Streamed(AttemptId attempt)
    {
        lock (gate)
            return Output(attempt) ?? "";
    }

    private string? Output(AttemptId attempt) =>
        logs.TryGetValue((attempt, LogStream.Stdout), out MemoryStream? log) ? Encoding.UTF8.GetString(log.ToArray()) : null;

    private T WaitFor<T>(string what, Func<T?> look)
    {
        lock (gate)
        {
            long deadline = Environment.TickCount64 + (long)WaitMax.TotalMilliseconds;
            while (true)
            {
                if (look() is { } found)
                    return found;
                TimeSpan left = TimeSpan.FromMilliseconds(deadline - Environment.TickCount64);
                if (left <= TimeSpan.Zero || !Monitor.Wait(gate, left))
                    Assert.Fail($"missing: {what}; exits so far: {string.Join(", ", exits.Values)}");
            }
        }
    }
}

/// <summary>An end, with copies of what is valid in the callback only.</summary>
internal sealed record Ended(AttemptExit Exit, byte[] StdoutBytes, byte[] StderrBytes, long StdoutDropped)
{
    public string Stdout => Encoding.UTF8.GetString(StdoutBytes);

    public string Stderr => Encoding.UTF8.GetString(StderrBytes);
}
