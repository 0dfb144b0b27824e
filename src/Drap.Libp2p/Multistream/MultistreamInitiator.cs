using System.Buffers;
using System.Text;

namespace Drap.Libp2p.Multistream;

/// <summary>
/// The side that proposes, in multistream-select 1.0 (libp2p/specs connections, "multistream-select"). Call <see cref="Start"/>, send what
/// it writes, hand what comes to <see cref="Receive"/>, send what that writes; until <see cref="Status"/> says that it is over.
/// </summary>
/// <remarks>
/// Lazy, of a single protocol: <see cref="MaySend"/> is true at once, so that the first data goes out with the proposal and no round trip is
/// spent. The answer is still to be received before any data is read; <see cref="MultistreamStatus.Failed"/> then says that the data went to
/// nobody.
/// </remarks>
public sealed class MultistreamInitiator
{
    private readonly IReadOnlyList<string> protocols;
    private MessageReader reader;
    private bool headed;
    private int proposed;

    /// <summary>Proposes these protocols in order until one is taken; each name is 1 to 1023 bytes of UTF-8 without a newline.</summary>
    public MultistreamInitiator(IReadOnlyList<string> protocols)
    {
        Invariant.Check(protocols.Count > 0 && protocols.All(MessageWriter.IsProtocol));
        this.protocols = protocols;
    }

    /// <summary>Proposes this one protocol.</summary>
    public MultistreamInitiator(string protocol)
        : this([protocol])
    {
    }

    /// <summary>How far it is.</summary>
    public MultistreamStatus Status { get; private set; }

    /// <summary>Why it failed.</summary>
    public MultistreamError Error { get; private set; }

    /// <summary>The protocol chosen; before <see cref="MultistreamStatus.Done"/> the one proposed now.</summary>
    public string Protocol => protocols[proposed];

    /// <summary>Whether data of <see cref="Protocol"/> may be sent already: when it is chosen, or is the only one and was proposed.</summary>
    public bool MaySend => Status == MultistreamStatus.Done || (Status == MultistreamStatus.Negotiating && protocols.Count == 1);

    /// <summary>Writes the header and the first proposal.</summary>
    public void Start(IBufferWriter<byte> output)
    {
        MessageWriter.Write(output, MessageWriter.Header);
        MessageWriter.Write(output, Protocol);
    }

    /// <summary>
    /// Takes bytes of the responder and returns how many it consumed: all of them while it is negotiating, and none of what comes after.
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
            headed = message.SequenceEqual(MessageWriter.Header);
            return headed ? MultistreamError.None : MultistreamError.OtherVersion;
        }
        Span<byte> text = stackalloc byte[MessageReader.MessageBytesMax];
        if (message.SequenceEqual(text[..Encoding.UTF8.GetBytes(Protocol, text)]))
        {
            Status = MultistreamStatus.Done;
            return MultistreamError.None;
        }
        if (!message.SequenceEqual(MessageWriter.NotAvailable))
            return MultistreamError.WrongAnswer;
        if (proposed + 1 == protocols.Count)
            return MultistreamError.NotAvailable;
        proposed++;
        MessageWriter.Write(output, Protocol);
        return MultistreamError.None;
    }
}
