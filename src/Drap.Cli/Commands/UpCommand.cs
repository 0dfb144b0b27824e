using System.CommandLine;
using Drap.Api.Json;
using Drap.Cli.Nodes;
using Drap.Core.Membership;
using Drap.Node.Config;
using Drap.Node.Home;
using Drap.Node.Hosting;
using Drap.Node.Hosting.Workers;
using Drap.Node.Membership;

namespace Drap.Cli.Commands;

/// <summary><c>drap up</c> and <c>drap join</c>: this machine as a node of a swarm that only members take part in.</summary>
internal sealed class UpCommand
{
    /// <summary>How long a node in the background may take until it answers: a join over a slow link, and the replay of a large journal.</summary>
    private static readonly TimeSpan startPatience = TimeSpan.FromMinutes(2);

    /// <summary>Stands for the standard input, where a ticket is not to be seen in the list of processes.</summary>
    private const string fromStdin = "-";

    /// <summary>Where a ticket may stand instead of on the command line, which everybody on the machine can read.</summary>
    private const string ticketVariable = "DRAP_TICKET";

    private readonly Argument<string?> ticket = new("TICKET")
    {
        Description = $"The word that drap up or drap invite printed on a machine of the swarm; {fromStdin} reads it from the standard input, and without one ${ticketVariable} is it",
        Arity = ArgumentArity.ZeroOrOne,
    };
    private readonly SettingOptions settings = new();
    private readonly Option<bool> noTicket = new("--no-ticket") { Description = "Hand out no ticket; drap invite does later" };
    private readonly Option<bool> detach = new("--detach", "-d") { Description = "Return when the node is up; drap stop ends it" };

    public static IEnumerable<Command> All(Common common)
    {
        var up = new UpCommand();
        yield return common.Command(
            "up", "Be a node of a swarm: of the one that this home belongs to, or of a new one; prints a ticket for the next machine",
            ["drap up", "drap up --detach --name render-3 --cpu 4", "drap up --gateway --listen /ip4/0.0.0.0/tcp/4001", "drap up --idle-timeout 10m", "drap up -o json"],
            call => up.RunAsync(call, null),
            [.. up.settings.All, up.noTicket, up.detach]);
        var join = new UpCommand();
        yield return common.Command(
            "join", "Join a swarm by a ticket, and be a node of it",
            ["drap join drap1…", "drap join - < ticket", "drap join drap1… --detach --name render-4", "drap join drap1… --allow render-lab --memory 8GiB"],
            call => join.RunAsync(call, join.Word(call)),
            [join.ticket, .. join.settings.All, join.noTicket, join.detach]);
    }

    private async Task<int> RunAsync(Invocation call, string? word)
    {
        (NodeConfig config, MachineResources machine) = settings.Read(call);
        NodeHostOptions options = Read(config.Spec, word);
        return call.Get(detach) ? await DetachAsync(call, word, !call.Get(noTicket)) : await StayAsync(call, options, machine, !call.Get(noTicket));
    }

    /// <summary>The ticket, wherever it stands.</summary>
    private string Word(Invocation call)
    {
        string? said = call.Get(ticket);
        if (said is null && call.Context.Variable(ticketVariable) is { Length: > 0 } hidden)
        {
            // Not for what is started here: it is good once.
            Environment.SetEnvironmentVariable(ticketVariable, null);
            said = hidden;
        }
        if (said == fromStdin)
        {
            using var input = new StreamReader(call.Context.Stdin());
            said = input.ReadLine();
        }
        return string.IsNullOrWhiteSpace(said)
            ? throw new CliException(
                ExitCode.Usage, call.Get(ticket) == fromStdin ? "no ticket came on the standard input" : "no ticket",
                $"drap join TICKET, drap join - with the ticket on the standard input, or {ticketVariable}=TICKET; drap invite on a machine of the swarm prints one")
            : said.Trim();
    }

