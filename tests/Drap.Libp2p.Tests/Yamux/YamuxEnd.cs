using Drap.Libp2p.Yamux;
using Xunit;

namespace Drap.Libp2p.Tests.Yamux;

/// <summary>
/// One end of a session in a test, with the dumbest host there can be: each stream is counters, and each byte follows from its stream's
/// number, its direction and its place, so that whatever is lost, doubled, reordered or mixed up shows.
/// </summary>
internal sealed class YamuxEnd(bool isDialer, YamuxOptions options)
{
    public readonly YamuxSession Session = new(isDialer, options, Instant.Zero);
    public readonly Dictionary<uint, Pipe> Pipes = [];
    public readonly List<byte> Wire = [];
    public Instant Now;
    private readonly byte[] scratch = new byte[64 * 1024 + YamuxHeader.Bytes];

    public sealed class Pipe(YamuxStream stream)
    {
        public readonly YamuxStream Stream = stream;
        public long Written, Received, Read;
        public bool SawEnd, SawReset;
    }

    public Pipe? Open()
    {
        if (Session.TryOpen() is not { } stream)
            return null;
        var pipe = new Pipe(stream);
        stream.Owner = pipe;
        Pipes.Add(stream.Id, pipe);
        return pipe;
    }

    public int Write(Pipe pipe, int bytes)
    {
        if (pipe.Stream.IsReset || pipe.Stream.IsLocalClosed || Session.HasEnded)
            return 0;
        bytes = (int)Math.Min(Math.Min(bytes, 64 * 1024), pipe.Stream.SendWindow);
        if (bytes == 0)
            return 0;
        Session.BeginData(pipe.Stream, bytes, scratch);
        for (int i = 0; i < bytes; i++)
            scratch[YamuxHeader.Bytes + i] = At(pipe.Stream.Id, isDialer, pipe.Written++);
        Wire.AddRange(scratch.AsSpan(0, YamuxHeader.Bytes + bytes));
        return bytes;
    }

    public void Read(Pipe pipe, long bytes)
    {
        bytes = Math.Min(bytes, pipe.Received - pipe.Read);
        pipe.Read += bytes;
        if (bytes > 0 && !pipe.Stream.IsReset)
            Session.Consumed(pipe.Stream, (int)bytes, Now);
    }

    public void Flush()
    {
        while (Session.HasControl)
            Wire.AddRange(scratch.AsSpan(0, Session.WriteControl(scratch, Now)));
    }

    public void Receive(ReadOnlySpan<byte> bytes)
    {
        while (Session.Receive(ref bytes, Now, out YamuxEvent happened))
        {
            Pipe? pipe = (Pipe?)happened.Stream?.Owner;
            switch (happened.Kind)
            {
                case YamuxEventKind.Opened:
                    pipe = new Pipe(happened.Stream!);
                    happened.Stream!.Owner = pipe;
                    Pipes.Add(pipe.Stream.Id, pipe);
                    break;
                case YamuxEventKind.Data:
                    Assert.False(pipe!.SawEnd || pipe.SawReset);
                    foreach (byte b in happened.Data)
                    {
                        if (b != At(pipe.Stream.Id, !isDialer, pipe.Received++))
                            Assert.Fail($"stream {pipe.Stream.Id} is wrong at {pipe.Received - 1}");
                    }
                    break;
                case YamuxEventKind.RemoteClosed:
                    Assert.False(pipe!.SawEnd);
                    pipe.SawEnd = true;
                    break;
                case YamuxEventKind.Reset:
                    Assert.False(pipe!.SawReset);
                    pipe.SawReset = true;
                    break;
                default:
                    break;
            }
        }
        Assert.True(bytes.IsEmpty || Session.HasEnded);
        Session.CheckInvariants();
    }

    private static byte At(uint id, bool fromDialer, long place) => (byte)((id * 131 + (fromDialer ? 7 : 11) + place * 29 + (place >> 8)) & 0xff);
}
