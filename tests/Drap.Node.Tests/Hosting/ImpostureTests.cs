using Drap.Core.Messages;
using Drap.Node.Hosting;
using Xunit;

namespace Drap.Node.Tests.Hosting;

/// <summary>Whoever is taken for a scheduler gets its results and ends what it runs; whoever is taken for a principal spends its money.</summary>
public sealed class ImpostureTests
{
    private static readonly PeerId Scheduler = Peer(1);
    private static readonly PeerId Other = Peer(2);

    public static TheoryData<Message> OfSchedulers =>
    [
        new Ad
        {
            Id = default, Scheduler = Scheduler, Principal = Principal.Local, Epoch = new Epoch(9), Sequence = 1, Audience = 4, AnswerPermille = 1000,
            Stands = TimeSpan.FromSeconds(1), Window = TimeSpan.FromSeconds(1), Groups = [],
        },
        new Confirm { Offer = default, Scheduler = Scheduler, Principal = Principal.Local, Epoch = new Epoch(9), Lease = TimeSpan.FromSeconds(30), Works = [], Tasks = [] },
        new Heartbeat(Scheduler, new Epoch(9), 1, TimeSpan.FromSeconds(30), 0),
        new Reconcile(Scheduler, new Epoch(9), TimeSpan.FromSeconds(30), [], Complete: true),
    ];

    [Theory]
    [MemberData(nameof(OfSchedulers), DisableDiscoveryEnumeration = true)]
    public void Only_the_scheduler_itself_says_what_it_says(Message message)
    {
        Assert.Null(Imposture.In(Scheduler, message, (_, _) => true, (_, _) => false));
        Assert.Equal($"it names {Scheduler.Short} as its scheduler, whose name it was not lent", Imposture.In(Other, message, (_, _) => true, (_, _) => false));
        Assert.Null(Imposture.In(Other, message, (_, _) => true, (peer, scheduler) => peer == Other && scheduler == Scheduler));
    }

    [Fact]
    public void Who_asks_and_who_confirms_speaks_for_the_principal_of_its_certificate()
    {
        foreach (Message message in OfSchedulers.Select(row => row.Data))
        {
            string? fault = Imposture.In(Scheduler, message, (peer, principal) => peer != Scheduler || principal != Principal.Local, (_, _) => false);
            Assert.Equal(message is Ad or Confirm ? "it speaks for the principal local, which its certificate does not name" : null, fault);
        }
    }

    [Fact]
    public void What_names_no_scheduler_is_left_to_the_machine() => Assert.Null(Imposture.In(Other, new Probe(1, Market: true), (_, _) => false, (_, _) => false));

    private static PeerId Peer(byte n) => PeerId.FromEd25519([.. Enumerable.Repeat(n, 32)]);
}
