using System.Collections.Immutable;
using Drap.Node.Overlay;
using Xunit;

namespace Drap.Node.Tests.Overlay;

/// <summary>A node that writes down what its overlay tells it, and takes only so much at a time.</summary>
public sealed class OverlayRecorder(int roomMax = int.MaxValue) : IOverlayEvents
{
    /// <summary>Longer than anything takes that is not stuck, on a machine that is busy.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    private readonly object gate = new();
    private readonly List<(PeerId From, ReadOnlyMemory<byte> Bytes)> frames = [];
    private readonly Dictionary<string, ImmutableArray<PeerId>> audiences = [];
    private readonly List<PeerId> gone = [];
    private TaskCompletionSource changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int room = roomMax;

    /// <summary>Frames that were taken, in order.</summary>
    public ImmutableArray<(PeerId From, ReadOnlyMemory<byte> Bytes)> Frames
    {
        get
        {
            lock (gate)
                return [.. frames];
        }
    }

    public int Count
    {
        get
        {
            lock (gate)
                return frames.Count;
        }
    }

    public ImmutableArray<PeerId> Gone
    {
        get
        {
            lock (gate)
                return [.. gone];
        }
    }

    /// <summary>The numbers in frames of four bytes or more, from one sender or all.</summary>
    public int[] Numbers(PeerId? from = null) => [.. Frames.Where(f => from is null || f.From == from).Select(f => BitConverter.ToInt32(f.Bytes.Span))];

    public ImmutableArray<PeerId> AudienceOf(string topic)
    {
        lock (gate)
            return audiences.GetValueOrDefault(topic, []);
    }

    /// <summary>Takes so many frames more.</summary>
    public void MakeRoom(int frames)
    {
        lock (gate)
        {
            room = frames == int.MaxValue ? frames : room + frames;
            Monitor.PulseAll(gate);
        }
    }

    /// <summary>Ends when the condition holds; it is looked at after each thing that is told.</summary>
    public async Task UntilAsync(Func<bool> condition, string what)
    {
        using var late = new CancellationTokenSource(Patience);
        while (true)
        {
            Task change;
            lock (gate)
                change = changed.Task;
            if (condition())
                return;
            try
            {
                await change.WaitAsync(late.Token);
            }
            catch (OperationCanceledException)
            {
                Assert.Fail($"not within {Patience}: {what} (frames {Count}, gone {Gone.Length}, audiences {string.Join(' ', audiences.Select(a => $"{a.Key}={a.Value.Length}"))})");
            }
        }
    }

    bool IOverlayEvents.Frame(PeerId from, ReadOnlyMemory<byte> frame)
    {
        lock (gate)
        {
            if (room == 0)
                return false;
            if (room != int.MaxValue)
                room--;
            frames.Add((from, frame));
            Changed();
            return true;
        }
    }

    void IOverlayEvents.WaitForRoom()
    {
        lock (gate)
            while (room == 0)
                Monitor.Wait(gate);
    }

    void IOverlayEvents.Audience(string topic, ImmutableArray<PeerId> members)
    {
        lock (gate)
        {
            audiences[topic] = members;
            Changed();
        }
    }

    void IOverlayEvents.PeerGone(PeerId peer)
    {
        lock (gate)
        {
            gone.Add(peer);
            Changed();
        }
    }

    private void Changed()
    {
        changed.TrySetResult();
        changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
