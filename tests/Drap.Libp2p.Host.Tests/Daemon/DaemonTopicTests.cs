using System.Buffers.Binary;
using System.Text;
using Drap.Libp2p.Daemon;
using Drap.Libp2p.Gossipsub;
using Drap.Libp2p.Host.Daemon;
using Xunit;

namespace Drap.Libp2p.Host.Tests.Daemon;

/// <summary>Topics through a daemon.</summary>
public sealed class DaemonTopicTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_program_hears_what_others_publish_and_is_told_who_hears()
    {
        await using DaemonPair pair = await DaemonPair.StartAsync(unix: true, hasServices: true);
        Assert.Empty(await pair.ClientB.GetTopicsAsync(Cancel));
        using DaemonSubscription topic = await pair.ClientB.SubscribeAsync("t", Cancel);
        Assert.Equal(["t"], await pair.ClientB.GetTopicsAsync(Cancel));
        await UntilAsync(async () => (await pair.ClientA.ListTopicPeersAsync("t", Cancel)).Length == 1, "a knows that b hears");
        Assert.Equal([pair.HostB.Self], await pair.ClientA.ListTopicPeersAsync("t", Cancel));
        Assert.Equal([pair.HostB.Self], await pair.ClientA.ListTopicPeersAsync("", Cancel));
        Assert.Empty(await pair.ClientA.ListTopicPeersAsync("other", Cancel));
        ulong last = 0;
        for (int i = 0; i < 3; i++)
        {
            await pair.ClientA.PublishAsync("t", Encoding.UTF8.GetBytes($"message {i}"), Cancel);
            PubsubMessage message = (await topic.NextAsync(Cancel).AsTask().WaitAsync(Hosts.Patience, Cancel))!;
            Assert.Equal((pair.HostA.Self, $"message {i}", "t"), (message.From, Encoding.UTF8.GetString(message.Data), Assert.Single(message.Topics)));
            ulong number = BinaryPrimitives.ReadUInt64BigEndian(message.SequenceNumber);
            Assert.True(number > last);
            last = number;
            // The key is in the name.
            Assert.Equal((64, null), (message.Signature!.Length, message.Key));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task With_its_last_subscriber_a_topic_is_left(bool halfOnly)
    {
        await using DaemonPair pair = await DaemonPair.StartAsync(unix: false, hasServices: true);
        using DaemonSubscription other = await pair.ClientB.SubscribeAsync("t", Cancel);
        using var client = new RawDaemonClient(pair.B);
        await client.SendAsync(new DaemonRequest.Subscribe("t"));
        Assert.Null((await client.ReadAsync()).Error);
        other.Dispose();
        await UntilAsync(async () => (await pair.ClientA.ListTopicPeersAsync("t", Cancel)).Length == 1, "a knows that b hears");
        await pair.ClientA.PublishAsync("t", "still heard"u8.ToArray(), Cancel);
        Assert.True(PubsubMessage.TryDecode(await client.ReadFrameAsync(), out PubsubMessage? message));
        Assert.Equal("still heard"u8, message.Data);
        Assert.Equal(["t"], pair.TopicsB!.Topics);
        if (halfOnly)
        {
            client.CloseWrite();
            Assert.Empty(await client.ReadToEndAsync());
        }
        else
        {
            client.Dispose();
        }
        await UntilAsync(() => Task.FromResult(pair.TopicsB.Topics.Count == 0), "b has left the topic");
        await UntilAsync(async () => (await pair.ClientA.ListTopicPeersAsync("t", Cancel)).IsEmpty, "a knows that b has left");
    }

    [Fact]
    public async Task Who_reads_slowly_loses_messages_and_holds_nobody_up()
    {
        await using DaemonPair pair = await DaemonPair.StartAsync(unix: true, hasServices: true);
        using TopicSubscription here = pair.TopicsB!.Subscribe("t");
        using var client = new RawDaemonClient(pair.B);
        await client.SendAsync(new DaemonRequest.Subscribe("t"));
        Assert.Null((await client.ReadAsync()).Error);
        await UntilAsync(async () => (await pair.ClientA.ListTopicPeersAsync("t", Cancel)).Length == 1, "a knows that b hears");
        // Each is more than the socket between the daemon and its program holds, and one more waits behind it.
        byte[] data = new byte[1_000_000];
        async Task PublishAsync(int number)
        {
            data[0] = (byte)number;
            await pair.ClientA.PublishAsync("t", data, Cancel);
            Assert.Equal(number, (await here.ReadAsync(Cancel).AsTask().WaitAsync(Hosts.Patience, Cancel)).Content.Data.Span[0]);
        }
        async Task<int> NextAsync()
        {
            Assert.True(PubsubMessage.TryDecode(await client.ReadFrameAsync(), out PubsubMessage? message));
            return message.Data[0];
        }
        await PublishAsync(0);
        await client.WaitAsync();
        for (int i = 1; i < 20; i++)
            await PublishAsync(i);
        // Of those that found no room the newest were lost; and when there is room again, what is new is heard.
        Assert.Equal((0, 1), (await NextAsync(), await NextAsync()));
        await PublishAsync(20);
        Assert.Equal(20, await NextAsync());
    }

    [Fact]
    public async Task What_no_topic_can_be_is_refused_and_the_connection_goes_on()
    {
        await using DaemonPair pair = await DaemonPair.StartAsync(unix: true, hasServices: true);
        using var client = new RawDaemonClient(pair.A);
        string tooLong = new('t', new GossipLimits().TopicBytesMax + 1);
        await client.SendAsync(new DaemonRequest.Subscribe(tooLong));
        Assert.Contains("no topic can have that name", (await client.ReadAsync()).Error, StringComparison.Ordinal);
        await client.SendAsync(new DaemonRequest.Publish("t", new byte[new GossipLimits().MessageBytesMax + 1]));
        Assert.Equal("a message has at most 1044480 bytes", (await client.ReadAsync()).Error);
        await client.SendAsync(new DaemonRequest.GetTopics());
        Assert.Equal([], (await client.ReadAsync()).Topics!.Value);
    }

    private static async Task UntilAsync(Func<Task<bool>> condition, string what)
    {
        long end = Environment.TickCount64 + (long)Hosts.Patience.TotalMilliseconds;
        while (!await condition())
        {
            Assert.True(Environment.TickCount64 < end, $"it never came about: {what}");
            await Task.Delay(10, Cancel);
        }
    }
}
