using System.Globalization;
using System.Runtime.CompilerServices;

namespace Drap.Libp2p.Tests.Fuzzing;

/// <summary>
/// Seeded fuzzing: takes an input of the pool, bends it, runs the target, and keeps what had a new outcome. The pool begins with the target's seeds
/// and its corpus (<c>Corpus/NAME.txt</c>, a line of hex each with its outcome), which <c>DRAP_RECORD=1</c> extends by what was found. An input that fails is
/// written there in any case: it is the first to be tried from then on.
/// </summary>
internal sealed class Fuzzer(FuzzTarget target, ulong seed)
{
    private const int InputBytesMax = 16_384, PoolMax = 4_096;

    private const string Failed = " failed";

    private static readonly byte[] Interesting = [0x00, 0x01, 0x02, 0x08, 0x0a, 0x12, 0x20, 0x30, 0x7f, 0x80, 0x81, 0xfe, 0xff, (byte)'\n', (byte)'/', (byte)'%'];

    private readonly Prng random = new(seed);
    private readonly List<byte[]> pool = [];
    private readonly SortedDictionary<string, byte[]> outcomes = new(StringComparer.Ordinal);

    /// <summary>The outcomes seen, each with the first input that had it.</summary>
    public IReadOnlyDictionary<string, byte[]> Outcomes => outcomes;

    public void Run(int steps)
    {
        // What is made at first use is not the input's.
        foreach (byte[] good in target.Seeds)
            target.Run(good);
        foreach (byte[] good in Corpus().ToArray())
            Warm(good);
        foreach (byte[] good in target.Seeds.Concat(Corpus()))
            Try(good);
        for (int i = 0; i < steps; i++)
            Try(Bent(pool[random.Below(pool.Count)]));
    }

    /// <summary>Writes down the inputs that led to each outcome, if that is asked for.</summary>
    public void Record()
    {
        if (Environment.GetEnvironmentVariable("DRAP_RECORD") != "1")
            return;
        string[] failures = File.Exists(CorpusFile()) ? [.. File.ReadAllLines(CorpusFile()).Where(line => line.EndsWith(Failed, StringComparison.Ordinal))] : [];
        File.WriteAllLines(
            CorpusFile(), [.. failures, .. outcomes.Where(o => o.Value.Length <= 4_096).Select(o => $"{Convert.ToHexStringLower(o.Value)} {o.Key}")]);
    }

    private void Try(byte[] input)
    {
        try
        {
            Judge(input);
        }
        catch (Exception e)
        {
            string hex = Convert.ToHexStringLower(input);
            if (!Corpus().Any(known => known.AsSpan().SequenceEqual(input)))
                File.AppendAllLines(CorpusFile(), [$"{hex}{Failed}"]);
            throw new InvalidOperationException($"{target}, seed {seed}: {hex}", e);
        }
    }

    private void Warm(byte[] input)
    {
        try
        {
            target.Run(input);
        }
        catch (Exception)
        {
            // It is tried again at once, and then counts.
        }
    }

    private void Judge(byte[] input)
    {
        (string outcome, long allocated) = Measure(input);
        // What the runtime makes once, at a path that was never taken before, is not the input's doing: that comes again.
        if (allocated > target.AllocatedMax(input.Length) && Measure(input).Allocated is var again && again > target.AllocatedMax(input.Length))
            throw new InvalidOperationException($"{again} bytes allocated for {input.Length}");
        if (outcomes.TryAdd(outcome, input) && pool.Count < PoolMax)
            pool.Add(input);
    }

    private (string Outcome, long Allocated) Measure(byte[] input)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        string outcome = target.Run(input);
        return (outcome, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private byte[] Bent(byte[] input)
    {
        var bytes = new List<byte>(input);
        for (int times = 1 + random.Below(4); times > 0; times--)
            Bend(bytes);
        return [.. bytes.Take(InputBytesMax)];
    }

    private void Bend(List<byte> bytes)
    {
        int at = random.Below(bytes.Count + 1), length = Math.Min(1 + random.Below(random.Below(8) == 0 ? 300 : 8), bytes.Count - at);
        switch (random.Below(10))
        {
            case 0 when at < bytes.Count:
                bytes[at] ^= (byte)(1 << random.Below(8));
                break;
            case 1 when at < bytes.Count:
                bytes[at] = Interesting[random.Below(Interesting.Length)];
                break;
            case 2 when at < bytes.Count:
                bytes[at] += (byte)(random.Chance(1, 2) ? 1 : 255);
                break;
            case 3:
                bytes.RemoveRange(at, length);
                break;
            case 4:
                bytes.InsertRange(at, bytes.GetRange(at, length));
                break;
            case 5:
                bytes.RemoveRange(at, bytes.Count - at);
                break;
            case 6:
                bytes.Insert(at, (byte)random.NextUInt64());
                break;
            case 7: // a number with many bytes
                bytes.InsertRange(at, [.. Enumerable.Repeat((byte)0xff, random.Below(11)), (byte)random.Below(128)]);
                break;
            case 8: // two lengths in one: varints and big-endian ones
                bytes.InsertRange(at, [(byte)random.NextUInt64(), (byte)random.NextUInt64()]);
                break;
            case 9: // another input's end
                byte[] other = pool[random.Below(pool.Count)];
                bytes.RemoveRange(at, bytes.Count - at);
                bytes.AddRange(other.AsSpan(random.Below(other.Length + 1)));
                break;
        }
    }

    private IEnumerable<byte[]> Corpus() =>
        File.Exists(CorpusFile()) ? File.ReadAllLines(CorpusFile()).Select(line => Convert.FromHexString(line.Split(' ', 2)[0])) : [];

    private string CorpusFile([CallerFilePath] string caller = "") =>
        Path.Combine(Path.GetDirectoryName(caller)!, "Corpus", string.Create(CultureInfo.InvariantCulture, $"{target.Name}.txt"));
}
