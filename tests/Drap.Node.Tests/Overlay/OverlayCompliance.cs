// Every wait here has an end of its own (OverlayRecorder.Patience).
#pragma warning disable xUnit1051

using Drap.Node.Overlay;
using Xunit;

namespace Drap.Node.Tests.Overlay;

/// <summary>What every overlay must do, whoever carries it (docs/protocol/overlay.md has the list of what each can do besides).</summary>
public abstract class OverlayCompliance : OverlayStreamCompliance
{
    private const string Topic = "/test/topic";

    /// <summary>The longest frame that a topic carries; what is longer is lost without a word.</summary>
    protected virtual int PublishedBytesMax => IOverlay.FrameBytesMax;

    /// <summary>Whether others learn that a topic is heard no more.</summary>
    protected virtual bool LeavesTopics => true;

    [Fact]
    public async Task Frames_arrive_in_order_both_ways()
    {
        (OverlayRecorder a, IOverlay overA) = await JoinAsync("a");
        (OverlayRecorder b, IOverlay overB) = await JoinAsync("b", overA);
        Task there = Task.Run(() => SendAll(overA, overB.Self, 2000));
        Task back = Task.Run(() => SendAll(overB, overA.Self, 2000));
        await Task.WhenAll(there, back).WaitAsync(Patience);
        await b.UntilAsync(() => b.Count == 2000, "2 000 frames there");
        await a.UntilAsync(() => a.Count == 2000, "2 000 frames back");
        Assert.Equal(Enumerable.Range(0, 2000), b.Numbers(overA.Self));
        Assert.Equal(Enumerable.Range(0, 2000), a.Numbers(overB.Self));
        Assert.All(b.Frames, f => Assert.Equal(Frame(BitConverter.ToInt32(f.Bytes.Span)), f.Bytes.ToArray()));

        static void SendAll(IOverlay from, PeerId to, int count)
        {
            for (int i = 0; i < count; i++)
                Assert.True(from.SendWaiting(to, Frame(i)));
        }
    }

    [Fact]
    public async Task A_batch_leaves_at_its_end()
    {
        (_, IOverlay overA) = await JoinAsync("a");
        (OverlayRecorder b, IOverlay overB) = await JoinAsync("b", overA);
        using (overA.Batch())
        {
            using (overA.Batch())
                for (int i = 0; i < 500; i++)
                    Assert.True(overA.Send(overB.Self, Frame(i)));
            for (int i = 500; i < 1000; i++)
                Assert.True(overA.Send(overB.Self, Frame(i)));
        }
        await b.UntilAsync(() => b.Count == 1000, "1 000 frames of a batch");
        Assert.Equal(Enumerable.Range(0, 1000), b.Numbers());
    }

    [Fact]
    public async Task A_node_sends_to_itself()
    {
        (OverlayRecorder a, IOverlay overA) = await JoinAsync("a");
        Assert.True(overA.Send(overA.Self, Frame(7)));
        await a.UntilAsync(() => a.Count == 1, "a frame to itself");
        Assert.Equal(overA.Self, a.Frames[0].From);
    }

    [Fact]
    public async Task Who_takes_nothing_has_frames_refused_and_what_was_taken_arrives_in_order()
    {
        (_, IOverlay overA) = await JoinAsync("a");
        (OverlayRecorder b, IOverlay overB) = await JoinAsync("b", new OverlayRecorder(roomMax: 3), overA);
        byte[] frame = new byte[32 << 10];
        int taken = 0;
        // What nobody takes lies in the sender's queue and in windows: some tens of megabytes at most, whoever carries it.
        for (int refusals = 0; refusals < 100 && taken < 8192;)
        {
            BitConverter.TryWriteBytes(frame, taken);
            if (overA.Send(overB.Self, (byte[])frame.Clone()))
                taken++;
            else
                refusals++;
        }
        Assert.InRange(taken, 3, 8191);
        b.MakeRoom(int.MaxValue);
        await b.UntilAsync(() => b.Count == taken, $"all {taken} frames that were taken");
        Assert.Equal(Enumerable.Range(0, taken), b.Numbers());
        Assert.True(overA.SendWaiting(overB.Self, Frame(taken)));
        await b.UntilAsync(() => b.Count == taken + 1, "a frame after the room came");
    }

