using Drap.Libp2p.Multiformats;
using Drap.Libp2p.RequestResponse;
using Xunit;
using static Drap.Libp2p.RequestResponse.AnswerTable;

namespace Drap.Libp2p.Tests.RequestResponse;

public sealed class AnswerTableTests
{
    private static readonly PeerId Peer = PeerId.FromEd25519(new byte[32]);

    [Fact]
    public void A_request_is_done_once_waited_for_answered_again_and_forgotten_when_it_is_settled()
    {
        var table = new AnswerTable(new RequestOptions());
        Assert.Equal(Verdict.Do, Ask(table, 1, 1, out Answer? first));
        Assert.Equal(Verdict.Wait, Ask(table, 1, 1, out Answer? again));
        Assert.Same(first, again);
        Assert.Equal(Verdict.Do, Ask(table, 2, 1, out Answer? second));
        table.Complete(first!, ResponseStatus.Answered, new byte[10]);
        Assert.Equal(Verdict.Answered, Ask(table, 1, 1, out again));
        Assert.Equal(10, again!.Body!.Value.Length);
        Assert.Equal(10, table.AnswerBytes);
        Assert.Equal(Verdict.Do, Ask(table, 3, 2, out _));
        Assert.Equal(0, table.AnswerBytes);
        Assert.Equal(Verdict.Gone, Ask(table, 1, 1, out _));
        // Settled while it is under way: nobody will come for the answer.
        Assert.Equal(Verdict.Do, Ask(table, 4, 4, out _));
        table.Complete(second!, ResponseStatus.Failed, new byte[10]);
        Assert.Equal(0, table.AnswerBytes);
        // Another session, and another peer, are somebody else.
        Assert.Equal(Verdict.Do, table.Ask(Peer, new RequestHeader(8, 1, 1, 0), Instant.Zero, out _));
        Assert.Equal(Verdict.Do, table.Ask(PeerId.FromEd25519([.. new byte[31], 1]), new RequestHeader(7, 1, 1, 0), Instant.Zero, out _));
    }

    [Fact]
    public void Its_bounds_hold()
    {
        var table = new AnswerTable(new RequestOptions { AnswersPerSessionMax = 3, SessionsMax = 2, AnswerBytesMax = 100 });
        for (long n = 1; n <= 3; n++)
        {
            Assert.Equal(Verdict.Do, Ask(table, n, 1, out Answer? answer));
            table.Complete(answer!, ResponseStatus.Answered, new byte[30]);
        }
        Assert.Equal(Verdict.Busy, Ask(table, 4, 1, out _));
        Assert.Equal(Verdict.Do, Ask(table, 4, 2, out Answer? fourth));
        table.Complete(fourth!, ResponseStatus.Answered, new byte[41]);
        // 101 bytes were too many; the oldest session, the only one, forgot its answers and still knows that they were given.
        Assert.Equal(0, table.AnswerBytes);
        Assert.Equal(Verdict.Gone, Ask(table, 3, 2, out _));
        table.Ask(Peer, new RequestHeader(8, 1, 1, 0), Instant.Zero, out Answer? other);
        table.Ask(Peer, new RequestHeader(9, 1, 1, 0), Instant.Zero, out _);
        Assert.Equal(2, table.SessionCount);
        // Session 7 was heard longest ago.
        Assert.Equal(Verdict.Wait, table.Ask(Peer, new RequestHeader(8, 1, 1, 0), Instant.Zero, out _));
        table.Complete(other!, ResponseStatus.Answered, new byte[1]);
        table.Ask(Peer, new RequestHeader(10, 1, 1, 0), Instant.Zero + TimeSpan.FromMinutes(3), out _);
        Assert.Equal((2, 0), (table.SessionCount, (int)table.AnswerBytes));
    }

    [Fact]
    public void However_many_were_answered_above_it_the_oldest_request_is_taken()
    {
        var table = new AnswerTable(new RequestOptions { AnswersPerSessionMax = 3 });
        Assert.Equal(Verdict.Do, Ask(table, 3, 1, out _));
        Assert.Equal(Verdict.Do, Ask(table, 2, 1, out _));
        Assert.Equal(Verdict.Busy, Ask(table, 4, 1, out _));
        Assert.Equal(Verdict.Do, Ask(table, 1, 1, out _));
    }

    [Fact]
    public void A_new_asker_waits_while_all_sessions_have_something_under_way()
    {
        var table = new AnswerTable(new RequestOptions { SessionsMax = 1 });
        Assert.Equal(Verdict.Do, Ask(table, 1, 1, out Answer? answer));
        Assert.Equal(Verdict.Busy, table.Ask(Peer, new RequestHeader(8, 1, 1, 0), Instant.Zero, out _));
        table.Complete(answer!, ResponseStatus.Answered, default);
        Assert.Equal(Verdict.Do, table.Ask(Peer, new RequestHeader(8, 1, 1, 0), Instant.Zero, out _));
    }

