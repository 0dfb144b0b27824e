using System.Buffers;
using Drap.Libp2p.Multistream;

namespace Drap.Libp2p.Host.Protocols;

/// <summary>
/// multistream-select's header and one protocol, as both sides write them when they agree at once: the initiator's proposal and the responder's answer are
/// the same bytes. So an agreement is one comparison, and the general machine serves whatever else comes.
/// </summary>
internal static class ProtocolGreeting
{
    // The header's message: a length of 19, the name, a newline.
    private const int HeaderBytes = 20;

    public static byte[] Of(string protocol)
    {
        var output = new ArrayBufferWriter<byte>();
        new MultistreamInitiator(protocol).Start(output);
        return output.WrittenSpan.ToArray();
    }

    /// <summary>The bytes of the greeting at the start of <paramref name="bytes"/>, if it is there whole and its name is short enough for a length of one byte; else 0.</summary>
    public static int Measure(ReadOnlySpan<byte> bytes, out ReadOnlySpan<byte> protocol)
    {
        protocol = default;
        if (bytes.Length <= HeaderBytes || bytes[HeaderBytes] is 0 or >= 0x80 || !bytes[..HeaderBytes].SequenceEqual(Header))
            return 0;
        int length = bytes[HeaderBytes];
        if (bytes.Length < HeaderBytes + 1 + length || bytes[HeaderBytes + length] != (byte)'\n')
            return 0;
        protocol = bytes.Slice(HeaderBytes + 1, length - 1);
        return HeaderBytes + 1 + length;
    }

    private static ReadOnlySpan<byte> Header => "\u0013/multistream/1.0.0\n"u8;
}
