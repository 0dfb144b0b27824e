using Drap.Core.Messages;
using Xunit;

namespace Drap.Core.Tests.Market;

/// <summary>What is advertised, when, and what it costs to know; against a demand that is only numbers.</summary>
public sealed class AllocatorTests
{
    private static readonly PeerId Worker = TestMarket.Worker;

    [Fact]
    public void A_step_looks_at_what_changed_however_many_wait()
    {
        var market = new TestMarket(seed: 1, [Worker]) { ChecksInvariants = false };
        for (int i = 0; i < 20_000; i++)
            market.Open(wanted: 10);
        // Until all are called patient, which happens to each once.
        market.Run(TimeSpan.FromSeconds(15));
        long before = market.Allocator.Looks;
        for (int step = 0; step < 500; step++)
        {
            // A place frees at a worker, which offers it to a group that stands; a task of another ends; a third gets one more task.
            market.Take(market.Named()[0], count: 1);
            market.Wake(20_000 - step, wanted: 11);
            market.Run(TimeSpan.FromMilliseconds(1));
        }
        // Two of each step: the one that got a place, and the one that wants more. Beside them those that are named each second.
        Assert.InRange(market.Allocator.Looks - before, 1000, 1000 + BeyondMax * 2);
    }

    [Fact]
    public void The_first_stand_with_the_workers_and_the_next_follow_when_they_are_served()
    {
        var market = new TestMarket(seed: 2, [Worker]);
        for (int i = 0; i < 2_000; i++)
            market.Open(wanted: 1);
        market.Run(TimeSpan.FromMilliseconds(500));
        Assert.Equal(Enumerable.Range(1, 512), market.Named());
        for (int group = 1; group <= 127; group++)
            market.Take(group, 1);
        market.Run(TimeSpan.FromMilliseconds(200));
        Assert.Equal(Enumerable.Range(128, 385), market.Named());
        market.Take(128, 1);
        market.Take(129, 1);
        market.Run(TimeSpan.FromMilliseconds(200));
        Assert.Equal(Enumerable.Range(130, 512), market.Named());
        // Nobody takes one: the next are named all the same, a few each second.
        market.Run(TimeSpan.FromSeconds(10));
        Assert.InRange(market.Named().Count, 512 + 6 * BeyondMax, 512 + 10 * BeyondMax);
        Assert.Equal(Enumerable.Range(130, market.Named().Count), market.Named());
        Assert.InRange(market.AdsWithin(TimeSpan.FromSeconds(10)), 6, 20);
    }

    [Fact]
    public void What_no_worker_can_ever_take_keeps_nobody_from_the_market()
    {
        var market = new TestMarket(seed: 3, [Worker]);
        for (int i = 0; i < 600; i++)
            market.Open(wanted: 1);
        market.Run(TimeSpan.FromMilliseconds(100), refuse: RefusalReason.TooSmall);
        market.Run(TimeSpan.FromSeconds(1), refuse: RefusalReason.TooSmall);
        market.Clear();
        int small = market.Open(wanted: 1);
        market.Run(TimeSpan.Zero);
        Assert.Equal([small], market.Named());
    }

    [Fact]
    public void A_refused_confirmation_is_advertised_again_soon_and_later_each_time()
    {
        var market = new TestMarket(seed: 4, [Worker]);
        int group = market.Open(wanted: 1);
        market.Run(TimeSpan.FromMilliseconds(70));
        var waits = new List<double>();
        for (int i = 0; i < 6; i++)
        {
            market.Take(group, 1);
            market.Run(TimeSpan.FromMilliseconds(10));
            market.Clear();
            Instant refused = market.Now;
            market.Wanted[group] = 1;
            market.Allocator.Wake(group);
            market.Allocator.Refused(group, market.Now);
            while (market.Named().Count == 0)
                market.Run(TimeSpan.FromMilliseconds(1));
            waits.Add((market.Now - refused).TotalMilliseconds);
        }
        double[] least = [100, 200, 400, 800, 1000, 1000];
        for (int i = 0; i < least.Length; i++)
            Assert.InRange(waits[i], least[i] - 1, Math.Min(least[i] * 1.5, 1250) + 1);
        // One that was taken ends that.
        market.Take(group, 1);
        market.Allocator.Acknowledged(group);
        market.Run(TimeSpan.FromMilliseconds(10));
        market.Clear();
        market.Wanted[group] = 1;
        market.Allocator.Refused(group, market.Now);
        market.Run(TimeSpan.FromMilliseconds(151));
        Assert.Equal([group], market.Named());
    }