    private static async Task<int> StayAsync(Invocation call, NodeHostOptions options, MachineResources machine, bool invites)
    {
        await using NodeSession session = await NodeSession.EmbedAsync(call.Context, call.Home, options, ConsoleLogs.Create(call.Context.Err), call.Cancel);
        if (session.Host is not { } host)
            throw Served(call);
        if (NodeConfigFile.Make(call.Home, machine.WordsOf))
            call.Screen.Say(call.Screen.Faint($"its settings are {ConfigSources.FileOf(call.Home)}; drap config show says what holds"));
        try
        {
            await SayAsync(call, session.Node, invites, "Ctrl+C stops it; jobs are kept and resumed when it is up again");
        }
        catch (ApiException e) when (e.Error.Code == ErrorCodes.ShuttingDown)
        {
            // Its own end has come while it was starting: that is how it is meant to end, as later.
        }
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

    private async Task<int> DetachAsync(Invocation call, string? word, bool invites)
    {
        await using (NodeSession? present = await NodeSession.FindAsync(call.Home, call.Cancel))
        {
            if (present is not null)
                throw Served(call);
        }
        // Its arguments can be read by everybody as long as it runs, its variables only by its owner.
        if (word is not null)
            Environment.SetEnvironmentVariable(ticketVariable, word);
        try
        {
            await using NodeSession session = await NodeSession.BackgroundAsync(
                call.Context, call.Home, [word is null ? "up" : "join", "--no-ticket", .. settings.Typed(call)], startPatience, call.Cancel);
            await SayAsync(call, session.Node, invites, "drap stop ends it; drap up -d starts it again");
        }
        finally
        {
            Environment.SetEnvironmentVariable(ticketVariable, null);
        }
        return ExitCode.Ok;
    }

    private static async Task SayAsync(Invocation call, INodeService node, bool invites, string end)
    {
        MembershipDocument swarm = await node.SwarmAsync(call.Cancel);
        TicketDocument? ticket = swarm.MayInvite && invites ? await node.InviteAsync(new InviteRequest(), call.Cancel) : null;
        NodeDocument here = await node.NodeAsync(call.Cancel);
        var document = new UpDocument { Swarm = swarm, Ticket = ticket, Pid = here.Pid };
        call.Screen.Say($"{call.Screen.Bold(swarm.Nodes[0].Name)} is up in the swarm {call.Screen.Bold(swarm.Name)} ({string.Join(", ", swarm.Roles)}); {end}");
        if (here.StandsBy)
            call.Screen.Say(here.StandsByFor is { } leader ? $"it stands by for the scheduler {leader}, and leads when that is gone" : "it stands by, and cannot take a scheduler's place yet");
        if (ticket is not null)
            call.Screen.Say($"on the next machine, before {ticket.Expires}: drap join TICKET. The ticket is good once; keep it as a password:");
        call.Screen.Write(
            document, ApiJson.Line.UpDocument, o => o.Write(ticket is null ? "" : ticket.Ticket + "\n"), () => ticket is null ? [] : [ticket.Ticket]);
        call.Screen.Say(call.Screen.Faint("next, in another shell: drap node list · drap market · drap run examples/wordcount/job.yaml"));
    }

    private static NodeHostOptions Read(NodeSpec spec, string? word)
    {
        Ticket? read = null;
        if (word is not null && !TicketText.TryDecode(word, out read, out string? error))
            throw new CliException(ExitCode.Usage, error, "drap invite on a machine of the swarm prints another");
        NodeRoles roles = spec.Roles.Aggregate(NodeRoles.None, (all, role) => all | RoleWords.Of(role.ToString().ToLowerInvariant()));
        return new NodeHostOptions
        {
            Mode = "up",
            Program = BackgroundNode.Program(),
            WorkersFile = spec.WorkersFile(),
            Journal = spec.Journal?.Value,
            Workers = spec.WorkerCount(),
            Terms = spec,
            Swarm = new SwarmOptions
            {
                Ticket = read, Name = spec.Name ?? "", SwarmName = spec.Swarm ?? "", Principal = spec.Principal ?? "", Roles = roles == NodeRoles.None ? null : roles,
                IsOnlyGateway = spec.Gateway && roles == NodeRoles.None, Listen = [.. spec.Listen.Select(a => a.Value)], Announce = [.. spec.Announce.Select(a => a.Value)],
                Mdns = spec.Mdns, Hidden = spec.Hidden, Region = spec.Region,
            },
        };
    }

    private static CliException Served(Invocation call) => new(
        ExitCode.Error, $"process {HomeLock.HolderOf(call.Home)} serves {call.Home} already", "drap swarm show says whether it is up; drap stop ends it; or set DRAP_HOME to another folder");
}
