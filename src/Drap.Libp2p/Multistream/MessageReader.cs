using Drap.Libp2p.Multiformats;

namespace Drap.Libp2p.Multistream;

/// <summary>Cuts a stream of bytes into multistream-select's messages: a varint of the length, the text, a newline that counts.</summary>
internal struct MessageReader
{
    /// <summary>
    /// The longest message in bytes, with its newline, as go and js have it. No name of a protocol comes near it; before authentication this
    /// is all that a stranger can make us keep.
    /// </summary>
    public const int MessageBytesMax = 1024;

    // A length up to 1024 takes at most two bytes.
    private const int PrefixBytesMax = 2;

    private byte[]? partial; // a message that came in more than one piece
    private int held;

    /// <summary>Takes the next message off the front of <paramref name="input"/>; the message's bytes are valid until the next call.</summary>
    public MultistreamError Read(ref ReadOnlySpan<byte> input, out bool complete, out ReadOnlySpan<byte> message)
    {
        complete = false;
        message = default;
        if (held == 0)
        {
            MultistreamError error = Measure(input, out int prefix, out int length);
            if (error != MultistreamError.None)
                return error;
            if (prefix > 0 && input.Length >= prefix + length)
            {
                message = input.Slice(prefix, length);
                input = input[(prefix + length)..];
                return Finish(ref message, out complete);
            }
        }
        partial ??= new byte[PrefixBytesMax + MessageBytesMax];
        while (!input.IsEmpty)
        {
            MultistreamError error = Measure(partial.AsSpan(0, held), out int prefix, out int length);
            if (error != MultistreamError.None)
                return error;
            // Byte by byte until the length is known, so that nothing of what comes after the message is taken.
            int take = prefix == 0 ? 1 : Math.Min(input.Length, prefix + length - held);
            input[..take].CopyTo(partial.AsSpan(held));
            input = input[take..];
            held += take;
            error = Measure(partial.AsSpan(0, held), out prefix, out length);
            if (error != MultistreamError.None)
                return error;
            if (prefix == 0 || held < prefix + length)
                continue;
            message = partial.AsSpan(prefix, length);
            held = 0;
            return Finish(ref message, out complete);
        }
        return MultistreamError.None;
    }

    // The bytes of the length and the length; 0 while it is not there.
    private static MultistreamError Measure(ReadOnlySpan<byte> bytes, out int prefix, out int length)
    {
        prefix = length = 0;
        VarintStatus status = UnsignedVarint.TryRead(bytes.Length > PrefixBytesMax ? bytes[..PrefixBytesMax] : bytes, out ulong value, out int read);
        switch (status)
        {
            case VarintStatus.Malformed:
                return MultistreamError.Malformed;
            case VarintStatus.Incomplete:
                return read < PrefixBytesMax ? MultistreamError.None : MultistreamError.TooLong;
            case VarintStatus.Done when value > MessageBytesMax:
                return MultistreamError.TooLong;
            case VarintStatus.Done when value == 0:
                return MultistreamError.Malformed;
            default:
                prefix = read;
                length = (int)value;
                return MultistreamError.None;
        }
    }

    private static MultistreamError Finish(ref ReadOnlySpan<byte> message, out bool complete)
    {
        complete = message[^1] == (byte)'\n';
        message = message[..^1];
        return complete ? MultistreamError.None : MultistreamError.Malformed;
    }
}
