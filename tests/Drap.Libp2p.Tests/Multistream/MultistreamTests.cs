using System.Buffers;
using System.Text;
using Drap.Libp2p.Multistream;
using Xunit;

namespace Drap.Libp2p.Tests.Multistream;

public sealed class MultistreamTests
{
    private const string Header = "\x13/multistream/1.0.0\n";

    private static readonly ProtocolTable Table = new(["/yamux/1.0.0", "/chat/2", "/ünïcode/1"]);

    [Fact]
    public void A_responder_answers_header_and_proposal_at_once_and_leaves_what_follows()
    {
        var output = new ArrayBufferWriter<byte>();
        var responder = new MultistreamResponder(Table.Match);
        byte[] input = Bytes(Header + "\b/chat/2\nhello");
        Assert.Equal(input.Length - 5, responder.Receive(input, output));
        Assert.Equal((MultistreamStatus.Done, "/chat/2"), (responder.Status, responder.Protocol));
        Assert.Equal(Header + "\b/chat/2\n", Text(output));
        Assert.Equal(0, responder.Receive("more"u8, output));
    }

    [Fact]
    public void An_initiator_proposes_until_one_is_taken()
    {
        var output = new ArrayBufferWriter<byte>();
        var initiator = new MultistreamInitiator(["/chat/3", "/chat/2", "/chat/1"]);
        initiator.Start(output);
        Assert.Equal(Header + "\b/chat/3\n", Text(output));
        Assert.False(initiator.MaySend);
        Assert.Equal(24, initiator.Receive(Bytes(Header + "\u0003na\n"), output));
        Assert.Equal("\b/chat/2\n", Text(output));
        Assert.Equal(9, initiator.Receive(Bytes("\b/chat/2\nx"), output));
        Assert.Equal((MultistreamStatus.Done, "/chat/2", true), (initiator.Status, initiator.Protocol, initiator.MaySend));
        Assert.Equal("", Text(output));
    }

    [Fact]
    public void Of_a_single_protocol_data_may_be_sent_before_the_answer()
    {
        var output = new ArrayBufferWriter<byte>();
        var lazy = new MultistreamInitiator("/chat/9");
        lazy.Start(output);
        Assert.True(lazy.MaySend);
        lazy.Receive(Bytes(Header), output);
        Assert.True(lazy.MaySend);
        Assert.Equal(MultistreamStatus.Negotiating, lazy.Status);
        Assert.Equal(4, lazy.Receive(Bytes("\u0003na\n"), output));
        Assert.Equal((MultistreamStatus.Failed, MultistreamError.NotAvailable, false), (lazy.Status, lazy.Error, lazy.MaySend));
    }

    [Theory]
    [InlineData("\x12/multistream/2.0.0", MultistreamError.Malformed)] // no newline
    [InlineData("\x13/multistream/2.0.0\n", MultistreamError.OtherVersion)]
    [InlineData("\u0003na\n", MultistreamError.OtherVersion)]
    [InlineData(Header + "\0", MultistreamError.Malformed)] // an empty message
    [InlineData(Header + "\u0002\u00c3\n", MultistreamError.Malformed)] // not UTF-8
    [InlineData(Header + "\u0081\u0000", MultistreamError.Malformed)] // a length that is not minimal
    [InlineData(Header + "\u0081\b", MultistreamError.TooLong)] // 1025
    [InlineData(Header + "\u00ff\u00ff", MultistreamError.TooLong)] // on its way to something huge
    [InlineData("\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u0001", MultistreamError.TooLong)]
    public void A_responder_fails_on(string latin1, MultistreamError error)
    {
        byte[] input = Encoding.Latin1.GetBytes(latin1);
        foreach (int piece in new[] { input.Length, 1 })
        {
            var responder = new MultistreamResponder(Table.Match);
            var output = new ArrayBufferWriter<byte>();
            for (int i = 0; i < input.Length; i += piece)
                responder.Receive(input.AsSpan(i, Math.Min(piece, input.Length - i)), output);
            Assert.Equal((MultistreamStatus.Failed, error), (responder.Status, responder.Error));
            Assert.Null(responder.Protocol);
        }
    }

    [Theory]
    [InlineData(Header + "\b/chat/1\n", MultistreamError.WrongAnswer)]
    [InlineData(Header + "\u0003ls\n", MultistreamError.WrongAnswer)]
    [InlineData("\b/chat/2\n", MultistreamError.OtherVersion)]
    [InlineData(Header + "\u0081\b", MultistreamError.TooLong)]
    public void An_initiator_fails_on(string latin1, MultistreamError error)
    {
        var initiator = new MultistreamInitiator(["/chat/2", "/chat/1"]);
        var output = new ArrayBufferWriter<byte>();
        initiator.Start(output);
        initiator.Receive(Encoding.Latin1.GetBytes(latin1), output);
        Assert.Equal((MultistreamStatus.Failed, error), (initiator.Status, initiator.Error));
        Assert.False(initiator.MaySend);
    }

