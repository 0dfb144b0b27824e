using System.Collections.Immutable;
using Drap.Core.Membership;
using Xunit;
using static Drap.Core.Tests.Membership.Swarms;

namespace Drap.Core.Tests.Membership;

/// <summary>[MEM-6]</summary>
public sealed class RevocationListTests
{
    // 4 is a worker of 3, whom 2 let in, whom the founder let in.
    private static readonly ImmutableArray<SignedCertificate> Fourth =
        Chain(Certify(4, 3, NodeRoles.Worker, "c"), Certify(3, 2, principal: "c"), Certify(2, 0, RoleWords.All, "b"));

    [Theory]
    [InlineData(4, 0, true)] // the founder
    [InlineData(4, 2, true)] // who let in the one that let it in
    [InlineData(4, 3, true)]
    [InlineData(4, 4, true)] // it left
    [InlineData(3, 0, true)] // who let it in was removed
    [InlineData(3, 2, true)]
    [InlineData(3, 3, true)]
    [InlineData(2, 0, true)]
    [InlineData(2, 2, true)]
    [InlineData(3, 4, false)] // nobody removes who stands above
    [InlineData(2, 3, false)]
    [InlineData(4, 5, false)] // nor a stranger
    [InlineData(5, 0, false)] // another node
    [InlineData(0, 2, false)] // the founder is no node
    public void Those_above_remove_and_one_removes_oneself(int subject, int signer, bool counts)
    {
        Assert.Equal(MembershipFault.None, CertificateChain.Check(Fourth.AsSpan(), Peer(4), Founder, Now, out Member? member));
        var list = new RevocationList(Founder);
        Assert.Null(list.Against(member!));
        Assert.Equal(RevocationNews.Taken, list.Add(Revoke(subject, signer), Now));
        Assert.Equal(counts, list.Against(member!) is not null);
    }

    [Fact]
    public void It_is_kept_as_long_as_what_it_revokes_could_be_valid()
    {
        var list = new RevocationList(Founder);
        Assert.Equal(RevocationNews.Taken, list.Add(Revoke(4, 0, age: Certificate.LifetimeMax), Now));
        Assert.Equal(RevocationNews.Known, list.Add(Revoke(4, 0), Now));
        Assert.Equal(RevocationNews.Void, list.Add(Revoke(5, 0, age: Certificate.LifetimeMax + TimeSpan.FromMilliseconds(1)), Now));
        Assert.Equal(RevocationNews.Void, list.Add(Revoke(5, 0, swarm: 9), Now));
        list.Expire(Now);
        Assert.Single(list.All);
        list.Expire(Now + TimeSpan.FromMilliseconds(1));
        Assert.Empty(list.All);
        Assert.Equal(0UL, list.Digest);
    }

    [Fact]
    public void The_same_set_has_the_same_digest_whatever_the_order()
    {
        SignedRevocation[] some = [Revoke(4, 0), Revoke(5, 0), Revoke(4, 3), Revoke(6, 6)];
        var one = new RevocationList(Founder);
        var other = new RevocationList(Founder);
        foreach (SignedRevocation revocation in some)
            one.Add(revocation, Now);
        foreach (SignedRevocation revocation in some.Reverse())
        {
            Assert.NotEqual(one.Digest, other.Digest);
            other.Add(revocation, Now);
        }
        Assert.Equal(one.Digest, other.Digest);
        Assert.Equal(one.All, other.All);
    }

    [Fact]
    public void Who_floods_it_fills_its_own_part_and_the_founder_finds_room()
    {
        var list = new RevocationList(Founder);
        for (int i = 0; i < RevocationList.PerSignerMax; i++)
            Assert.Equal(RevocationNews.Taken, list.Add(Revoke(1000 + i, 7), Now));
        Assert.Equal(RevocationNews.NoRoom, list.Add(Revoke(1, 7), Now));
        for (int i = 0; list.All.Length < RevocationList.CountMax; i++)
            Assert.Equal(RevocationNews.Taken, list.Add(Revoke(10_000 + i, 8 + i / 64), Now));
        Assert.Equal(RevocationNews.NoRoom, list.Add(Revoke(1, 7000), Now));
        Assert.Equal(RevocationNews.Taken, list.Add(Revoke(1, 0), Now));
        Assert.Equal(RevocationList.CountMax, list.All.Length);
        Assert.Equal(RevocationList.PerSignerMax - 1, list.All.Count(r => r.Signer == Peer(7)));
    }

    [Fact]
    public void Nothing_makes_room_where_all_are_the_founders()
    {
        var list = new RevocationList(Founder);
        for (int i = 0; i < RevocationList.CountMax; i++)
            list.Add(Revoke(1 + i, 0), Now);
        Assert.Equal(RevocationNews.NoRoom, list.Add(Revoke(100_000, 0), Now));
    }
}