    [Fact]
    public void Nothing_is_called_for_that_has_just_been_given()
    {
        var market = new TestMarket(seed: 5, [Worker]);
        int group = market.Open(wanted: 3);
        market.Run(TimeSpan.FromSeconds(5));
        market.Clear();
        market.Take(group, 1);
        market.Run(TimeSpan.FromSeconds(2));
        Assert.Empty(market.Named());
    }

    /// <summary>Whatever happens in whatever order: who wants places stands with the workers before long, with the right count, and who wants none is left alone.</summary>
    [Theory]
    [InlineData(10)]
    [InlineData(11)]
    [InlineData(12)]
    [InlineData(13)]
    public void All_that_want_places_are_named_in_time(ulong seed)
    {
        var prng = new Prng(seed);
        var market = new TestMarket(seed, [Worker]);
        for (int step = 0; step < 3_000; step++)
        {
            int group = market.Wanted.Count == 0 ? 0 : 1 + prng.Below(market.Wanted.Count);
            switch (prng.Below(8))
            {
                case 0 when market.Wanted.Count < 300:
                    market.Open(wanted: prng.Below(4), priority: prng.Below(3));
                    break;
                case 1 or 2 when group > 0 && market.Wanted[group] >= 0:
                    market.Wake(group, prng.Below(5));
                    break;
                case 3 when group > 0 && market.Wanted[group] > 0:
                    market.Take(group, 1 + prng.Below(market.Wanted[group]));
                    break;
                case 4 when group > 0 && prng.Below(10) == 0 && market.Wanted[group] >= 0:
                    market.Retire(group);
                    break;
                case 5 when group > 0 && market.Wanted[group] >= 0:
                    market.Allocator.Returned(group);
                    break;
                case 6 when group > 0 && market.Wanted[group] >= 0:
                    market.Allocator.SetTerms(group, TestMarket.Terms(priority: prng.Below(3), Instant.Zero));
                    break;
                case 7:
                    market.Run(TimeSpan.FromMilliseconds(prng.Below(200)));
                    break;
            }
        }
        market.Clear();
        // All within its two seconds of jitter and windows, or they stand for 30 s already.
        market.Run(TimeSpan.FromSeconds(31));
        for (int group = 1; group <= market.Wanted.Count; group++)
            Assert.True(market.Wanted[group] <= 0 != market.LastNamed.ContainsKey(group), $"seed {seed}: group {group} wants {market.Wanted[group]}");
        foreach ((int group, int count) in market.LastNamed)
            Assert.Equal(market.Wanted[group], count);
    }

    /// <summary>Named beyond those that may stand, each second.</summary>
    private const int BeyondMax = 64;

    private static PeerId Peer(byte number) => TestMarket.Peer(number);

    /// <summary>An allocator, the demand that it asks, and workers that only listen, or refuse.</summary>
    [Fact]
    public void Lines_share_half_of_what_is_left_and_last_a_round_at_least()
    {
        PeerId other = Peer(2);
        var market = new TestMarket(seed: 8, [Worker, other]);
        int group = market.Open(wanted: 100);
        market.Run(TimeSpan.FromMilliseconds(200));
        market.Take(group, 1);
        market.Take(group, 1, other);
        market.Run(TimeSpan.Zero);
        market.Allocator.Placed(group, Worker, 1);
        market.Allocator.Placed(group, other, 1);
        // Both are between two tasks, so nobody is active; a quarter of what is left is the share of who asks first all the same.
        market.Allocator.Ended(group, Worker, TimeSpan.FromMilliseconds(0.5));
        market.Allocator.Ended(group, other, TimeSpan.FromMilliseconds(0.5));
        Assert.Equal(1 + 24, Given(1));
        market.Allocator.Placed(group, Worker, 25);
        Assert.Equal(0 + 18, Given(0));
        // At the end six, which last 3 ms, and then what there is.
        market.Wake(group, wanted: 9);
        Assert.Equal(6, Given(0));
        Assert.Equal(3, Given(0));

        int Given(int places)
        {
            int before = market.Wanted[group];
            market.Take(group, places, backlog: 1000);
            market.Run(TimeSpan.Zero);
            return before - market.Wanted[group];
        }
    }

