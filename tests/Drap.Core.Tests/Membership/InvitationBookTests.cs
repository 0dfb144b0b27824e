using Drap.Core.Membership;
using Xunit;
using static Drap.Core.Tests.Membership.Swarms;

namespace Drap.Core.Tests.Membership;

/// <summary>[MEM-5]</summary>
public sealed class InvitationBookTests
{
    private readonly List<InvitationEffect> effects = [];
    private InvitationBook book = new(new InvitationList([]));
    private Instant now = Instant.Zero + TimeSpan.FromHours(1);
    private UtcTime utc = Now;

    [Fact]
    public void Who_comes_first_is_in_and_the_book_says_so_before_it_is_told()
    {
        Make(1);
        Assert.Collection(
            Ask(5, 1), e => Assert.Equal(Peer(5), Assert.IsType<InvitationEffect.Store>(e).List.All[0].Guest!.Peer),
            e => Assert.Equal((Peer(5), "guest-5"), (Assert.IsType<InvitationEffect.Admit>(e).Peer, ((InvitationEffect.Admit)e).Guest.Name)));
    }

    [Fact]
    public void Another_one_who_comes_with_it_gets_nothing_but_the_first_may_ask_again()
    {
        Make(1);
        Ask(5, 1);
        Assert.Equal([new InvitationEffect.Refuse(Peer(6), JoinRefusal.Used)], Ask(6, 1));
        // Its answer was lost: it is the same guest, under the name that it gave first, and nothing is to be stored.
        now += TimeSpan.FromMinutes(1);
        utc += TimeSpan.FromMinutes(1);
        var again = Assert.IsType<InvitationEffect.Admit>(Assert.Single(Ask(5, 1)));
        Assert.Equal(Now, again.Guest.At);
    }

    [Fact]
    public void What_is_used_stays_used_after_a_restart()
    {
        Make(1);
        Ask(5, 1);
        byte[] stored = MembershipCodec.Encode(book.List);
        Assert.True(MembershipCodec.TryDecode(stored, out InvitationList? list, out _));
        book = new InvitationBook(list);
        Assert.Equal([new InvitationEffect.Refuse(Peer(6), JoinRefusal.Used)], Ask(6, 1));
    }

    [Fact]
    public void A_ticket_whose_time_is_over_gets_nothing_and_is_forgotten_a_day_later()
    {
        Make(1, TimeSpan.FromHours(1));
        utc += TimeSpan.FromHours(1);
        Assert.Equal([new InvitationEffect.Refuse(Peer(5), JoinRefusal.Expired)], Ask(5, 1));
        utc += InvitationBook.Afterwards;
        Make(2);
        Assert.Single(book.List.All);
        Assert.Equal([new InvitationEffect.Refuse(Peer(5), JoinRefusal.Unknown)], Ask(5, 1));
    }

    [Fact]
    public void Who_was_removed_does_not_come_back_under_its_name_and_leaves_the_ticket_good()
    {
        Make(1);
        Assert.Equal([new InvitationEffect.Refuse(Peer(5), JoinRefusal.Removed)], Ask(5, 1, isRemoved: true));
        Assert.IsType<InvitationEffect.Admit>(Ask(6, 1)[^1]);
    }

    [Fact]
    public void A_secret_of_another_length_is_unknown()
    {
        Make(1);
        effects.Clear();
        book.Step(new InvitationInput.Asked(Peer(5), "a", new JoinRequest([1, 2, 3], "x"), false), now, utc, effects);
        Assert.Equal([new InvitationEffect.Refuse(Peer(5), JoinRefusal.Unknown)], effects);
    }

    [Fact]
    public void There_is_room_for_so_many_and_the_next_is_refused_until_one_is_over()
    {
        for (int i = 0; i < InvitationBook.InvitationsMax; i++)
            Make(i, i == 7 ? TimeSpan.FromMinutes(5) : null);
        Assert.Equal([new InvitationEffect.Full()], Make(5000));
        utc += TimeSpan.FromMinutes(5);
        Assert.IsType<InvitationEffect.Stands>(Make(5001)[^1]);
        Assert.Equal([new InvitationEffect.Refuse(Peer(5), JoinRefusal.Unknown)], Ask(5, 7));
        Assert.True(MembershipCodec.Encode(book.List).Length < MembershipCodec.StoredBytesMax);
    }

