using System.Collections.Immutable;
using System.CommandLine;
using Drap.Api.Json;
using Drap.Cli.Nodes;
using Drap.Cli.Output;
using Drap.Core.Membership;
using Drap.Libp2p.Multiformats;
using Drap.Node.Home;
using Drap.Node.Hosting;
using Drap.Node.Membership;
using Drap.Node.Overlay;

namespace Drap.Cli.Commands;

/// <summary><c>drap up</c> and <c>drap join</c>: this machine as a node of a swarm that only members take part in.</summary>
internal sealed class UpCommand
{
    /// <summary>How long a node in the background may take until it answers: a join over a slow link, and the replay of a large journal.</summary>
    private static readonly TimeSpan startPatience = TimeSpan.FromMinutes(2);

    private readonly Argument<string> ticket = new("TICKET") { Description = "The word that drap up or drap invite printed on a machine of the swarm" };
    private readonly Option<string?> name = new("--name") { Description = "What people call this node [default: the machine's name]", HelpName = "NAME" };
    private readonly Option<string?> swarm = new("--swarm") { Description = "What people call a swarm that begins here [default: the node's name]", HelpName = "NAME" };
    private readonly Option<string?> principal = new("--principal") { Description = "Who is behind this node, where a swarm begins here [default: your user name]", HelpName = "NAME" };
    private readonly Option<string?> role = new("--role") { Description = "What it is to be now, of what its certificate allows, with commas between [default: all but gateway]", HelpName = "ROLES" };
    private readonly Option<string[]> listen = new("--listen") { Description = "Where it listens; may be repeated [default: /ip4/0.0.0.0/tcp/ and the port of the last time, or a free one]", HelpName = "MULTIADDR" };
    private readonly Option<string[]> announce = new("--announce") { Description = "Addresses to tell others besides, such as a router's outside; may be repeated", HelpName = "MULTIADDR" };
    private readonly Option<bool> quietLan = new("--no-mdns") { Description = "Neither look for nodes on the LAN nor be found there" };
    private readonly Option<bool> hidden = new("--hidden") { Description = "Nobody can dial this machine: reach it by gateways at once, without finding that out first" };
    private readonly Option<string> region = new("--region") { Description = "The region of its ads and workers", HelpName = "REGION", DefaultValueFactory = _ => "local" };
    private readonly Option<string?> workers = new("--workers")
    {
        Description = "How many share this machine, or a file that gives each its resources, labels, region and prices; read again when it changes [default: 1]", HelpName = "N|FILE",
    };
    private readonly Option<bool> noTicket = new("--no-ticket") { Description = "Hand out no ticket; drap invite does later" };
    private readonly Option<bool> detach = new("--detach", "-d") { Description = "Return when the node is up; drap stop ends it" };

    public static IEnumerable<Command> All(Common common)
    {
        var up = new UpCommand();
        yield return common.Command(
            "up", "Be a node of a swarm: of the one that this home belongs to, or of a new one; prints a ticket for the next machine",
            ["drap up", "drap up --detach --name render-3", "drap up --role scheduler,gateway,inviter --listen /ip4/0.0.0.0/tcp/4001", "drap up -o json"],
            call => up.RunAsync(call, null),
            [up.name, up.swarm, up.principal, .. up.Shared]);
        var join = new UpCommand();
        yield return common.Command(
            "join", "Join a swarm by a ticket, and be a node of it", ["drap join drap1…", "drap join drap1… --detach --name render-4"],
            call => join.RunAsync(call, call.Get(join.ticket)!),
            [join.ticket, join.name, .. join.Shared]);
    }

    private Symbol[] Shared => [role, region, workers, listen, announce, hidden, quietLan, noTicket, detach];

    private async Task<int> RunAsync(Invocation call, string? word)
    {
        NodeHostOptions options = Read(call, word);
        return call.Get(detach) ? await DetachAsync(call, word, options, !call.Get(noTicket)) : await StayAsync(call, options, !call.Get(noTicket));
    }

    private static async Task<int> StayAsync(Invocation call, NodeHostOptions options, bool invites)
    {
        await using NodeSession session = await NodeSession.EmbedAsync(call.Context, call.Home, options, ConsoleLogs.Create(call.Context.Err), call.Cancel);
        if (session.Host is not { } host)
            throw Served(call);
        await SayAsync(call, session.Node, invites, "Ctrl+C stops it; jobs are kept and resumed when it is up again");
        try
        {
            await host.Completion.WaitAsync(call.Cancel);
        }
        catch (OperationCanceledException) when (call.Context.Interrupts.Any)
        {
            call.Screen.Say("\nstopping");
        }
        return ExitCode.Ok;
    }