    [Fact]
    public void Who_serves_a_job_is_told_at_once_and_all_hear_the_same_ad_in_its_turn()
    {
        (TestMarket market, int group, PeerId[] workers) = Serving(members: 6, serving: 3);
        market.Wake(group, wanted: 1);
        market.Run(TimeSpan.Zero);
        // The two that got a task last; the others hear nothing yet.
        Assert.Equal([workers[2], workers[1]], market.Told.Select(t => t.Worker));
        Ad told = Assert.Single(market.Told.Select(t => t.Ad).Distinct());
        Assert.Equal(6, told.Audience);
        Assert.Equal(1000, told.AnswerPermille);
        Assert.Empty(market.Named());
        foreach (PeerId worker in workers[1..3])
            market.Refuse(worker, told, RefusalReason.Busy);
        Instant waited = market.Now + TimeSpan.FromMilliseconds(1250);
        while (market.Named().Count == 0 && market.Now < waited)
            market.Run(TimeSpan.FromMilliseconds(1));
        Assert.Equal([group], market.Named());
        Assert.Same(told, market.LastAd);
        Assert.Equal(2, market.Told.Count);
        // Its window waits for those who had not been asked, and its offers are decided on with the last.
        market.Take(group, 1, workers[5]);
        market.Run(TimeSpan.Zero);
        Assert.Equal(1, market.Wanted[group]);
        foreach (PeerId worker in (PeerId[])[workers[0], workers[3], workers[4]])
            market.Refuse(worker, told, RefusalReason.Busy);
        market.Run(TimeSpan.Zero);
        Assert.Equal(0, market.Wanted[group]);
    }

    [Fact]
    public void What_those_took_who_were_told_nobody_else_hears_of()
    {
        (TestMarket market, int group, PeerId[] workers) = Serving(members: 6, serving: 3);
        market.Wake(group, wanted: 1);
        market.Run(TimeSpan.Zero);
        market.Take(group, 1, workers[2]);
        market.Refuse(workers[1], market.LastAd, RefusalReason.Busy);
        // The window closes with the second answer.
        market.Run(TimeSpan.Zero);
        Assert.Equal(0, market.Wanted[group]);
        market.Run(TimeSpan.FromSeconds(10));
        Assert.Empty(market.Named());
    }

    [Fact]
    public void Where_less_or_more_is_left_in_its_turn_all_hear_a_newer_ad()
    {
        (TestMarket market, int group, PeerId[] workers) = Serving(members: 6, serving: 3);
        market.Wake(group, wanted: 3);
        market.Run(TimeSpan.Zero);
        Ad told = market.LastAd;
        Assert.Equal(3, market.Told.Count);
        market.Take(group, 1, workers[2]);
        market.Run(TimeSpan.FromMilliseconds(1250));
        Assert.NotSame(told, market.LastAd);
        Assert.Equal(2, market.LastNamed[group]);
    }

    [Fact]
    public void In_a_crowd_those_who_are_told_all_answer_and_the_others_hear_an_ad_of_their_own()
    {
        (TestMarket market, int group, PeerId[] workers) = Serving(members: 50, serving: 40);
        market.Wake(group, wanted: 30);
        market.Run(TimeSpan.Zero);
        // As many as answer explicitly, though there are more that serve it and more places.
        Assert.Equal(32, market.Told.Count);
        Assert.Equal(32, market.LastAd.Audience);
        Assert.Equal(1000, market.LastAd.AnswerPermille);
        Ad told = market.LastAd;
        market.Run(TimeSpan.FromMilliseconds(1250));
        Assert.NotSame(told, market.LastAd);
        Assert.Equal(50, market.LastAd.Audience);
    }

    /// <summary>A region of a thousand: an ad goes to a part of it. When its window closes with places left, a wider part hears of them at once.</summary>
    [Fact]
    public void What_a_part_of_a_crowd_has_not_is_asked_of_more_when_the_window_closes()
    {
        var market = new TestMarket(seed: 30, []);
        market.Allocator.SetSwarmSize("local", 1000);
        market.Allocator.SetSwarmSize("global", 1000);
        int group = market.Open(wanted: 10);
        market.Run(TimeSpan.FromMilliseconds(20));
        Ad first = market.LastAd;
        market.Take(group, 7);
        market.Run(first.Window - TimeSpan.FromMilliseconds(20));
        Assert.NotEqual(first, market.LastAd);
        Assert.Equal(3, Assert.Single(market.LastAd.Groups).Count);
        Assert.InRange(market.LastAd.Audience, 4 * first.Audience - 4, 4 * first.Audience + 4);
        // Nobody has them: the class waits for its turn, and climbs no rung for having asked at once.
        market.Run(TimeSpan.FromMilliseconds(800));
        Assert.Equal(2, market.AdsWithin(TimeSpan.FromSeconds(1)));
        Ad second = market.LastAd;
        market.Run(TimeSpan.FromMilliseconds(600));
        Assert.NotEqual(second, market.LastAd);
        Assert.Equal(second.Audience, market.LastAd.Audience);
    }