    [Fact]
    public void The_longest_list_can_be_stored()
    {
        var longest = new Invitation(
            InvitationBook.HashOf(Secret(1)), RoleWords.All, new Principal(new string('p', 256)), Now, Certificate.LifetimeMax, new Guest(Peer(1), new string('n', 64), Now));
        byte[] bytes = MembershipCodec.Encode(new InvitationList([.. Enumerable.Range(0, InvitationBook.InvitationsMax).Select(i => longest)]));
        Assert.True(MembershipCodec.TryDecode(bytes, out InvitationList? list, out _));
        Assert.Equal(InvitationBook.InvitationsMax, list.All.Length);
    }

    [Fact]
    public void One_address_may_ask_so_often_and_leaves_room_for_others()
    {
        Make(1);
        for (int i = 0; i < JoinRate.AddressBurst; i++)
            Assert.Equal([new InvitationEffect.Refuse(Peer(i), JoinRefusal.Unknown)], Ask(i, 2, from: "thief"));
        Assert.Equal([new InvitationEffect.Refuse(Peer(5), JoinRefusal.Busy)], Ask(5, 1, from: "thief"));
        Assert.IsType<InvitationEffect.Admit>(Ask(6, 1, from: "guest")[^1]);
        now += JoinRate.AddressInterval;
        Assert.Equal([new InvitationEffect.Refuse(Peer(5), JoinRefusal.Used)], Ask(5, 1, from: "thief"));
        Assert.Equal([new InvitationEffect.Refuse(Peer(5), JoinRefusal.Busy)], Ask(5, 1, from: "thief"));
    }

    [Fact]
    public void However_many_addresses_ask_there_is_a_rate_in_all()
    {
        var rate = new JoinRate();
        int taken = Enumerable.Range(0, 5000).Count(i => rate.TryTake($"{i}", now));
        Assert.Equal(JoinRate.TotalBurst, taken);
        now += TimeSpan.FromSeconds(1);
        Assert.Equal(5, Enumerable.Range(0, 5000).Count(i => rate.TryTake($"{i}", now)));
    }

    /// <summary>However asks, repeats, restarts and time are mixed: no ticket ever lets in two, and none after its time.</summary>
    [Fact]
    public void No_ticket_lets_in_two()
    {
        for (ulong seed = 0; seed < 200; seed++)
        {
            var random = new Prng(seed);
            book = new InvitationBook(new InvitationList([]));
            (utc, now) = (Now, Instant.Zero + TimeSpan.FromHours(1));
            var ends = new Dictionary<int, UtcTime>();
            var guests = new Dictionary<int, PeerId>();
            InvitationList stored = book.List;
            for (int step = 0; step < 200; step++)
            {
                int secret = random.Below(8);
                switch (random.Below(10))
                {
                    case 0 when !ends.ContainsKey(secret):
                        Make(secret, TimeSpan.FromMinutes(1 + random.Below(60)));
                        ends[secret] = book.List.All[^1].Expires;
                        break;
                    case 1:
                        book = new InvitationBook(stored);
                        break;
                    case 2:
                        TimeSpan passed = TimeSpan.FromSeconds(random.Below(300));
                        (utc, now) = (utc + passed, now + passed);
                        break;
                    default:
                        int peer = random.Below(6);
                        if (Ask(peer, secret).OfType<InvitationEffect.Admit>().Any())
                        {
                            Assert.True(utc.CompareTo(ends[secret]) < 0, $"seed {seed}: let in after its time");
                            Assert.True(guests.TryAdd(secret, Peer(peer)) || guests[secret] == Peer(peer), $"seed {seed}: lets in two");
                        }
                        break;
                }
                stored = effects.OfType<InvitationEffect.Store>().LastOrDefault()?.List ?? stored;
            }
            Assert.NotEmpty(guests);
        }
    }

    private InvitationEffect[] Make(int secret, TimeSpan? life = null)
    {
        effects.Clear();
        book.Step(new InvitationInput.Made(Invite(Secret(secret), life) with { Expires = utc + (life ?? Ticket.LifetimeDefault) }), now, utc, effects);
        return [.. effects];
    }

    private InvitationEffect[] Ask(int peer, int secret, string from = "a", bool isRemoved = false)
    {
        effects.Clear();
        book.Step(new InvitationInput.Asked(Peer(peer), from, new JoinRequest([.. Secret(secret)], $"guest-{peer}"), isRemoved), now, utc, effects);
        return [.. effects];
    }
}
