using Drap.Node.Drivers;
using Xunit;

namespace Drap.Node.Tests.Drivers;

public sealed class LogCaptureTests
{
    [Fact]
    public void It_keeps_what_a_plain_model_keeps()
    {
        for (ulong seed = 1; seed <= 300; seed++)
        {
            var prng = new Prng(seed);
            int max = prng.Below(40_000) + 2;
            var capture = new LogCapture(max);
            for (int round = 0; round < 3; round++)
            {
                var model = new List<byte>();
                int pieces = prng.Below(30);
                for (int i = 0; i < pieces; i++)
                {
                    var piece = new byte[prng.Below(prng.Chance(1, 5) ? 60_000 : 500)];
                    foreach (ref byte b in piece.AsSpan())
                        b = (byte)prng.Below(256);
                    capture.Append(piece);
                    model.AddRange(piece);
                }
                byte[] all = [.. model];
                byte[] expected = all.Length <= max ? all : [.. all[..(max / 2)], .. all[^(max - max / 2)..]];
                CapturedLog kept = capture.Snapshot();
                Assert.True(expected.AsSpan().SequenceEqual(kept.ToArray()), $"seed {seed}, round {round}");
                Assert.Equal(all.Length - expected.Length, kept.Dropped);
                Assert.Equal(all.Length, kept.Total);
                capture.Clear();
            }
        }
    }
}
