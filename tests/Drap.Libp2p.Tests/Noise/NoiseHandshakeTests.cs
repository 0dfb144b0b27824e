using System.Buffers;
using System.Buffers.Binary;
using Drap.Libp2p.Keys;
using Drap.Libp2p.Noise;
using Drap.Libp2p.Protobuf;
using Drap.Libp2p.Tests.Keys;
using Xunit;

namespace Drap.Libp2p.Tests.Noise;

public sealed class NoiseHandshakeTests
{
    private const string Yamux = "/yamux/1.0.0", Mplex = "/mplex/6.7.0";

    private static readonly PrivateKey Alice = PrivateKey.FromSeed(Bytes(1)), Bob = PrivateKey.FromSeed(Bytes(2));

    public static TheoryData<string> IdentityKeys =>
        [KeyVectors.Ed25519Private, KeyVectors.Secp256k1Private, KeyVectors.EcdsaPrivate, KeyVectors.RsaPrivate];

    [Theory, MemberData(nameof(IdentityKeys))]
    public void Both_learn_who_the_other_is_with_every_kind_of_key(string hex)
    {
        Assert.True(PrivateKey.TryDecode(Convert.FromHexString(hex), out PrivateKey? key));
        using var pair = new Pair(new NoiseIdentity(key, Bytes(3), [Yamux]), new NoiseIdentity(Bob, Bytes(4), [Yamux]), Bob.PeerId);
        pair.Run();
        Assert.True(pair.Dialer.IsDone && pair.Listener.IsDone, $"{pair.Dialer.Error} {pair.Listener.Error}");
        Assert.Equal(Bob.PublicKey, pair.Dialer.RemoteKey);
        Assert.Equal(key.PublicKey, pair.Listener.RemoteKey);
        Assert.Equal((Yamux, Yamux), (pair.Dialer.Muxer, pair.Listener.Muxer));
        pair.Converse();
    }

    [Theory]
    [InlineData("", "", null)]
    [InlineData(Yamux, "", null)]
    [InlineData("", Yamux, null)]
    [InlineData(Yamux, Yamux, Yamux)]
    [InlineData($"{Yamux} {Mplex}", $"{Mplex} {Yamux}", Yamux)] // the specification's example: the initiator's order counts
    [InlineData($"{Mplex} {Yamux}", Yamux, Yamux)]
    [InlineData($"/a /b {Mplex} {Yamux}", $"/c {Yamux} {Mplex}", Mplex)]
    public void The_muxer_is_the_first_of_the_initiator_s_that_both_have(string dialer, string listener, string? muxer)
    {
        using var pair = new Pair(Identity(Alice, 3, dialer), Identity(Bob, 4, listener), Bob.PeerId);
        pair.Run();
        Assert.True(pair.Dialer.IsDone && pair.Listener.IsDone);
        Assert.Equal((muxer, muxer), (pair.Dialer.Muxer, pair.Listener.Muxer));
    }

    [Fact]
    public void Without_a_common_muxer_there_is_no_connection()
    {
        using var pair = new Pair(Identity(Alice, 3, Yamux), Identity(Bob, 4, Mplex), Bob.PeerId);
        pair.Run();
        Assert.Equal((NoiseStatus.Failed, NoiseError.NoCommonMuxer), (pair.Dialer.Status, pair.Dialer.Error));
        Assert.Equal(NoiseStatus.Shaking, pair.Listener.Status); // it hears no more
        Assert.Null(pair.Dialer.RemoteKey);
    }

    [Fact]
    public void Somebody_else_than_expected_is_refused_by_either_side()
    {
        using var dialed = new Pair(Identity(Alice, 3, Yamux), Identity(Bob, 4, Yamux), Alice.PeerId);
        dialed.Run();
        Assert.Equal((NoiseStatus.Failed, NoiseError.WrongPeer), (dialed.Dialer.Status, dialed.Dialer.Error));
        Assert.Null(dialed.Dialer.RemoteKey);
        Assert.Null(dialed.Dialer.Transport);

        using var heard = new Pair(Identity(Alice, 3, Yamux), Identity(Bob, 4, Yamux), Bob.PeerId, callerExpected: Bob.PeerId);
        heard.Run();
        Assert.Equal(NoiseStatus.Done, heard.Dialer.Status); // it cannot know yet
        Assert.Equal((NoiseStatus.Failed, NoiseError.WrongPeer), (heard.Listener.Status, heard.Listener.Error));
    }

