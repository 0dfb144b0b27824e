using System.Buffers.Binary;
using System.Text;

namespace Drap.Node.Overlay.Kept;

/// <summary>What is said on the streams that carry kept streams (docs/protocol/overlay.md, [KEPT]). Numbers are big-endian.</summary>
internal static class KeptWire
{
    /// <summary>The protocol of the carrying streams.</summary>
    public const string Protocol = "/drap/1.0.0/kept";

    /// <summary>Kind, name, which of its carriers it is, how much was received.</summary>
    public const int GreetingBytes = 1 + 16 + 4 + 8;

    /// <summary>Kind, how much was received.</summary>
    public const int AnswerBytes = 1 + 8;

    /// <summary>The longest name of a protocol that is carried: as long as the greeting's one byte says.</summary>
    public const int ProtocolBytesMax = byte.MaxValue;

    /// <summary>Kind and a number: what each frame begins with; one of data has as many bytes after it.</summary>
    public const int HeadBytes = 1 + 8;

    /// <summary>Who opens says which stream it begins or goes on with, and how much of the other side's bytes it has.</summary>
    public static byte[] Greeting(bool isNew, UInt128 name, int number, long received, string protocol)
    {
        int length = isNew ? Encoding.UTF8.GetByteCount(protocol) : 0;
        byte[] greeting = new byte[GreetingBytes + (isNew ? 1 + length : 0)];
        greeting[0] = isNew ? (byte)1 : (byte)2;
        BinaryPrimitives.WriteUInt128BigEndian(greeting.AsSpan(1), name);
        BinaryPrimitives.WriteInt32BigEndian(greeting.AsSpan(17), number);
        BinaryPrimitives.WriteInt64BigEndian(greeting.AsSpan(21), received);
        if (isNew)
        {
            greeting[GreetingBytes] = (byte)length;
            Encoding.UTF8.GetBytes(protocol, greeting.AsSpan(GreetingBytes + 1));
        }
        return greeting;
    }

    /// <summary>Reads a greeting.</summary>
    /// <exception cref="InvalidDataException">It is none.</exception>
    /// <exception cref="IOException">The stream ends within it.</exception>
    public static async Task<KeptGreeting> ReadGreetingAsync(Stream from, CancellationToken cancel)
    {
        byte[] greeting = new byte[GreetingBytes];
        await from.ReadExactlyAsync(greeting, cancel).ConfigureAwait(false);
        if (greeting[0] is not (1 or 2))
            throw new InvalidDataException($"a greeting of kind {greeting[0]}");
        string protocol = "";
        if (greeting[0] == 1)
        {
            byte[] text = new byte[1 + ProtocolBytesMax];
            await from.ReadExactlyAsync(text.AsMemory(0, 1), cancel).ConfigureAwait(false);
            await from.ReadExactlyAsync(text.AsMemory(1, text[0]), cancel).ConfigureAwait(false);
            protocol = Encoding.UTF8.GetString(text.AsSpan(1, text[0]));
        }
        return new KeptGreeting(
            greeting[0] == 1, BinaryPrimitives.ReadUInt128BigEndian(greeting.AsSpan(1)), BinaryPrimitives.ReadInt32BigEndian(greeting.AsSpan(17)),
            BinaryPrimitives.ReadInt64BigEndian(greeting.AsSpan(21)), protocol);
    }

    public static byte[] Answer(KeptAnswer answer, long received)
    {
        byte[] bytes = new byte[AnswerBytes];
        bytes[0] = (byte)answer;
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(1), received);
        return bytes;
    }

    public static async Task<(KeptAnswer Answer, long Received)> ReadAnswerAsync(Stream from, CancellationToken cancel)
    {
        byte[] bytes = new byte[AnswerBytes];
        await from.ReadExactlyAsync(bytes, cancel).ConfigureAwait(false);
        return ((KeptAnswer)bytes[0], BinaryPrimitives.ReadInt64BigEndian(bytes.AsSpan(1)));
    }

    public static void WriteHead(Span<byte> to, KeptFrame kind, long number)
    {
        to[0] = (byte)kind;
        BinaryPrimitives.WriteInt64BigEndian(to[1..], number);
    }

    public static (KeptFrame Kind, long Number) ReadHead(ReadOnlySpan<byte> from) => ((KeptFrame)from[0], BinaryPrimitives.ReadInt64BigEndian(from[1..]));
}

/// <summary>What a stream is opened for.</summary>
/// <param name="IsNew">Whether it may begin, else it can only go on.</param>
/// <param name="Name">Which one; drawn by who opens it.</param>
/// <param name="Number">Which of its carriers it is, from 1 on: one that comes late does not take the place of a later one.</param>
/// <param name="Received">How much of this side's bytes the other has.</param>
/// <param name="Protocol">What is carried, of one that may begin.</param>
internal readonly record struct KeptGreeting(bool IsNew, UInt128 Name, int Number, long Received, string Protocol);

/// <summary>What is said to a greeting.</summary>
internal enum KeptAnswer : byte
{
    /// <summary>It goes on from where the numbers say.</summary>
    Here = 1,

    /// <summary>There is no such stream, or no more.</summary>
    Gone = 2,

    /// <summary>The protocol is not served.</summary>
    NotServed = 3,
}

/// <summary>What follows greeting and answer, both ways.</summary>
internal enum KeptFrame : byte
{
    /// <summary>So many bytes follow.</summary>
    Data = 1,

    /// <summary>So many bytes were read by their user, the end counted as one. Said every second in any case: it shows that the carrier lives.</summary>
    Taken = 2,

    /// <summary>This side writes no more.</summary>
    End = 3,

    /// <summary>The stream has ended both ways.</summary>
    Reset = 4,

    /// <summary>Nothing more comes on this carrier: who opened it goes on with another.</summary>
    Move = 5,
}
