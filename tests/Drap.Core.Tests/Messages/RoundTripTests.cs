using Drap.Core.Cbor;
using Drap.Core.Messages;
using Xunit;

namespace Drap.Core.Tests.Messages;

public sealed class RoundTripTests(ITestOutputHelper output)
{
    public static TheoryData<MessageKind> Kinds => [.. Enum.GetValues<MessageKind>().Where(k => k != MessageKind.None)];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_message_comes_back_as_it_was_sent(MessageKind kind)
    {
        ulong seed = (ulong)Random.Shared.NextInt64();
        output.WriteLine($"seed {seed}");
        var prng = new Prng(seed);
        for (int i = 0; i < 100; i++)
        {
            Message sent = RandomFields.Make(kind, prng);
            byte[] frame = MessageCodec.Encode(sent);
            Assert.True(MessageCodec.TryDecode(frame, out Message? received, out CodecError error), $"seed {seed}: {error}");
            SameValue.Assert(sent, received, $"seed {seed}: {kind}");
            Assert.Equal(frame, MessageCodec.Encode(received));
        }
    }
}
