using System.Collections.Immutable;
using Drap.Core.Membership;
using Drap.Core.Tests.Messages;
using Xunit;
using static Drap.Core.Tests.Membership.Swarms;

namespace Drap.Core.Tests.Membership;

/// <summary>[MEM-4]</summary>
public sealed class TicketTextTests
{
    private static readonly Ticket Usual = new(
        Peer(1), [new([4, 10, 0, 0, 1, 6, 0x12, 0x34]), new([4, 192, 168, 1, 2, 6, 0x12, 0x34])], [.. Secret(77)], RoleWords.Usual, Now + TimeSpan.FromDays(1));

    [Fact]
    public void It_is_one_word_that_comes_back_whole()
    {
        string text = TicketText.Encode(Usual);
        Assert.StartsWith("drap1", text, StringComparison.Ordinal);
        Assert.All(text, c => Assert.True(char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c)));
        Assert.True(text.Length < 200, text);
        foreach (string as_copied in new[] { text, text.ToUpperInvariant(), $"  {text}\n" })
        {
            Assert.True(TicketText.TryDecode(as_copied, out Ticket? ticket, out _));
            SameValue.Assert(Usual, ticket);
        }
    }

    [Fact]
    public void Made_up_tickets_come_back_whole()
    {
        for (ulong seed = 0; seed < 500; seed++)
        {
            var random = new Prng(seed);
            byte[] secret = Secret((int)random.Between(0, int.MaxValue));
            ImmutableArray<Wrapped> addresses =
                [.. Enumerable.Range(0, random.Below(Ticket.AddressesMax + 1)).Select(_ => new Wrapped([.. Enumerable.Range(0, 1 + random.Below(40)).Select(_ => (byte)random.Below(256))]))];
            var ticket = new Ticket(Peer(random.Below(1000)), addresses, [.. secret], (NodeRoles)(1 + random.Below(15)), new UtcTime(random.Between(0, 1L << 42)));
            Assert.True(TicketText.TryDecode(TicketText.Encode(ticket), out Ticket? back, out string? fault), $"seed {seed}: {fault}");
            SameValue.Assert(ticket, back, $"seed {seed}");
        }
    }

    [Fact]
    public void One_changed_character_anywhere_is_noticed()
    {
        string text = TicketText.Encode(Usual);
        for (int at = 0; at < text.Length; at++)
            foreach (char other in "abcdefghijklmnopqrstuvwxyz01234567")
                if (other != text[at])
                {
                    string damaged = text[..at] + other + text[(at + 1)..];
                    Assert.False(TicketText.TryDecode(damaged, out _, out string? fault), damaged);
                    Assert.NotEmpty(fault!);
                }
    }

    [Fact]
    public void Every_cut_is_noticed_and_says_so()
    {
        string text = TicketText.Encode(Usual);
        for (int length = TicketText.Prefix.Length; length < text.Length; length++)
        {
            Assert.False(TicketText.TryDecode(text[..length], out _, out string? fault));
            Assert.StartsWith("the ticket is cut off", fault, StringComparison.Ordinal);
        }
        Assert.Equal($"the ticket is cut off or damaged: {text.Length - 3} characters of {text.Length}", Fault(text[..^3]));
    }

    [Fact]
    public void Each_way_to_be_wrong_has_its_word()
    {
        string text = TicketText.Encode(Usual);
        Assert.Equal("the ticket has 2 characters too many, or is damaged", Fault(text + "aa"));
        Assert.Equal("the ticket is damaged: '-' at its character 8 is none that a ticket has", Fault(text[..7] + "-" + text[8..]));
        Assert.Equal(
            "the ticket is damaged: some of its characters are not as they were; copy it whole, or ask for another",
            Fault(text[..20] + (text[20] == 'a' ? 'b' : 'a') + text[21..]));
        Assert.Equal("that ticket was made by another version of drap, which this one does not understand", Fault("drap2" + text[5..]));
        Assert.Equal("that is no ticket: one begins with drap1, as drap up and drap invite print it", Fault("12D3KooW"));
        Assert.Equal("that is no ticket: one begins with drap1, as drap up and drap invite print it", Fault(""));
        Assert.Equal("that is no ticket: it has 5000 characters", Fault(new string('a', 5000)));
        Assert.Equal("the ticket says what none may say: its secret is too short", Fault(TicketText.Encode(Usual with { Secret = [1, 2, 3] })));
    }

    private static string Fault(string text)
    {
        Assert.False(TicketText.TryDecode(text, out Ticket? ticket, out string? fault));
        Assert.Null(ticket);
        return fault;
    }
}