    [Fact]
    public async Task A_sender_that_waits_goes_on_when_there_is_room()
    {
        (_, IOverlay overA) = await JoinAsync("a");
        (OverlayRecorder b, IOverlay overB) = await JoinAsync("b", new OverlayRecorder(roomMax: 1), overA);
        const int Count = 1500;
        int sent = 0;
        Task sending = Task.Factory.StartNew(
            () =>
            {
                for (; sent < Count; Interlocked.Increment(ref sent))
                    Assert.True(overA.SendWaiting(overB.Self, Frame(sent, 32 << 10)));
            },
            TestContext.Current.CancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        await b.UntilAsync(() => b.Count == 1, "the one frame for which there is room");
        for (int i = 1; i < Count; i += 100)
        {
            b.MakeRoom(100);
            int expected = Math.Min(Count, i + 100);
            await b.UntilAsync(() => b.Count == expected, $"{expected} frames");
        }
        await sending.WaitAsync(Patience);
        Assert.Equal(Enumerable.Range(0, Count), b.Numbers());
    }

    [Fact]
    public async Task A_sender_that_waits_is_told_when_the_peer_goes()
    {
        (OverlayRecorder a, IOverlay overA) = await JoinAsync("a");
        (OverlayRecorder b, IOverlay overB) = await JoinAsync("b", new OverlayRecorder(roomMax: 1), overA);
        Task sending = Task.Factory.StartNew(
            () =>
            {
                for (int i = 0; overA.SendWaiting(overB.Self, Frame(i, 64 << 10)); i++)
                    Assert.InRange(i, 0, 100_000);
            },
            TestContext.Current.CancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        await b.UntilAsync(() => b.Count == 1, "a first frame");
        // A node's loop lets go of who waits for it before it leaves.
        Task leaving = LeaveAsync(overB);
        b.MakeRoom(int.MaxValue);
        await leaving;
        await a.UntilAsync(() => a.Gone.Contains(overB.Self), "the peer is gone");
        await sending.WaitAsync(Patience);
    }

    [Fact]
    public async Task The_longest_frame_arrives_and_a_longer_one_is_the_callers_mistake()
    {
        (OverlayRecorder a, IOverlay overA) = await JoinAsync("a");
        (OverlayRecorder b, IOverlay overB) = await JoinAsync("b", overA);
        overB.Subscribe(Topic);
        overA.Watch(Topic);
        await a.UntilAsync(() => a.AudienceOf(Topic).Contains(overB.Self), "b hears the topic");
        byte[] longest = RandomBytes(IOverlay.FrameBytesMax, 1);
        Assert.True(overA.Send(overB.Self, longest));
        await b.UntilAsync(() => b.Count == 1, "the longest frame");
        Assert.Equal(longest, b.Frames[0].Bytes.ToArray());
        byte[] published = longest[..PublishedBytesMax];
        overA.Publish(Topic, published);
        await b.UntilAsync(() => b.Count == 2, "the longest frame by a topic");
        Assert.Equal(published, b.Frames[1].Bytes.ToArray());
        byte[] longer = new byte[IOverlay.FrameBytesMax + 1];
        Assert.Throws<ArgumentException>(() => overA.Send(overB.Self, longer));
        Assert.Throws<ArgumentException>(() => overA.SendWaiting(overB.Self, longer));
        Assert.Throws<ArgumentException>(() => overA.Publish(Topic, longer));
        Assert.True(overA.Send(overB.Self, Frame(3)));
        await b.UntilAsync(() => b.Count == 3, "a frame after those that were refused");
    }

    [Fact]
    public async Task What_is_published_reaches_every_hearer_once_and_the_publisher_if_it_hears()
    {
        (OverlayRecorder a, IOverlay overA) = await JoinAsync("a");
        var others = new List<(OverlayRecorder Recorder, IOverlay Overlay)>();
        for (int i = 0; i < 4; i++)
            others.Add(await JoinAsync($"b{i}", [overA, .. others.Select(o => o.Overlay)]));
        (OverlayRecorder deaf, _) = await JoinAsync("deaf", overA);
        overA.Watch(Topic);
        foreach ((_, IOverlay overlay) in others)
            overlay.Subscribe(Topic);
        await a.UntilAsync(() => a.AudienceOf(Topic).Length == 4, "four hearers");
        for (int i = 0; i < 50; i++)
            overA.Publish(Topic, Frame(i));
        foreach ((OverlayRecorder b, _) in others)
            await b.UntilAsync(() => b.Count == 50, "50 messages");
        overA.Subscribe(Topic);
        await a.UntilAsync(() => a.AudienceOf(Topic).Length == 5, "the publisher hears, too");
        overA.Publish(Topic, Frame(50));
        await a.UntilAsync(() => a.Count == 1, "its own message");
        foreach ((OverlayRecorder b, _) in others)
        {
            await b.UntilAsync(() => b.Count == 51, "51 messages");
            // Not in order: signatures are checked on several threads.
            Assert.Equal(Enumerable.Range(0, 51), b.Numbers(overA.Self).Order());
        }
        Assert.Equal(0, deaf.Count);
        Assert.Equal((overA.Self, 50), (a.Frames[0].From, a.Numbers()[0]));
    }

    [Fact]
    public async Task Who_hears_a_topic_no_more_gets_nothing_more()
    {
        Assert.SkipUnless(LeavesTopics, "the daemon goes on hearing a topic for its node, and so others count it in");
        (OverlayRecorder a, IOverlay overA) = await JoinAsync("a");
        (OverlayRecorder b, IOverlay overB) = await JoinAsync("b", overA);
        (OverlayRecorder c, IOverlay overC) = await JoinAsync("c", overA, overB);
        overA.Watch(Topic);
        overB.Subscribe(Topic);
        overB.Subscribe(Topic);
        overC.Subscribe(Topic);
        await a.UntilAsync(() => a.AudienceOf(Topic).Length == 2, "two hearers");
        overA.Publish(Topic, Frame(1));
        await b.UntilAsync(() => b.Count == 1, "the first");
        await c.UntilAsync(() => c.Count == 1, "the first");
        overB.Unsubscribe(Topic);
        overB.Unsubscribe(Topic);
        await a.UntilAsync(() => a.AudienceOf(Topic).SequenceEqual([overC.Self]), "c alone");
        overA.Publish(Topic, Frame(2));
        await c.UntilAsync(() => c.Count == 2, "the second");
        Assert.True(overA.SendWaiting(overB.Self, Frame(3)));
        await b.UntilAsync(() => b.Count == 2, "a frame after it");
        Assert.Equal([1, 3], b.Numbers());
        overB.Subscribe(Topic);
        await a.UntilAsync(() => a.AudienceOf(Topic).Length == 2, "two hearers again");
        overA.Publish(Topic, Frame(4));
        await b.UntilAsync(() => b.Count == 3, "the fourth");
    }

    [Fact]
    public async Task A_watcher_is_told_who_hears_a_topic_at_once_and_at_each_change()
    {
        (OverlayRecorder a, IOverlay overA) = await JoinAsync("a");
        (_, IOverlay overB) = await JoinAsync("b", overA);
        (_, IOverlay overC) = await JoinAsync("c", overA);
        overA.Watch(Topic);
        await a.UntilAsync(() => a.AudienceOf(Topic).IsEmpty, "nobody yet");
        overB.Subscribe(Topic);
        await a.UntilAsync(() => a.AudienceOf(Topic).SequenceEqual([overB.Self]), "b");
        overC.Subscribe(Topic);
        PeerId[] both = [.. new[] { overB.Self, overC.Self }.Order()];
        await a.UntilAsync(() => a.AudienceOf(Topic).SequenceEqual(both), "b and c, in order");
        overA.Watch("/test/other");
        await a.UntilAsync(() => a.AudienceOf("/test/other").IsEmpty, "nobody on the other");
        await LeaveAsync(overB);
        await a.UntilAsync(() => a.AudienceOf(Topic).SequenceEqual([overC.Self]), "c alone when b has left");
    }

    [Fact]
    public async Task A_peer_that_goes_is_gone_and_frames_to_it_are_refused()
    {
        (OverlayRecorder a, IOverlay overA) = await JoinAsync("a");
        (OverlayRecorder b, IOverlay overB) = await JoinAsync("b", overA);
        Assert.True(overA.SendWaiting(overB.Self, Frame(1)));
        await b.UntilAsync(() => b.Count == 1, "a frame");
        Assert.Contains(overB.Self, overA.Peers);
        await LeaveAsync(overB);
        await a.UntilAsync(() => a.Gone.Contains(overB.Self), "b is gone");
        Assert.DoesNotContain(overB.Self, overA.Peers);
        // The first may be taken while somebody looks whether b is somewhere after all.
        using var late = new CancellationTokenSource(Patience);
        while (overA.Send(overB.Self, Frame(2)))
            await Task.Delay(10, late.Token);
        await Assert.ThrowsAsync<OverlayException>(async () => await overA.OpenStreamAsync(overB.Self, Echo, late.Token));
    }

    [Fact]
    public async Task A_peer_that_comes_back_under_its_name_is_met_again()
    {
        Assert.SkipUnless(KeepsNames, "a node's name is the daemon's here, which is not stopped with it");
        (OverlayRecorder a, IOverlay overA) = await JoinAsync("a");
        (OverlayRecorder b, IOverlay overB) = await JoinAsync("b", overA);
        overA.Watch(Topic);
        overB.Subscribe(Topic);
        Assert.True(overA.SendWaiting(overB.Self, Frame(1)));
        await b.UntilAsync(() => b.Count == 1, "a frame");
        await LeaveAsync(overB);
        await a.UntilAsync(() => a.Gone.Contains(overB.Self), "b is gone");
        (b, IOverlay again) = await JoinAsync("b", overA);
        Assert.Equal(overB.Self, again.Self);
        again.Subscribe(Topic);
        await a.UntilAsync(() => a.AudienceOf(Topic).SequenceEqual([again.Self]), "b hears again");
        Assert.True(again.SendWaiting(overA.Self, Frame(2)));
        await a.UntilAsync(() => a.Count == 1, "a frame from the new b");
        Assert.True(overA.SendWaiting(again.Self, Frame(3)));
        await b.UntilAsync(() => b.Count == 1, "a frame to the new b");
        Assert.Equal([3], b.Numbers());
        overA.Publish(Topic, Frame(4));
        await b.UntilAsync(() => b.Count == 2, "a message to the new b");
    }

    [Fact]
    public async Task Two_that_turn_to_each_other_at_once_lose_nothing()
    {
        (OverlayRecorder a, IOverlay overA) = await JoinAsync("a");
        (OverlayRecorder b, IOverlay overB) = await JoinAsync("b");
        overA.Know(overB.Self, overB.Addresses);
        overB.Know(overA.Self, overA.Addresses);
        using var start = new Barrier(2);
        Task there = Task.Run(() => SendAll(overA, overB.Self));
        Task back = Task.Run(() => SendAll(overB, overA.Self));
        await Task.WhenAll(there, back).WaitAsync(Patience);
        await b.UntilAsync(() => b.Count == 300, "300 there");
        await a.UntilAsync(() => a.Count == 300, "300 back");
        Assert.Equal(Enumerable.Range(0, 300), b.Numbers());
        Assert.Equal(Enumerable.Range(0, 300), a.Numbers());

        void SendAll(IOverlay from, PeerId to)
        {
            start.SignalAndWait();
            for (int i = 0; i < 300; i++)
                Assert.True(from.SendWaiting(to, Frame(i)));
        }
    }
}
