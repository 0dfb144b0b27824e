using System.Buffers;
using System.Text.Unicode;

namespace Drap.Libp2p.Multistream;

/// <summary>The protocol to speak when the other side offers this name; null for one that we do not speak.</summary>
public delegate string? ProtocolMatch(ReadOnlySpan<char> offered);

/// <summary>
/// The side that chooses, in multistream-select 1.0 (libp2p/specs connections, "multistream-select"). It says nothing before the initiator
/// does, and then its header and its answer in one piece. <c>ls</c> is answered <c>na</c>, as go and rust do: what we speak is identify's to say.
/// </summary>
public sealed class MultistreamResponder(ProtocolMatch match)
{
    /// <summary>
    /// Proposals that are answered: an honest initiator proposes the few versions of one protocol. After the last refused one the negotiation
    /// fails, so that a stream cannot be kept busy for ever before a protocol watches over it.
    /// </summary>
    public const int ProposalsMax = 32;

    private MessageReader reader;
    private bool headed;
    private int refused;

    /// <summary>How far it is.</summary>
    public MultistreamStatus Status { get; private set; }

    /// <summary>Why it failed.</summary>
    public MultistreamError Error { get; private set; }

    /// <summary>The protocol chosen, as <see cref="ProtocolMatch"/> named it; null before.</summary>
    public string? Protocol { get; private set; }

    /// <summary>
    /// Takes bytes of the initiator, writes the answers, and returns how many it consumed: all of them while it is negotiating, and none of
    /// what comes after.
    /// </summary>
    public int Receive(ReadOnlySpan<byte> input, IBufferWriter<byte> output)
    {
        ReadOnlySpan<byte> rest = input;
        while (Status == MultistreamStatus.Negotiating)
        {
            MultistreamError error = reader.Read(ref rest, out bool complete, out ReadOnlySpan<byte> message);
            if (error == MultistreamError.None && !complete)
                break;
            if (error == MultistreamError.None)
                error = Take(message, output);
            if (error != MultistreamError.None)
            {
                Status = MultistreamStatus.Failed;
                Error = error;
            }
        }
        return input.Length - rest.Length;
    }

    private MultistreamError Take(ReadOnlySpan<byte> message, IBufferWriter<byte> output)
    {
        if (!headed)
        {
            if (!message.SequenceEqual(MessageWriter.Header))
                return MultistreamError.OtherVersion;
            headed = true;
            MessageWriter.Write(output, message);
            return MultistreamError.None;
        }
        Span<char> text = stackalloc char[MessageReader.MessageBytesMax];
        if (Utf8.ToUtf16(message, text, out _, out int length, replaceInvalidSequences: false) != OperationStatus.Done)
            return MultistreamError.Malformed;
        Protocol = match(text[..length]);
        if (Protocol is not null)
        {
            // The name that was offered, also where it is matched by another: it is what the initiator compares with.
            MessageWriter.Write(output, message);
            Status = MultistreamStatus.Done;
            return MultistreamError.None;
        }
        MessageWriter.Write(output, MessageWriter.NotAvailable);
        return ++refused == ProposalsMax ? MultistreamError.TooManyProposals : MultistreamError.None;
    }
}
