using System.Buffers.Binary;
using System.Collections.Immutable;
using Drap.Core.Nodes;

namespace Drap.Node.Blobs;

/// <summary>What a scheduler's node and those that keep copies of outputs for it say to each other (docs/protocol/blobs.md, SAFE-6).</summary>
internal static class CopyWire
{
    /// <summary>The protocol of the streams: a question and its answer each.</summary>
    public const string Protocol = "/drap/1.0.0/keep";

    /// <summary>What is asked, a job, and how many blobs follow.</summary>
    public const int HeadBytes = 1 + 16 + sizeof(ushort);

    /// <summary>A blob: its CID, and how it is wanted.</summary>
    public const int BlobBytes = Cid.BytesLength + 1;

    /// <summary>Blobs of one question: what one task may leave.</summary>
    public const int BlobsMax = 1024;

    private const byte DurableFlag = 1, PublicFlag = 2;

    /// <summary>A question as bytes.</summary>
    public static byte[] Write(CopyQuestion what, JobId job, ImmutableArray<WantedBlob> blobs)
    {
        byte[] bytes = new byte[HeadBytes + (blobs.Length * BlobBytes)];
        bytes[0] = (byte)what;
        job.Value.TryWriteBytes(bytes.AsSpan(1), bigEndian: true, out _);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(17), (ushort)blobs.Length);
        for (int i = 0; i < blobs.Length; i++)
        {
            Span<byte> to = bytes.AsSpan(HeadBytes + (i * BlobBytes));
            blobs[i].Content.CopyTo(to);
            to[Cid.BytesLength] = (byte)((blobs[i].Durable ? DurableFlag : 0) | (blobs[i].IsPublic ? PublicFlag : 0));
        }
        return bytes;
    }

    /// <summary>Reads the head of a question.</summary>
    /// <exception cref="InvalidDataException">It is none.</exception>
    public static (CopyQuestion What, JobId Job, int Blobs) ReadHead(ReadOnlySpan<byte> head)
    {
        var what = (CopyQuestion)head[0];
        int blobs = BinaryPrimitives.ReadUInt16BigEndian(head[17..]);
        return what is >= CopyQuestion.Keep and <= CopyQuestion.IsWanted && blobs <= BlobsMax
            ? (what, new JobId(new Guid(head[1..17], bigEndian: true)), blobs) : throw new InvalidDataException("a question that is none");
    }

    /// <summary>Reads a blob of a question.</summary>
    /// <exception cref="InvalidDataException">It is none.</exception>
    public static WantedBlob ReadBlob(ReadOnlySpan<byte> bytes) => Cid.TryFromBytes(bytes[..Cid.BytesLength], out Cid cid)
        ? new WantedBlob(cid, (bytes[Cid.BytesLength] & DurableFlag) != 0, (bytes[Cid.BytesLength] & PublicFlag) != 0) : throw new InvalidDataException("a CID that is none");
}

/// <summary>What is asked about copies.</summary>
internal enum CopyQuestion : byte
{
    /// <summary>Of a worker: fetch these from me, and keep them for the job. Answered when they lie there.</summary>
    Keep = 1,

    /// <summary>Of a worker: the job is forgotten.</summary>
    LetGo = 2,

    /// <summary>Of a scheduler's node: is the job still kept?</summary>
    IsWanted = 3,
}
