using Drap.Core.Groups;
using Xunit;

namespace Drap.Core.Tests.Groups;

public sealed class GangTests
{
    private static readonly Instant Now = new(5_000_000_000);

    [Fact]
    public void It_goes_once_when_the_last_member_has_acknowledged()
    {
        var gang = new Gang([Rank(2), Rank(1), Rank(3)], 3);
        Assert.True(gang.IsWhole);
        Assert.False(gang.Acknowledge(Rank(1)));
        Assert.False(gang.Acknowledge(Rank(1)));
        Assert.False(gang.Acknowledge(Rank(9)));
        Assert.False(gang.Acknowledge(Rank(3)));
        Assert.Equal(GangPhase.Gathering, gang.Phase);
        Assert.True(gang.Acknowledge(Rank(2)));
        Assert.Equal(GangPhase.Gone, gang.Phase);
        Assert.False(gang.Acknowledge(Rank(2)));
    }

    [Fact]
    public void Those_that_do_not_run_are_told_again_until_all_do()
    {
        Gang gang = Gone(3);
        Assert.Equal([Rank(1), Rank(2), Rank(3)], gang.Tell(_ => false, Now));
        Assert.Equal(Now + Gang.TellInterval, gang.NextTell);
        Assert.Equal([Rank(2)], gang.Tell(m => m != Rank(2), Now + Gang.TellInterval));
        Assert.Empty(gang.Tell(_ => true, Now + 2 * Gang.TellInterval));
        Assert.Equal(Instant.Never, gang.NextTell);
    }

    [Fact]
    public void A_member_that_leaves_before_it_has_gone_breaks_it_up()
    {
        var gang = new Gang([Rank(1), Rank(2)], 2);
        gang.Acknowledge(Rank(1));
        Assert.Equal(GangVerdict.Breaks, gang.Leave(Rank(2), succeeded: false));
        Assert.Equal([Rank(1)], gang.Members);
        Assert.Equal(GangPhase.Over, gang.Phase);
        Assert.False(gang.Acknowledge(Rank(1)));
    }

    [Fact]
    public void One_that_could_not_be_placed_whole_is_broken_up_and_never_goes()
    {
        var gang = new Gang([Rank(1)], 2);
        Assert.False(gang.IsWhole);
        Assert.False(gang.Acknowledge(Rank(1)));
        Assert.Equal(GangVerdict.Breaks, gang.Break());
    }

    [Fact]
    public void The_first_rank_that_fails_ends_the_others_once()
    {
        Gang gang = Gone(4);
        Assert.Equal(GangVerdict.Stays, gang.Leave(Rank(1), succeeded: true));
        Assert.Equal(GangVerdict.Ends, gang.Leave(Rank(2), succeeded: false));
        Assert.Equal([Rank(3), Rank(4)], gang.Members);
        Assert.Equal(GangVerdict.Stays, gang.Leave(Rank(3), succeeded: false));
        Assert.Equal(GangVerdict.Stays, gang.Leave(Rank(3), succeeded: false));
        Assert.Equal(GangVerdict.Over, gang.Leave(Rank(4), succeeded: false));
        Assert.Equal(GangPhase.Over, gang.Phase);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void With_its_last_member_it_is_over_however_that_ended(bool succeeded)
    {
        Gang gang = Gone(2);
        gang.Leave(Rank(1), succeeded: true);
        Assert.Equal(GangVerdict.Over, gang.Leave(Rank(2), succeeded));
    }

    [Fact]
    public void One_that_had_gone_before_a_restart_is_told_again_and_needs_no_acknowledgement()
    {
        Gang gang = Gang.Recovered([Rank(2), Rank(3)], 3);
        Assert.Equal(GangPhase.Gone, gang.Phase);
        Assert.Equal([Rank(2), Rank(3)], gang.Tell(_ => false, Now));
        Assert.Equal(GangVerdict.Ends, gang.EndOthers());
        Assert.Equal(GangVerdict.Stays, gang.EndOthers());
    }

    private static Gang Gone(int size)
    {
        AttemptId[] members = [.. Enumerable.Range(1, size).Select(Rank)];
        var gang = new Gang(members, size);
        Assert.Equal(size, members.Count(gang.Acknowledge) + size - 1);
        return gang;
    }

    private static AttemptId Rank(int number) => new(new TaskId(new JobId(Guid.Parse("00000000-0000-4000-8000-000000000001")), number), new Fence(new Epoch(1), 1));
}