    private static async Task<int> DetachAsync(Invocation call, string? word, NodeHostOptions options, bool invites)
    {
        await using (NodeSession? present = await NodeSession.FindAsync(call.Home, call.Cancel))
        {
            if (present is not null)
                throw Served(call);
        }
        SwarmOptions swarming = options.Swarm!;
        ImmutableArray<string> command =
        [
            .. word is null ? (string[])["up"] : ["join", word], "--no-ticket", "--name", swarming.Name, "--region", swarming.Region, "--workers", options.WorkersFile ?? Words.Of(options.Workers!.Value),
            .. word is null ? (string[])["--swarm", swarming.SwarmName, "--principal", swarming.Principal] : [],
            .. swarming.Roles is { } roles ? (string[])["--role", string.Join(',', RoleWords.Of(roles))] : [], .. swarming.Mdns ? (string[])[] : ["--no-mdns"], .. swarming.Hidden ? (string[])["--hidden"] : [],
            .. swarming.Listen.SelectMany(a => (string[])["--listen", a.ToString()]), .. swarming.Announce.SelectMany(a => (string[])["--announce", a.ToString()]),
        ];
        await using NodeSession session = await NodeSession.BackgroundAsync(call.Context, call.Home, command, startPatience, call.Cancel);
        await SayAsync(call, session.Node, invites, "drap stop ends it; drap up -d starts it again");
        return ExitCode.Ok;
    }

    private static async Task SayAsync(Invocation call, INodeService node, bool invites, string end)
    {
        MembershipDocument swarm = await node.SwarmAsync(call.Cancel);
        TicketDocument? ticket = swarm.MayInvite && invites ? await node.InviteAsync(new InviteRequest(), call.Cancel) : null;
        var document = new UpDocument { Swarm = swarm, Ticket = ticket, Pid = (await node.NodeAsync(call.Cancel)).Pid };
        call.Screen.Say($"{call.Screen.Bold(swarm.Nodes[0].Name)} is up in the swarm {call.Screen.Bold(swarm.Name)} ({string.Join(", ", swarm.Nodes[0].Roles)}); {end}");
        if (ticket is not null)
            call.Screen.Say($"on the next machine, before {ticket.Expires}: drap join TICKET. The ticket is good once; keep it as a password:");
        call.Screen.Write(
            document, ApiJson.Line.UpDocument, o => o.Write(ticket is null ? "" : ticket.Ticket + "\n"), () => ticket is null ? [] : [ticket.Ticket]);
        call.Screen.Say(call.Screen.Faint("next, in another shell: drap node list · drap market · drap run examples/wordcount/job.yaml"));
    }

    private NodeHostOptions Read(Invocation call, string? word)
    {
        Ticket? read = null;
        string? error = null;
        if (word is not null && !TicketText.TryDecode(word, out read, out error))
            throw new CliException(ExitCode.Usage, error, "drap invite on a machine of the swarm prints another");
        if (!OverlayOptions.TryParseAddresses("--listen", call.Get(listen) ?? [], named: false, out ImmutableArray<Multiaddr> listens, out error)
            || !OverlayOptions.TryParseAddresses("--announce", call.Get(announce) ?? [], named: false, out ImmutableArray<Multiaddr> announces, out error))
            throw new CliException(ExitCode.Usage, error);
        NodeRoles? roles = null;
        if (call.Get(role) is { } said)
            roles = RoleWords.TryParse(said, out NodeRoles wanted) ? wanted : throw new CliException(ExitCode.Usage, $"--role: found '{said}'; allowed: {RoleWords.Form}");
        return NodeCommands.Workers(call, call.Get(workers) ?? "1") with
        {
            Mode = "up",
            Program = BackgroundNode.Program(),
            Swarm = new SwarmOptions
            {
                Ticket = read, Name = call.Get(name) ?? "", SwarmName = call.Get(swarm) ?? "", Principal = call.Get(principal) ?? "", Roles = roles, Listen = listens,
                Announce = announces, Mdns = !call.Get(quietLan), Hidden = call.Get(hidden), Region = call.Get(region)!,
            },
        };
    }

    private static CliException Served(Invocation call) => new(
        ExitCode.Error, $"process {HomeLock.HolderOf(call.Home)} serves {call.Home} already", "drap swarm show says whether it is up; drap stop ends it; or set DRAP_HOME to another folder");
}
