using System.Buffers;
using System.Text;
using Drap.Libp2p.Multiformats;

namespace Drap.Libp2p.Multistream;

/// <summary>Writes multistream-select's messages.</summary>
internal static class MessageWriter
{
    /// <summary>What both sides say first.</summary>
    public static ReadOnlySpan<byte> Header => "/multistream/1.0.0"u8;

    /// <summary>The responder's "not available".</summary>
    public static ReadOnlySpan<byte> NotAvailable => "na"u8;

    public static void Write(IBufferWriter<byte> output, ReadOnlySpan<byte> text)
    {
        Span<byte> room = output.GetSpan(text.Length + 3);
        int prefix = UnsignedVarint.Write(room, (ulong)text.Length + 1);
        text.CopyTo(room[prefix..]);
        room[prefix + text.Length] = (byte)'\n';
        output.Advance(prefix + text.Length + 1);
    }

    public static void Write(IBufferWriter<byte> output, string protocol)
    {
        Span<byte> text = stackalloc byte[MessageReader.MessageBytesMax];
        Write(output, text[..Encoding.UTF8.GetBytes(protocol, text)]);
    }

    /// <summary>Whether a name can be sent at all.</summary>
    public static bool IsProtocol(string protocol) =>
        protocol.Length > 0 && !protocol.Contains('\n') && Encoding.UTF8.GetByteCount(protocol) < MessageReader.MessageBytesMax;
}