    [Fact]
    public void The_bytes_may_come_one_by_one_and_what_follows_is_left()
    {
        using var pair = new Pair(Identity(Alice, 3, Yamux), Identity(Bob, 4, Yamux), Bob.PeerId);
        pair.Run(piece: 1);
        Assert.True(pair.Dialer.IsDone && pair.Listener.IsDone);
        pair.Converse();

        using var again = new Pair(Identity(Alice, 3, Yamux), Identity(Bob, 4, Yamux), Bob.PeerId);
        var (there, back) = (new ArrayBufferWriter<byte>(), new ArrayBufferWriter<byte>());
        again.Dialer.Start(there);
        again.Listener.Receive(there.WrittenSpan, back);
        there.ResetWrittenCount();
        again.Dialer.Receive(back.WrittenSpan, there);
        byte[] frame = new byte[3 + NoiseTransport.OverheadBytes];
        again.Dialer.Transport!.Encrypt("hey"u8, frame);
        byte[] last = [.. there.WrittenSpan, .. frame];
        Assert.Equal(there.WrittenCount, again.Listener.Receive(last, back));
        Assert.Equal(0, again.Listener.Receive(frame, back));
        Assert.Equal(NoiseFrameStatus.Done, again.Listener.Transport!.Decrypt(frame, out int consumed, out Span<byte> plaintext));
        Assert.Equal(frame.Length, consumed);
        Assert.Equal("hey"u8, plaintext);
    }

    [Theory]
    [InlineData(0), InlineData(1), InlineData(2)]
    public void A_message_that_is_cut_or_bent_at_any_place_makes_no_connection(int number)
    {
        int length = Recorded(number).Length;
        for (int i = 2; i < length; i++)
        {
            // Cut, with a length that says so.
            byte[] cut = Recorded(number)[..i];
            BinaryPrimitives.WriteUInt16BigEndian(cut, (ushort)(i - 2));
            AssertNoConnection(number, cut, i < 34 || number > 0);
            // A bit turned, which in the first message only shows later.
            byte[] bent = Recorded(number);
            bent[i] ^= 0x40;
            AssertNoConnection(number, bent, number > 0);
        }
        AssertNoConnection(number, [0, 0], true);
        Assert.Equal(NoiseError.TooLong, AssertNoConnection(number, [0x20, 0x01], true));
        Assert.Equal(NoiseError.TooLong, AssertNoConnection(number, [0xff, 0xff, 0x00], true));
    }