    [Fact]
    public void A_responder_refuses_a_list_and_too_many_proposals()
    {
        var responder = new MultistreamResponder(Table.Match);
        var output = new ArrayBufferWriter<byte>();
        responder.Receive(Bytes(Header + "\u0003ls\n"), output);
        Assert.Equal(Header + "\u0003na\n", Text(output));
        for (int i = 1; i < MultistreamResponder.ProposalsMax; i++)
        {
            Assert.Equal(MultistreamStatus.Negotiating, responder.Status);
            responder.Receive(Bytes("\b/chat/x\n"), output);
        }
        Assert.Equal((MultistreamStatus.Failed, MultistreamError.TooManyProposals), (responder.Status, responder.Error));
    }

    [Fact]
    public void The_longest_message_is_a_kibibyte_with_its_newline()
    {
        string longest = "/" + new string('x', 1022);
        var responder = new MultistreamResponder(new ProtocolTable([longest]).Match);
        var initiator = new MultistreamInitiator(longest);
        var (there, back) = (new ArrayBufferWriter<byte>(), new ArrayBufferWriter<byte>());
        initiator.Start(there);
        foreach (byte b in there.WrittenSpan)
            responder.Receive([b], back);
        Assert.Equal(longest, responder.Protocol);
        foreach (byte b in back.WrittenSpan)
            Assert.Equal(1, initiator.Receive([b], there));
        Assert.Equal(MultistreamStatus.Done, initiator.Status);
        Assert.Throws<InvariantException>(() => new MultistreamInitiator(longest + "x"));
        Assert.Throws<InvariantException>(() => new MultistreamInitiator("/a\n"));
    }

    [Fact]
    public void Two_sides_agree_however_the_bytes_are_cut()
    {
        string[] known = ["/a", "/b/1.0.0", "/ünïcode/1", "/yamux/1.0.0", "/chat/2", "/" + new string('l', 300)];
        for (ulong seed = 1; seed <= 500; seed++)
        {
            var random = new Prng(seed);
            string[] proposals = [.. Enumerable.Range(0, 1 + random.Below(4)).Select(_ => known[random.Below(known.Length)])];
            string? expected = proposals.FirstOrDefault(p => Table.Match(p) is not null);
            var initiator = new MultistreamInitiator(proposals);
            var responder = new MultistreamResponder(Table.Match);
            var there = new Wire(random);
            var back = new Wire(random);
            initiator.Start(there.Writer);
            string data = "";
            for (int steps = 0; steps < 10_000; steps++)
            {
                if (initiator.Status == MultistreamStatus.Done && data.Length == 0)
                {
                    data = "data";
                    there.Writer.Write("data"u8);
                }
                ReadOnlySpan<byte> piece = there.Next();
                there.Consume(responder.Receive(piece, back.Writer));
                piece = back.Next();
                back.Consume(initiator.Receive(piece, there.Writer));
                if (initiator.Status == MultistreamStatus.Failed || (responder.Status == MultistreamStatus.Done && there.Rest == "data"))
                    break;
            }
            Assert.True(expected == (initiator.Status == MultistreamStatus.Done ? initiator.Protocol : null), $"seed {seed}");
            Assert.True(expected == responder.Protocol, $"seed {seed}");
            Assert.Equal(expected is null ? "" : "data", there.Rest);
            Assert.Equal("", back.Rest);
        }
    }

    private static byte[] Bytes(string latin1) => Encoding.Latin1.GetBytes(latin1);

    private static string Text(ArrayBufferWriter<byte> output)
    {
        string text = Encoding.Latin1.GetString(output.WrittenSpan);
        output.ResetWrittenCount();
        return text;
    }

    /// <summary>Bytes on their way, read in pieces of random size.</summary>
    private sealed class Wire(Prng random)
    {
        private int read;

        public ArrayBufferWriter<byte> Writer { get; } = new();

        public string Rest => Encoding.Latin1.GetString(Writer.WrittenSpan[read..]);

        public ReadOnlySpan<byte> Next() => Writer.WrittenSpan.Slice(read, random.Below(Math.Min(40, Writer.WrittenCount - read) + 1));

        public void Consume(int bytes) => read += bytes;
    }
}
