using System.Collections.Immutable;
using System.Formats.Cbor;
using System.Text;
using Drap.Core.Cbor;
using Drap.Core.Messages;
using Xunit;

namespace Drap.Core.Tests.Messages;

public sealed class WireFormTests(ITestOutputHelper output)
{
    public static TheoryData<MessageKind> Kinds => RoundTripTests.Kinds;

    [Fact]
    public void The_bytes_of_each_kind_stay_what_they_were()
    {
        // The text form of each message beside its bytes, so that another implementation can check itself.
        var lines = new StringBuilder();
        foreach (Message message in Samples.All)
            lines.Append(MessageCodec.KindOf(message)).Append('\n').Append(Encoding.UTF8.GetString(JsonFields.Write(message))).Append('\n')
                .Append(Convert.ToHexStringLower(MessageCodec.Encode(message))).Append("\n\n");
        Golden.AssertSame("docs/protocol/vectors.txt", lines.ToString());
        Assert.Equal(Enum.GetValues<MessageKind>().Skip(1), Samples.All.Select(MessageCodec.KindOf));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Another_implementation_finds_the_deterministic_form(MessageKind kind)
    {
        var prng = Seeded();
        for (int i = 0; i < 100; i++)
        {
            byte[] frame = MessageCodec.Encode(RandomFields.Make(kind, prng));
            object? tree = CborTree.Read(frame);
            Assert.Equal(frame, CborTree.Write(tree, CborConformanceMode.Canonical));
            Assert.Equal(frame, CborTree.Write(tree, CborConformanceMode.Ctap2Canonical));
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Fields_of_a_newer_version_are_skipped_at_every_level(MessageKind kind)
    {
        var prng = Seeded();
        for (int i = 0; i < 30; i++)
        {
            Message sent = RandomFields.Make(kind, prng);
            object? tree = CborTree.Read(MessageCodec.Encode(sent));
            foreach (SortedDictionary<long, object?> map in CborTree.Maps(tree).ToList())
            {
                map[0] = "before all others";
                map[20] = new List<object?> { 1L, -1L, new SortedDictionary<long, object?> { [1] = new List<object?>() } };
                map[21] = new Dictionary<string, object?> { ["a"] = null, ["b"] = 1.5, ["c"] = new byte[300] };
                map[1000] = DateTimeOffset.UnixEpoch;
                map[70_000] = true;
            }
            byte[] newer = CborTree.Write(tree);
            Assert.True(MessageCodec.TryDecode(newer, out Message? received, out CodecError error), error.ToString());
            SameValue.Assert(sent, received, kind.ToString());
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_field_that_must_be_there_is_missed_by_its_name(MessageKind kind)
    {
        Message sent = RandomFields.Make(kind, new Prng(3), full: true);
        System.Text.Json.Nodes.JsonObject schema = SchemaFields.Describe(kind);
        foreach (string name in (schema["required"]?.AsArray() ?? []).Select(n => (string)n!))
        {
            var tree = (List<object?>)CborTree.Read(MessageCodec.Encode(sent))!;
            ((SortedDictionary<long, object?>)tree[2]!).Remove((int)schema["properties"]![name]!["x-cbor-key"]!);
            Assert.False(MessageCodec.TryDecode(CborTree.Write(tree), out _, out CodecError error));
            Assert.Equal((CodecFault.Missing, name), (error.Fault, JsonFields.Snake(error.Field)));
        }
    }

    [Fact]
    public void An_ad_of_ten_tasks_takes_at_most_two_fifths_of_its_json()
    {
        foreach (Ad ad in new[] { Samples.AdOf(10, 1), Samples.AdOf(1, 10) })
        {
            int cbor = MessageCodec.Encode(ad).Length;
            int json = JsonFields.Write(ad).Length;
            output.WriteLine($"{ad.Groups.Length} groups: {cbor} bytes of CBOR, {json} of JSON: {cbor * 100 / json} %");
            Assert.InRange(cbor, 1, json * 40 / 100);
        }
    }

    [Fact]
    public void Attempts_of_one_job_in_a_row_take_a_byte_each()
    {
        ImmutableArray<AttemptId> attempts = [.. Enumerable.Range(5_000, 1_000).Select(Samples.Attempt)];
        Assert.InRange(MessageCodec.Encode(new ResultAck(attempts)).Length, 1_000, 1_050);
    }

    [Fact]
    public void Another_major_version_is_told_from_nonsense()
    {
        byte[] frame = MessageCodec.Encode(Samples.All[0]);
        frame[1] = 2;
        Assert.False(MessageCodec.TryDecode(frame, out _, out CodecError error));
        Assert.Equal((CodecFault.UnknownVersion, true), (error.Fault, error.IsNewer));
        frame[1] = 1;
        frame[2] = 23;
        frame = [.. frame[..2], 0x18, 200, .. frame[3..]];
        Assert.False(MessageCodec.TryDecode(frame, out _, out error));
        Assert.Equal((CodecFault.UnknownKind, true), (error.Fault, error.IsNewer));
    }

    [Fact]
    public void Values_of_a_newer_enumeration_are_read_as_their_field_says()
    {
        Assert.Equal(RefusalReason.Degraded, Changed<Refusal>(2, 0, 2).Entries[0].Reason);
        Assert.Equal(NackReason.Invalid, Changed<Nack>(2).Reason);
        Assert.Equal(CancelReason.Superseded, Changed<Cancel>(2).Reason);
        Assert.Equal(Outcome.Failed, Changed<Result>(2, 0, 2).Entries[0].Outcome);

        List<object?> tree = Change(Samples.All.OfType<Notice>().Single(), 1);
        Assert.False(MessageCodec.TryDecode(CborTree.Write(tree), out _, out CodecError error));
        Assert.Equal((CodecFault.UnknownValue, true), (error.Fault, error.IsNewer));

        static T Changed<T>(params int[] path)
            where T : Message
        {
            List<object?> tree = Change(Samples.All.OfType<T>().Single(), path);
            Assert.True(MessageCodec.TryDecode(CborTree.Write(tree), out Message? message, out CodecError error), error.ToString());
            return (T)message;
        }
    }

    [Theory]
    [MemberData(nameof(Refused))]
    public void What_a_record_rules_out_is_neither_read_nor_sent(string what, Message message, CodecFault fault, string field)
    {
        Assert.False(MessageCodec.TryEncode(message, new System.Buffers.ArrayBufferWriter<byte>(), out CodecError error), what);
        Assert.Equal((what, fault, field), (what, error.Fault, error.Field));
        Assert.Throws<InvariantException>(() => MessageCodec.Encode(message));
    }

    public static TheoryData<string, Message, CodecFault, string> Refused()
    {
        Ad ad = Samples.AdOf(1, 1);
        TaskGroup group = ad.Groups[0];
        Confirm confirm = Samples.All.OfType<Confirm>().Single();
        Cancel cancel = Samples.All.OfType<Cancel>().Single();
        return new()
        {
            { "negative amount", With(group with { Resources = new() { MilliCpus = -1 } }), CodecFault.OutOfRange, "MilliCpus" },
            { "amount above 2^53", With(group with { Resources = new() { DiskBytes = ResourceRequest.AmountMax + 1 } }), CodecFault.OutOfRange, "DiskBytes" },
            { "negative price", With(group with { Bid = new Price(-1) }), CodecFault.OutOfRange, "Bid" },
            { "price above the limit", With(group with { Bid = new Price(Price.LimitMax.MicroPerHour + 1) }), CodecFault.OutOfRange, "Bid" },
            { "no tasks", With(group with { Count = 0 }), CodecFault.OutOfRange, "Count" },
            { "negative group", With(group with { Id = -1 }), CodecFault.OutOfRange, "Id" },
            { "group twice", ad with { Groups = [group, group] }, CodecFault.Rule, "Groups" },
            { "negative duration", ad with { Stands = TimeSpan.FromTicks(-1) }, CodecFault.OutOfRange, "Stands" },
            { "share of two", With(group with { Resources = new() { Gpu = new() { Count = 2, Share = 5 } } }), CodecFault.Rule, "Share" },
            { "names out of order", With(group with { Resources = new() { Named = [new("b", 1), new("a", 1)] } }), CodecFault.Rule, "Named" },
            { "name twice", With(group with { Resources = new() { Named = [new("a", 1), new("a", 1)] } }), CodecFault.Rule, "Named" },
            { "labels out of order", With(group with { Placement = new() { Labels = ["b", "a"] } }), CodecFault.Rule, "Labels" },
            { "too many labels", With(group with { Placement = new() { NotLabels = [.. new string[33].Select(_ => "a")] } }), CodecFault.TooMany, "NotLabels" },
            { "long label", With(group with { Placement = new() { Labels = [new string('é', 129)] } }), CodecFault.TooLong, "Labels" },
            { "no scheduler", ad with { Scheduler = default }, CodecFault.Missing, "Scheduler" },
            { "no principal", ad with { Principal = default }, CodecFault.Missing, "Principal" },
            { "epoch beyond a fence", ad with { Epoch = new Epoch(1L << 43) }, CodecFault.OutOfRange, "Epoch" },
            { "attempt 0", confirm with { Tasks = [confirm.Tasks[0] with { Attempt = 0 }] }, CodecFault.OutOfRange, "Attempt" },
            { "attempt beyond a fence", confirm with { Tasks = [confirm.Tasks[0] with { Attempt = 1 << 20 }] }, CodecFault.OutOfRange, "Attempt" },
            { "task 0", confirm with { Tasks = [confirm.Tasks[0] with { Number = 0 }] }, CodecFault.OutOfRange, "Number" },
            { "work that is not there", confirm with { Tasks = [confirm.Tasks[0] with { Work = 2 }] }, CodecFault.Rule, "Tasks" },
            { "long template", confirm with { Works = [confirm.Works[0] with { Template = [.. new byte[MessageLimits.TemplateBytes + 1]] }] }, CodecFault.TooLong, "Template" },
            { "frame too long", confirm with { Tasks = [.. Enumerable.Repeat(confirm.Tasks[0] with { Item = new string('x', 1_000) }, 2_000)] }, CodecFault.TooLong, "" },
            { "number 0", cancel with { Attempts = [new(new TaskId(default, 0), new Fence(1))] }, CodecFault.OutOfRange, "Attempts" },
            { "fence without attempt", cancel with { Attempts = [new(new TaskId(default, 1), new Fence(1L << 20))] }, CodecFault.Rule, "Attempts" },
            { "negative fence", cancel with { Attempts = [new(new TaskId(default, 1), new Fence(-1))] }, CodecFault.Rule, "Attempts" },
            { "no reason", cancel with { Reason = 0 }, CodecFault.OutOfRange, "Reason" },
        };

        Ad With(TaskGroup group) => ad with { Groups = [group] };
    }

    private static List<object?> Change(Message message, params int[] path)
    {
        var tree = (List<object?>)CborTree.Read(MessageCodec.Encode(message))!;
        object? at = tree[2];
        foreach (int step in path[..^1])
            at = at is List<object?> list ? list[step] : ((SortedDictionary<long, object?>)at!)[step];
        ((SortedDictionary<long, object?>)at!)[path[^1]] = 99L;
        return tree;
    }

    private Prng Seeded()
    {
        ulong seed = (ulong)Random.Shared.NextInt64();
        output.WriteLine($"seed {seed}");
        return new Prng(seed);
    }
}