    [Fact]
    public void Where_those_who_heard_are_full_more_are_asked_in_the_classes_turn_only()
    {
        var market = new TestMarket(seed: 31, []);
        market.Allocator.SetSwarmSize("local", 1000);
        market.Allocator.SetSwarmSize("global", 1000);
        market.Open(wanted: 10);
        market.Run(TimeSpan.FromMilliseconds(20));
        market.Refuse(Worker, market.LastAd, RefusalReason.Busy);
        market.Run(TimeSpan.FromMilliseconds(900));
        Assert.Equal(1, market.AdsWithin(TimeSpan.FromSeconds(1)));
    }

    [Fact]
    public void A_full_market_hears_of_each_group_once_more_at_most_and_then_in_turn()
    {
        var market = new TestMarket(seed: 32, []);
        market.Allocator.SetSwarmSize("local", 1000);
        market.Allocator.SetSwarmSize("global", 1000);
        for (int i = 0; i < 50; i++)
        {
            market.Open(wanted: 1);
            market.Run(TimeSpan.FromMilliseconds(100));
        }
        // A new group in each tenth of a second makes an ad; asking more at once, in vain, soon only one a second.
        Assert.InRange(market.AdsWithin(TimeSpan.FromSeconds(3)), 30, 30 + (3 * 6));
    }

    [Fact]
    public void Who_is_asked_in_vain_is_asked_later_each_time()
    {
        (TestMarket market, int group, PeerId[] workers) = Serving(members: 3, serving: 2);
        var times = new List<Instant>();
        for (int i = 0; i < 900; i++)
        {
            int before = market.Told.Count;
            market.Wake(group, market.Wanted[group] + 1);
            market.Run(TimeSpan.Zero);
            if (market.Told.Count > before)
            {
                times.Add(market.Now);
                foreach (PeerId worker in workers)
                    market.Refuse(worker, market.LastAd, RefusalReason.Busy);
            }
            market.Run(TimeSpan.FromMilliseconds(1));
        }
        double[] pauses = [.. times.Zip(times.Skip(1), (a, b) => (b - a).TotalMilliseconds)];
        Assert.Equal([100, 200, 400], pauses.Select(p => Math.Round(p / 100) * 100));
    }

    [Fact]
    public void Neither_who_is_kept_away_nor_who_does_not_hear_the_topic_is_told()
    {
        (TestMarket market, int group, PeerId[] workers) = Serving(members: 6, serving: 5);
        market.Allocator.Fault(workers[4], market.Now, "it failed");
        market.Allocator.SetAudience(TestMarket.Topic, [.. workers.Where(w => w != workers[3])], market.Now);
        market.Wake(group, wanted: 1);
        market.Run(TimeSpan.Zero);
        Assert.Equal([workers[2], workers[1]], market.Told.Select(t => t.Worker));
    }

    [Fact]
    public void An_ad_says_how_far_back_answers_are_still_gathered()
    {
        (TestMarket market, int group, _) = Serving(members: 6, serving: 3);
        market.Wake(group, wanted: 1);
        market.Run(TimeSpan.Zero);
        Ad told = market.LastAd;
        Assert.Equal(0, told.Undecided);
        market.Open(wanted: 1);
        market.Run(TimeSpan.Zero);
        Assert.Equal((told.Sequence + 1, 1), (market.LastAd.Sequence, market.LastAd.Undecided));
        // All windows are over.
        market.Run(TimeSpan.FromMilliseconds(500));
        market.Open(wanted: 1);
        market.Run(TimeSpan.Zero);
        Assert.Equal(0, market.LastAd.Undecided);
    }

    /// <summary>A group of a job that so many workers serve, the last of them last, whose ad went out a moment ago.</summary>
    private static (TestMarket Market, int Group, PeerId[] Workers) Serving(int members, int serving)
    {
        PeerId[] workers = [.. Enumerable.Range(1, members).Select(n => Peer((byte)n))];
        var market = new TestMarket(seed: 9, [.. workers]);
        int group = market.Open(wanted: serving);
        market.Run(TimeSpan.FromMilliseconds(200));
        foreach (PeerId worker in workers[..serving])
        {
            market.Take(group, 1, worker);
            market.Run(TimeSpan.Zero);
            market.Allocator.Placed(group, worker, 1);
        }
        Assert.Equal(0, market.Wanted[group]);
        market.Clear();
        Assert.Empty(market.Told);
        return (market, group, workers);
    }
}
