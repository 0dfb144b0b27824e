using System.Collections.Immutable;
using Drap.Core.Membership;
using Drap.Core.Nodes;
using Drap.Node.Blobs;
using Drap.Node.Drivers;
using Drap.Node.Evidences;
using Drap.Node.Home;
using Drap.Node.Hosting.Workers;
using Drap.Node.Identity;
using Drap.Node.Membership;
using Drap.Node.Overlay;
using Drap.Node.Time;
using Microsoft.Extensions.Logging;

namespace Drap.Node.Hosting;

/// <summary>A worker in a process of its own: its identity, its folder and its store, in a swarm that its overlay finds.</summary>
public sealed class WorkerHost : IAsyncDisposable
{
    /// <summary>Nodes of one machine have so many workers that none may take more than its part of a disk for what it only keeps in case.</summary>
    private readonly BlobKeeper keeper;

    private readonly BlobStore blobs;
    private readonly BootClock clock;
    private readonly WorkerLoop loop;
    private readonly IOverlay overlay;
    private readonly IDisposable? watching;
    private readonly Lifetime life;

    private WorkerHost(
        BlobStore blobs, BootClock clock, WorkerLoop loop, IOverlay overlay, IDisposable? watching, ILogger logger, Lifetime life)
    {
        this.blobs = blobs;
        this.clock = clock;
        this.loop = loop;
        this.overlay = overlay;
        this.watching = watching;
        this.life = life;
        keeper = new BlobKeeper(null, blobs, logger);
    }

    /// <summary>Its name on the overlay.</summary>
    public PeerId Peer => overlay.Self;

    /// <summary>Where it is reached.</summary>
    public ImmutableArray<string> Addresses => overlay.Addresses;

    /// <summary>Completes when it has stopped; with the fault, if one of its own ended it.</summary>
    public Task Completion => life.Completion;

