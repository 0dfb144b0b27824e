using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Drap.Core.Cbor;
using Drap.Core.Membership;
using Drap.Core.Tests.Messages;
using Xunit;

namespace Drap.Core.Tests.Membership;

/// <summary>[MEM-1]</summary>
public sealed class MembershipRecordTests
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static TheoryData<MembershipKind> Kinds => new(Enum.GetValues<MembershipKind>().Where(k => k != MembershipKind.None));

    [Theory]
    [MemberData(nameof(Kinds))]
    public void The_committed_schema_is_what_the_codec_walks(MembershipKind kind) =>
        Golden.AssertSame($"docs/protocol/schemas/{JsonFields.Snake(kind.ToString())}.schema.json", SchemaFields.Describe(kind).ToJsonString(Indented) + "\n");

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Made_up_records_come_back_whole(MembershipKind kind)
    {
        for (ulong seed = 0; seed < 100; seed++)
        {
            MembershipRecord record = Make(kind, seed);
            Assert.True(MembershipCodec.TryDecode(MembershipCodec.Encode(record), out MembershipRecord? back, out CodecError error), $"seed {seed}: {error}");
            SameValue.Assert(record, back, $"seed {seed}");
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Cut_and_changed_bytes_are_refused_or_read_and_never_throw(MembershipKind kind)
    {
        byte[] bytes = MembershipCodec.Encode(Make(kind, 7));
        for (int length = 0; length < bytes.Length; length++)
            Assert.False(MembershipCodec.TryDecode(bytes.AsSpan(0, length), out MembershipRecord? _, out _));
        for (int at = 0; at < bytes.Length; at++)
        {
            byte[] changed = [.. bytes];
            changed[at] ^= (byte)(1 << (at % 8));
            // What still reads is within its limits: it can be written, and is the same then.
            if (!MembershipCodec.TryDecode(changed, out MembershipRecord? read, out _))
                continue;
            Assert.True(MembershipCodec.TryDecode(MembershipCodec.Encode(read), out MembershipRecord? again, out _));
            SameValue.Assert(read, again, $"byte {at}");
        }
    }

    [Fact]
    public void One_kind_is_not_taken_for_another()
    {
        byte[] bytes = MembershipCodec.Encode(new Verdict(MembershipFault.Expired));
        Assert.False(MembershipCodec.TryDecode(bytes, out Hello? _, out CodecError error));
        Assert.Equal(CodecFault.UnknownKind, error.Fault);
    }

    [Fact]
    public void The_longest_of_what_travels_fits()
    {
        var envelope = new Wrapped([.. new byte[MembershipRecord.EnvelopeBytesMax]]);
        var hello = new Hello(
            [.. Enumerable.Repeat(envelope, CertificateChain.LengthMax)], ulong.MaxValue, new DelegationShown(envelope, [.. Enumerable.Repeat(envelope, CertificateChain.LengthMax)]));
        var reply = new JoinReply(JoinRefusal.None, hello.Chain, new string('x', MembershipRecord.NameBytesMax), [.. Enumerable.Repeat(envelope, JoinReply.AddressesMax)]);
        Assert.True(MembershipCodec.Encode(hello).Length <= MembershipCodec.FrameBytesMax);
        Assert.True(MembershipCodec.Encode(reply).Length <= MembershipCodec.FrameBytesMax);
        var certificate = new Certificate(
            Swarms.Founder, Swarms.Peer(1), new string('n', MembershipRecord.NameBytesMax), new Principal(new string('p', CborLimits.NameBytes)), RoleWords.All, Swarms.Now, Swarms.Now);
        // An envelope adds a key of 36 bytes, a signature of 64 and some tags.
        Assert.True(MembershipCodec.Encode(certificate).Length + 128 <= MembershipRecord.EnvelopeBytesMax);
        var revocation = new Revocation(Swarms.Founder, Swarms.Peer(1), Swarms.Now, new string('r', Revocation.ReasonBytesMax));
        Assert.True(MembershipCodec.Encode(revocation).Length + 128 <= MembershipRecord.EnvelopeBytesMax);
    }

    [Fact]
    public void A_key_is_never_given_to_another_field()
    {
        foreach (MembershipKind kind in Enum.GetValues<MembershipKind>().Where(k => k != MembershipKind.None))
        {
            JsonNode committed = JsonNode.Parse(File.ReadAllText(Repository.Path($"docs/protocol/schemas/{JsonFields.Snake(kind.ToString())}.schema.json")))!;
            Assert.Equal((int)kind, (int)committed["x-membership-kind"]!);
            Dictionary<int, string> now = Keys(SchemaFields.Describe(kind));
            foreach ((int key, string name) in Keys(committed))
                Assert.Equal(name, now.GetValueOrDefault(key, name));
        }

        static Dictionary<int, string> Keys(JsonNode schema) => schema["properties"]!.AsObject().ToDictionary(p => (int)p.Value!["x-cbor-key"]!, p => p.Key);
    }

    private static MembershipRecord Make(MembershipKind kind, ulong seed)
    {
        var fields = new RandomFields(new Prng(seed), full: seed % 2 == 0);
        return MembershipCodec.Walk(kind, ref fields, null);
    }
}
