using System.Text;
using Drap.Core.Market.Allocation;
using Drap.Core.Messages;
using Xunit;

namespace Drap.Core.Tests.Market;

public class LastAnswersTests
{
    [Fact]
    public void Each_worker_is_named_once_with_all_that_it_refused_for()
    {
        GroupAnswer[] answers =
        [
            Refused(2, RefusalReason.TooSmall, "", new Shortage("memory", 10_000_000_000_000, 4L << 30), new Shortage("cpu", 1000, 500)),
            Refused(1, RefusalReason.Constraint, "label ssd"),
            Refused(2, RefusalReason.Constraint, "label gpu"),
            Refused(3, RefusalReason.Busy, "", new Shortage("cpu", 1000, 250)),
            Refused(4, RefusalReason.Price, "") with { Refusal = new RefusalEntry(1, RefusalReason.Price, [], new Price(40_000), "") },
            Refused(5, RefusalReason.Draining, ""),
            Offered(6, ""),
            Offered(7, "above the limit of 0.1/h"),
        ];
        Assert.Equal(
            "w1 (needs label ssd), w2 (memory: needs 9.09 TiB, has 4 GiB; cpu: needs 1 core, has 0.5 cores or needs label gpu), w3 (cpu: needs 1 core, has 0.25 cores free), "
            + "w4 (asks 0.04/h), w5 (draining), w7 (above the limit of 0.1/h)",
            LastAnswers.Say(answers, NameOf));
        Assert.Equal("", LastAnswers.Say([Offered(1, "")], NameOf));
    }

    [Fact]
    public void Those_that_find_no_room_are_counted()
    {
        string said = LastAnswers.Say(Enumerable.Range(1, 200).Select(i => Refused((byte)i, RefusalReason.Constraint, "label ünïcode")), NameOf);
        Assert.InRange(Encoding.UTF8.GetByteCount(said), LastAnswers.BytesMax - 70, LastAnswers.BytesMax);
        int named = said.Split("(needs label").Length - 1;
        Assert.EndsWith($" and {200 - named} more", said, StringComparison.Ordinal);
        Assert.Equal("2 nodes refused", LastAnswers.Say([Refused(1, RefusalReason.Constraint, new string('x', 1000)), Refused(2, RefusalReason.Constraint, "y")], NameOf));
    }

    private static GroupAnswer Refused(byte worker, RefusalReason reason, string detail, params Shortage[] shortages) =>
        new(Peer(worker), Instant.Zero, null, new RefusalEntry(1, reason, [.. shortages], Price.Zero, detail), "");

    private static GroupAnswer Offered(byte worker, string verdict) =>
        new(Peer(worker), Instant.Zero, new OfferEntry { Group = 1, Count = 1, Ask = new Price(1) }, null, verdict);

    private static PeerId Peer(byte number)
    {
        var key = new byte[32];
        key[0] = number;
        return PeerId.FromEd25519(key);
    }

    private static string NameOf(PeerId peer)
    {
        for (byte number = 1; number != 0; number++)
            if (Peer(number) == peer)
                return $"w{number}";
        return "?";
    }
}