    /// <summary>Starts one, and joins the swarm; when this ends it hears ads as soon as it has found somebody.</summary>
    /// <param name="home">The home of the swarm on this machine, in which its own folder lies.</param>
    /// <param name="name">Which of the workers it is.</param>
    /// <param name="choice">The workers; a file is looked at again when it changes.</param>
    /// <param name="region">The region of the swarm's scheduler.</param>
    /// <param name="joins">How it joins.</param>
    /// <param name="isMember">Whether it belongs to a swarm by certificates, which lie in its folder.</param>
    /// <param name="endsAt">When the node ends; null if it is to stay.</param>
    /// <param name="guard">The program that ends what this process cannot end any more, and its first words; empty for none.</param>
    /// <param name="warn">What its owner must know.</param>
    /// <param name="handlers">What <c>dotnet</c> tasks may call.</param>
    /// <param name="loggers">Where its log lines go.</param>
    /// <param name="cancel">Gives the start up.</param>
    /// <exception cref="HomeException">There is no such worker, or another process is it.</exception>
    /// <exception cref="OverlayException">It cannot listen, or its daemon does not answer.</exception>
    public static async Task<WorkerHost> StartAsync(
        HomeFolder home, string name, WorkerChoice choice, string region, OverlayOptions joins, bool isMember, Instant? endsAt, ImmutableArray<string> guard, Action<string> warn, HandlerRegistry handlers, ILoggerFactory loggers, CancellationToken cancel)
    {
        ILogger logger = loggers.CreateLogger("drap");
        WorkerSpec spec = choice.Read(home.Path).FirstOrDefault(s => s.Name == name)
            ?? throw new HomeException(HomeProblem.NotUsable, $"there is no worker {name}", "name one of the workers' file, or w1, w2 and so on");
        var folder = new WorkerFolder(home.WorkerFolder(name));
        NodeIdentity identity = NodeIdentity.Open(folder.IdentityFile);
        SwarmMembership? membership = isMember ? SwarmMembership.Open(folder.Membership, identity, NodeRoles.Scheduler, logger, warn) : null;
        if (membership is not null)
            joins = joins with { Gate = membership };
        PeerId self = await OverlayFactory.SelfAsync(joins, identity, cancel).ConfigureAwait(false);
        var life = new Lifetime();
        BlobStore blobs;
        try
        {
            blobs = BlobStore.Open(new BlobStoreOptions { Folder = Path.Combine(folder.Path, "blobs") });
        }
        catch (BlobStoreException e)
        {
            throw new HomeException(HomeProblem.NotUsable, e.Message, "an earlier process of this worker may be on its way out");
        }
        var clock = new BootClock();
        var loop = new WorkerLoop(folder, self, Told(spec), handlers, blobs, ownsBlobs: true, guard, clock, logger, life.Fail) { BlobRate = choice.Terms?.BlobRate.Bytes ?? 0 };
        if (membership is not null)
        {
            loop.MaySpeakFor = membership.MaySpeakFor;
            loop.Evidence = new EvidenceDesk(membership.Swarm, identity.OpenKey(), folder.EvidenceFolder, membership.PrincipalOf, loop.Complain);
            loop.Rights = new BlobRights(membership.Self.Principal, membership.PrincipalOf);
            loop.MayActFor = membership.MayActFor;
            membership.Drain = () => loop.Drain(TimeSpan.FromDays(7));
        }
        IOverlay overlay;
        try
        {
            overlay = await OverlayFactory.JoinAsync(joins, identity, loop, cancel).ConfigureAwait(false);
        }
        catch
        {
            loop.Dispose();
            blobs.Dispose();
            clock.Dispose();
            throw;
        }
        loop.Start(overlay);
        if (endsAt is { } end)
            loop.EndAt(end);
        // What is wrong with the file says the process that starts the workers, once for all.
        IDisposable? watching = choice.File is { } file ? WorkersFile.Watch(file, Configure, _ => { }) : null;
        return new WorkerHost(blobs, clock, loop, overlay, watching, logger, life);

        void Configure(ImmutableArray<WorkerSpec> changed)
        {
            if (changed.FirstOrDefault(s => s.Name == name) is { } mine)
                loop.Configure(Told(choice.Under(mine, changed.IndexOf(mine), changed.Length)));
            else
                loop.Drain(TimeSpan.FromDays(7));
        }

        // In a swarm whose nodes have certificates its owner is who stands there, and not who was at the terminal.
        WorkerOptions Told(WorkerSpec said) => said.Options with
        {
            Name = membership?.Self.Name ?? name, AlsoHears = [region],
            // Who lets others in by name lets himself in.
            Principals = membership is null || said.Options.Principals.IsEmpty ? said.Options.Principals : [.. said.Options.Principals.Append(membership.Self.Principal).Distinct()],
            Sandbox = membership is null ? said.Options.Sandbox : said.Options.Sandbox with { Owner = membership.Self.Principal },
        };
    }

    /// <summary>Completes when it has gone without being told, since the node's time is over or nobody needed it. One that was told to drain stays, to be seen.</summary>
    public Task<LeaveCause> WentByItself => loop.WentByItself;

    /// <summary>Takes nothing new from now on; what runs ends by itself, at most a week later.</summary>
    public void Drain() => loop.Drain(TimeSpan.FromDays(7));

    /// <summary>Kills what runs, without a grace and without a word: for a process that must end now.</summary>
    public void Abort() => loop.Dispose();

    /// <summary>Ends what runs, with a grace, and tells so; results that nobody took stay for the next start.</summary>
    public ValueTask DisposeAsync() => life.EndAsync(async () =>
    {
        watching?.Dispose();
        await Task.WhenAny(loop.DrainAsync(TimeSpan.Zero), Task.Delay(EmbeddedSwarm.StopGrace + TimeSpan.FromSeconds(1)), life.Completion).ConfigureAwait(false);
        loop.Dispose();
        await keeper.DisposeAsync().ConfigureAwait(false);
        await overlay.DisposeAsync().ConfigureAwait(false);
        blobs.Dispose();
        clock.Dispose();
    });
}