    [Theory]
    [InlineData("0000000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("0100000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")]
    [InlineData("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")]
    [InlineData("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff")]
    public void A_point_of_small_order_is_refused(string hex)
    {
        byte[] point = Convert.FromHexString(hex);
        Assert.Equal(NoiseError.BadPoint, AssertNoConnection(0, [0, 32, .. point], true));
        byte[] second = Recorded(1);
        point.CopyTo(second, 2);
        Assert.Equal(NoiseError.BadPoint, AssertNoConnection(1, second, true));
    }

    [Fact]
    public void The_payload_must_be_signed_by_the_key_in_it()
    {
        using var noise = new X25519Key(Bytes(9));
        byte[] key = Alice.PublicKey.Encoded.ToArray();
        byte[] good = Alice.Sign([.. "noise-libp2p-static-key:"u8, .. noise.PublicKey]);
        Assert.Equal(NoiseError.None, Played(noise, key, good));
        Assert.Equal(NoiseError.BadSignature, Played(noise, Bob.PublicKey.Encoded.ToArray(), good));
        Assert.Equal(NoiseError.BadSignature, Played(noise, key, Alice.Sign([.. "noise-libp2p-static-key"u8, .. noise.PublicKey])));
        Assert.Equal(NoiseError.BadSignature, Played(noise, key, Alice.Sign([.. "noise-libp2p-static-key:"u8, .. Bytes(9)])));
        Assert.Equal(NoiseError.BadSignature, Played(noise, key, []));
        Assert.Equal(NoiseError.BadPayload, Played(noise, [], good));
        Assert.Equal(NoiseError.BadPayload, Played(noise, [.. key, 1], good));
        using var other = new X25519Key(Bytes(10)); // whoever learnt the payload has not the Noise key
        Assert.Equal(NoiseError.BadSignature, Played(other, key, good));
    }

    [Fact]
    public void A_frame_is_refused_if_bent_cut_repeated_or_without_a_tag_and_then_nothing_more_is_read()
    {
        byte[] frame = new byte[5 + NoiseTransport.OverheadBytes];
        for (int i = 0; i < frame.Length; i++)
        {
            using Pair pair = Connected();
            pair.Dialer.Transport!.Encrypt("hello"u8, frame);
            byte[] bent = [.. frame];
            bent[i] ^= 1;
            // 21 became 277, of which more could come, or 20.
            NoiseFrameStatus expected = i == 0 ? NoiseFrameStatus.Incomplete : NoiseFrameStatus.Broken;
            Assert.Equal(expected, pair.Listener.Transport!.Decrypt(bent, out int consumed, out _));
            Assert.Equal(0, consumed);
            if (expected == NoiseFrameStatus.Broken)
                Assert.Equal(NoiseFrameStatus.Broken, pair.Listener.Transport!.Decrypt([.. frame], out _, out _));
        }
        for (int i = 0; i < frame.Length; i++)
        {
            using Pair pair = Connected();
            pair.Dialer.Transport!.Encrypt("hello"u8, frame);
            Assert.Equal(NoiseFrameStatus.Incomplete, pair.Listener.Transport!.Decrypt(frame.AsSpan(0, i), out int none, out _));
            Assert.Equal(0, none);
            Assert.Equal(i < 2 ? 2 : frame.Length, NoiseTransport.FrameBytes(frame.AsSpan(0, i)));
            Assert.Equal(NoiseFrameStatus.Done, pair.Listener.Transport!.Decrypt([.. frame], out int consumed, out _));
            Assert.Equal(frame.Length, consumed);
            Assert.Equal(NoiseFrameStatus.Broken, pair.Listener.Transport!.Decrypt([.. frame], out _, out _)); // a replay
        }
        using Pair last = Connected();
        Assert.Equal(NoiseFrameStatus.Broken, last.Listener.Transport!.Decrypt(new byte[] { 0, 15 }, out _, out _));
    }

    [Fact]
    public void The_last_number_ends_the_connection()
    {
        byte[] frame = new byte[1 + NoiseTransport.OverheadBytes];
        using var sender = new NoiseTransport(new CipherState(Bytes(1), ulong.MaxValue - 1), new CipherState(Bytes(2)));
        using var receiver = new NoiseTransport(new CipherState(Bytes(2)), new CipherState(Bytes(1), ulong.MaxValue - 1));
        Assert.Equal(frame.Length, sender.Encrypt([7], frame));
        Assert.Equal(NoiseFrameStatus.Done, receiver.Decrypt([.. frame], out _, out Span<byte> plaintext));
        Assert.Equal("\u0007"u8, plaintext);
        Assert.Equal(0, sender.Encrypt([7], frame));
        Assert.Equal(NoiseFrameStatus.Broken, receiver.Decrypt(frame, out _, out _));
    }

    [Fact]
    public void A_frame_allocates_nothing()
    {
        using Pair pair = Connected();
        byte[] buffer = new byte[NoiseTransport.FrameBytesMax];
        foreach (int length in new[] { 0, 12, 1400, NoiseTransport.PlaintextBytesMax })
        {
            Round(pair, buffer, length); // what is made at first use
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 100; i++)
                Round(pair, buffer, length);
            Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        static void Round(Pair pair, byte[] buffer, int length)
        {
            // Encrypted where it lies, decrypted where it lies.
            int frame = pair.Dialer.Transport!.Encrypt(buffer.AsSpan(2, length), buffer);
            Assert.True(pair.Listener.Transport!.Decrypt(buffer.AsSpan(0, frame), out int consumed, out Span<byte> plaintext) == NoiseFrameStatus.Done);
            Assert.True(consumed == frame && plaintext.Length == length);
        }
    }

    // What a responder finds in a handshake whose initiator signs what it likes.
    private static NoiseError Played(X25519Key noise, byte[] key, byte[] signature)
    {
        using var listener = NoiseHandshake.Listen(Identity(Bob, 4, ""), Bytes(6));
        using var rogue = new XxHandshake(true, noise, new X25519Key(Bytes(5)), []);
        var output = new ArrayBufferWriter<byte>();
        byte[] message = new byte[2048];
        rogue.Write([], message.AsSpan(2), out int length);
        BinaryPrimitives.WriteUInt16BigEndian(message, (ushort)length);
        listener.Receive(message.AsSpan(0, 2 + length), output);
        Assert.Equal(NoiseError.None, rogue.Read(output.WrittenSpan[2..], message, out _));
        var payload = new ProtoWriter();
        payload.Bytes(1, key);
        payload.Bytes(2, signature);
        rogue.Write(payload.Written, message.AsSpan(2), out length);
        BinaryPrimitives.WriteUInt16BigEndian(message, (ushort)length);
        listener.Receive(message.AsSpan(0, 2 + length), output);
        Assert.Equal(listener.Error == NoiseError.None, listener.IsDone);
        return listener.Error;
    }

    // The messages of one handshake, always the same since all its keys are.
    private static byte[] Recorded(int number)
    {
        using var pair = new Pair(Identity(Alice, 3, Yamux), Identity(Bob, 4, Yamux), Bob.PeerId);
        pair.Run();
        return pair.Messages[number];
    }

    // Gives one side a bad message in the place of the numbered one; it, or at the latest the other, must fail.
    private static NoiseError AssertNoConnection(int number, byte[] bad, bool atOnce)
    {
        using var pair = new Pair(Identity(Alice, 3, Yamux), Identity(Bob, 4, Yamux), Bob.PeerId);
        var output = new ArrayBufferWriter<byte>();
        NoiseHandshake victim = number == 1 ? pair.Dialer : pair.Listener;
        if (number == 1)
            pair.Dialer.Start(output);
        if (number == 2)
            pair.Listener.Receive(Recorded(0), output);
        output.ResetWrittenCount();
        victim.Receive(bad, output);
        if (atOnce)
            Assert.Equal(NoiseStatus.Failed, victim.Status);
        if (victim.Status == NoiseStatus.Shaking && output.WrittenCount > 0)
        {
            var nothing = new ArrayBufferWriter<byte>();
            pair.Dialer.Start(nothing);
            pair.Dialer.Receive(output.WrittenSpan, nothing);
            Assert.Equal((NoiseStatus.Failed, NoiseError.Undecryptable), (pair.Dialer.Status, pair.Dialer.Error));
        }
        Assert.False(victim.IsDone);
        Assert.Null(victim.Transport);
        return victim.Error;
    }

    private static Pair Connected()
    {
        var pair = new Pair(Identity(Alice, 3, Yamux), Identity(Bob, 4, Yamux), Bob.PeerId);
        pair.Run();
        Assert.True(pair.Dialer.IsDone && pair.Listener.IsDone);
        return pair;
    }

    private static NoiseIdentity Identity(PrivateKey key, byte noise, string muxers) =>
        new(key, Bytes(noise), muxers.Split(' ', StringSplitOptions.RemoveEmptyEntries));

    private static byte[] Bytes(byte value) => [.. Enumerable.Repeat(value, 32)];

    private sealed class Pair(NoiseIdentity dialer, NoiseIdentity listener, PeerId expected, PeerId? callerExpected = null) : IDisposable
    {
        public NoiseHandshake Dialer { get; } = NoiseHandshake.Dial(dialer, Bytes(5), expected);

        public NoiseHandshake Listener { get; } = NoiseHandshake.Listen(listener, Bytes(6), callerExpected);

        public List<byte[]> Messages { get; } = [];

        public void Run(int piece = int.MaxValue)
        {
            var (there, back) = (new ArrayBufferWriter<byte>(), new ArrayBufferWriter<byte>());
            Dialer.Start(there);
            for (int turn = 0; turn < 4 && there.WrittenCount + back.WrittenCount > 0; turn++)
            {
                (ArrayBufferWriter<byte> from, ArrayBufferWriter<byte> to, NoiseHandshake reader) = turn % 2 == 0 ? (there, back, Listener) : (back, there, Dialer);
                byte[] bytes = from.WrittenSpan.ToArray();
                Messages.Add(bytes);
                from.ResetWrittenCount();
                for (int i = 0; i < bytes.Length; i += Math.Min(piece, bytes.Length))
                {
                    int length = Math.Min(piece, bytes.Length - i);
                    Assert.Equal(length, reader.Receive(bytes.AsSpan(i, length), to));
                }
            }
        }

        public void Converse()
        {
            foreach ((NoiseTransport from, NoiseTransport to) in new[] { (Dialer.Transport!, Listener.Transport!), (Listener.Transport!, Dialer.Transport!) })
            {
                for (int length = 0; length <= NoiseTransport.PlaintextBytesMax; length = length == 0 ? 1 : length < 65000 ? length * 3 : length + 1000)
                {
                    byte[] data = new byte[length];
                    data.AsSpan().Fill((byte)length);
                    byte[] frame = new byte[length + NoiseTransport.OverheadBytes];
                    Assert.Equal(frame.Length, from.Encrypt(data, frame));
                    Assert.Equal(NoiseFrameStatus.Done, to.Decrypt([.. frame, 1, 2, 3], out int consumed, out Span<byte> plaintext));
                    Assert.Equal(frame.Length, consumed);
                    Assert.Equal(data, plaintext);
                }
            }
        }

        public void Dispose()
        {
            Dialer.Transport?.Dispose();
            Listener.Transport?.Dispose();
            Dialer.Dispose();
            Listener.Dispose();
        }
    }
}