    [Fact]
    public void Numbers_are_settled_in_any_order()
    {
        var numbers = new SettledNumbers();
        long[] taken = [.. Enumerable.Range(0, 5).Select(_ => numbers.Take())];
        Assert.Equal([1, 2, 3, 4, 5], taken);
        numbers.Settle(3);
        numbers.Settle(2);
        Assert.Equal((1, 3), (numbers.Settled, numbers.UnderWay));
        numbers.Settle(1);
        Assert.Equal(4, numbers.Settled);
        numbers.Settle(4);
        numbers.Settle(5);
        Assert.Equal((6, 6, 0), (numbers.Settled, numbers.Next, numbers.UnderWay));
        var options = new RequestOptions { UnderWayMax = 2, AnswersPerSessionMax = 4 };
        numbers.Take();
        Assert.True(numbers.CanTake(options));
        numbers.Take();
        Assert.False(numbers.CanTake(options));
        for (int i = 0; i < 2; i++)
        {
            numbers.Settle(7 + i);
            Assert.True(numbers.CanTake(options));
            numbers.Take();
        }
        numbers.Settle(9);
        // The oldest is three behind the next already.
        Assert.False(numbers.CanTake(options));
        numbers.Settle(6);
        Assert.True(numbers.CanTake(options));
    }

    [Fact]
    public void Waits_double_and_are_drawn_from_their_upper_half()
    {
        var options = new RequestOptions();
        var random = new Prng(5);
        double[] seconds = [.. Enumerable.Range(1, 40).Select(n => options.WaitAfter(n, random).TotalSeconds)];
        for (int n = 1; n <= 40; n++)
        {
            double full = Math.Min(10, 0.1 * Math.Pow(2, n - 1));
            Assert.InRange(seconds[n - 1], full / 2 - 1e-6, full + 1e-6);
        }
        Assert.True(seconds.Distinct().Count() > 30);
    }

    [Theory]
    [InlineData(0x0102030405060708, 1, 1, 0)]
    [InlineData(ulong.MaxValue, long.MaxValue, long.MaxValue, 1 << 20)]
    [InlineData(0, 300, 299, 200)]
    public void Headers_read_back_and_wait_for_what_is_cut(ulong session, long number, long settled, int length)
    {
        var header = new RequestHeader(session, number, settled, length);
        byte[] bytes = new byte[RequestHeader.BytesMax];
        int written = header.Write(bytes);
        Assert.Equal(VarintStatus.Done, RequestHeader.TryRead(bytes, 1 << 20, out RequestHeader back, out int consumed));
        Assert.Equal((header, written), (back, consumed));
        for (int cut = 0; cut < written; cut++)
            Assert.Equal(VarintStatus.Incomplete, RequestHeader.TryRead(bytes.AsSpan(0, cut), 1 << 20, out _, out _));
        if (length > 0)
            Assert.Equal(VarintStatus.Malformed, RequestHeader.TryRead(bytes, length - 1, out _, out _));
    }

    [Theory]
    [InlineData("0000000000000000" + "00" + "00" + "00")] // number 0
    [InlineData("0000000000000000" + "01" + "02" + "00")] // settled above its own number
    [InlineData("0000000000000000" + "01" + "01" + "ffffffffffffffff7f")] // a body of 2^63 - 1
    [InlineData("0000000000000000" + "ffffffffffffffffff01")] // a varint too long
    public void What_is_no_request_is_refused(string hex) =>
        Assert.Equal(VarintStatus.Malformed, RequestHeader.TryRead(Convert.FromHexString(hex), 1 << 20, out _, out _));

    [Fact]
    public void Response_headers_read_back()
    {
        byte[] bytes = new byte[ResponseHeader.BytesMax];
        int written = new ResponseHeader(ResponseStatus.Gone, 70_000).Write(bytes);
        Assert.Equal(VarintStatus.Done, ResponseHeader.TryRead(bytes, 70_000, out ResponseHeader back, out int consumed));
        Assert.Equal((new ResponseHeader(ResponseStatus.Gone, 70_000), written), (back, consumed));
        Assert.Equal(VarintStatus.Malformed, ResponseHeader.TryRead(bytes, 69_999, out _, out _));
        Assert.Equal(VarintStatus.Malformed, ResponseHeader.TryRead([4, 0], 10, out _, out _));
    }

    private static Verdict Ask(AnswerTable table, long number, long settled, out Answer? answer) =>
        table.Ask(Peer, new RequestHeader(7, number, settled, 0), Instant.Zero, out answer);
}
