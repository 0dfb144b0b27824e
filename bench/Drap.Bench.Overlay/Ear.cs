using System.Buffers.Binary;
using System.Diagnostics;
using Drap.Libp2p.Gossipsub;
using Drap.Libp2p.Host;

namespace Drap.Bench.Overlay;

/// <summary>
/// Counts the messages of the topic and how long each was under way: its first 8 bytes say when it was published, by the machine's monotonic clock, which
/// both programs read in nanoseconds. Who asks how many it heard says how many there should be.
/// </summary>
internal sealed class Ear
{
    /// <summary>
    /// Bytes of an answer: how many messages, when the last came, the median and the 99th percentile of how long they were under way, and the processor time
    /// that this program has used since the last answer, in 100 ns.
    /// </summary>
    public const int AnswerBytes = 40;

    // So long after the last one nothing more comes.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    private readonly Lock gate = new();
    private readonly List<long> took = [];
    private long last;
    private TimeSpan used;

    /// <summary>Hears a message, at once when it is accepted, as drap's own nodes do and a listener of js-libp2p's.</summary>
    public void Hear(GossipMessage message)
    {
        long now = Stopwatch.GetTimestamp();
        lock (gate)
        {
            took.Add(now - BinaryPrimitives.ReadInt64LittleEndian(message.Content.Data.Span));
            last = now;
        }
    }

    public async Task AnswerAsync(P2pStream stream)
    {
        byte[] question = new byte[8];
        await Messages.FillAsync(stream, question);
        long expected = BinaryPrimitives.ReadInt64LittleEndian(question), asked = Stopwatch.GetTimestamp();
        while (!IsComplete(expected, asked))
            await Task.Delay(10);
        byte[] answer = new byte[AnswerBytes];
        lock (gate)
        {
            BinaryPrimitives.WriteInt64LittleEndian(answer, took.Count);
            BinaryPrimitives.WriteInt64LittleEndian(answer.AsSpan(8), last);
            took.Sort();
            BinaryPrimitives.WriteInt64LittleEndian(answer.AsSpan(16), took.Count > 0 ? took[took.Count / 2] : 0);
            BinaryPrimitives.WriteInt64LittleEndian(answer.AsSpan(24), took.Count > 0 ? took[took.Count * 99 / 100] : 0);
            took.Clear();
            TimeSpan now = Environment.CpuUsage.TotalTime;
            BinaryPrimitives.WriteInt64LittleEndian(answer.AsSpan(32), (now - used).Ticks);
            used = now;
        }
        await stream.WriteAndCloseAsync(answer);
    }

    private bool IsComplete(long expected, long asked)
    {
        lock (gate)
            return took.Count >= expected || Stopwatch.GetElapsedTime(Math.Max(last, asked)) > Patience;
    }
}
