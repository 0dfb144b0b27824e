using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using Drap.Libp2p.Gossipsub;
using Drap.Libp2p.Keys;
using Drap.Libp2p.Multiformats;
using Xunit;

namespace Drap.Libp2p.Host.Tests;

/// <summary>What the README shows is this, compiled and run.</summary>
public sealed class ReadmeTests
{
    [Fact]
    public async Task The_example_runs()
    {
        using PrivateKey friendKey = Hosts.Key(7);
        await using Libp2pHost friend = await Hosts.StartAsync(7);
        await using var friendsPubsub = new PubSub(friend, friendKey);
        using TopicSubscription friendsNews = friendsPubsub.Subscribe("news");
        friend.Handle("/hello/1.0.0", async stream => await stream.WriteAndCloseAsync("hello, too"u8.ToArray()));
        // He says something as soon as somebody listens.
        Task answering = Task.Run(async () =>
        {
            GossipMessage heard = await friendsNews.ReadAsync();
            Assert.Equal("I am here", Encoding.UTF8.GetString(heard.Content.Data.Span));
            await friendsPubsub.PublishAsync("news", "and I"u8.ToArray());
        });

        // The example begins.
        using PrivateKey key = PrivateKey.FromSeed(RandomNumberGenerator.GetBytes(PrivateKey.SeedBytes));
        await using Libp2pHost host = await Libp2pHost.StartAsync(new HostOptions { Key = key, Listen = [Multiaddr.Parse("/ip4/0.0.0.0/tcp/0")] });
        await using var pubsub = new PubSub(host, key);
        using TopicSubscription news = pubsub.Subscribe("news");
        host.Handle("/hello/1.0.0", async stream => await stream.WriteAndCloseAsync("hello"u8.ToArray()));

        await host.ConnectAsync(friend.Self, friend.ListenAddresses);
        await pubsub.PublishAsync("news", "I am here"u8.ToArray());
        using P2pStream hello = await host.OpenStreamAsync(friend.Self, ["/hello/1.0.0"]);
        GossipMessage first = await news.ReadAsync();
        // The example ends.

        await answering.WaitAsync(Hosts.Patience);
        Assert.Equal("and I", Encoding.UTF8.GetString(first.Content.Data.Span));
        Assert.Equal("hello, too", Encoding.UTF8.GetString(await hello.ReadToEndAsync()));
    }

    [Fact]
    public void It_is_the_one_of_the_readme()
    {
        string[] source = File.ReadAllLines(Here());
        string[] example = [.. source.SkipWhile(l => !l.Contains("// The example begins.")).Skip(1).TakeWhile(l => !l.Contains("// The example ends.")).Select(l => l.Trim())];
        string readme = File.ReadAllText(Path.Combine(Path.GetDirectoryName(Here())!, "../../src/Drap.Libp2p.Host/README.md"));
        Assert.Contains("```csharp\n" + string.Join('\n', example) + "\n```", readme, StringComparison.Ordinal);
    }

    private static string Here([CallerFilePath] string path = "") => path;
}
