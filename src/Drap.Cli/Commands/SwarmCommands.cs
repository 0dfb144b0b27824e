using System.Collections.Immutable;
using System.CommandLine;
using System.Globalization;
using Drap.Api.Json;
using Drap.Cli.Nodes;
using Drap.Cli.Output;
using Drap.Core.Membership;
using Drap.Node.Home;
using Drap.Node.Hosting;
using Drap.Node.Membership;

namespace Drap.Cli.Commands;

/// <summary>Who belongs to the swarm: <c>drap invite</c>, <c>drap node …</c>, <c>drap leave</c> and <c>drap swarm show</c>.</summary>
internal static class SwarmCommands
{
    public static IEnumerable<Command> All(Common common) => [Invite(common), Node(common), Leave(common), Swarm(common)];

    private static Command Invite(Common common)
    {
        var role = new Option<string?>("--role") { Description = $"What the newcomer may do, with commas between: {RoleWords.Form} [default: worker,scheduler]", HelpName = "ROLES" };
        var expires = new Option<TimeSpan?>("--expires") { Description = "How long the ticket is good, as 30m, 24h or 7d [default: 24h]", HelpName = "TIME", CustomParser = Time };
        var member = new Option<TimeSpan?>("--member-for") { Description = "How long the newcomer's certificate lasts [default: 365d]", HelpName = "TIME", CustomParser = Time };
        var principal = new Option<string?>("--principal") { Description = "Who is behind the newcomer [default: who is behind this node]", HelpName = "NAME" };
        return common.Command(
            "invite", "Print a ticket by which one more machine may join the swarm",
            ["drap invite", "drap invite --role worker --expires 1h", "drap invite --principal render-lab --expires 7d"],
            async call =>
            {
                await using NodeSession session = await UpAsync(call);
                TicketDocument ticket = await session.Node.InviteAsync(
                    new InviteRequest
                    {
                        Roles = call.Get(role) is { } roles ? [.. roles.Split(',', StringSplitOptions.TrimEntries)] : [], Principal = call.Get(principal),
                        GoodForSeconds = call.Get(expires), MemberForSeconds = call.Get(member),
                    }, call.Cancel);
                call.Screen.Say($"for {string.Join(", ", ticket.Roles)} of {ticket.Principal}, good once, before {ticket.Expires}; keep it as a password. On that machine: drap join TICKET");
                call.Screen.Write(ticket, ApiJson.Indented.TicketDocument, o => o.WriteLine(ticket.Ticket), () => [ticket.Ticket]);
                return ExitCode.Ok;
            }, role, expires, member, principal);
    }

    private static Command Node(Common common)
    {
        var named = new Argument<string>("NODE") { Description = "Its name, its peer id, or the end of that" };
        var drains = new Argument<string?>("NODE") { Description = "Its name, its peer id, or the end of that [default: this node]", Arity = ArgumentArity.ZeroOrOne };
        var reason = new Option<string?>("--reason") { Description = "A line for those who look later", HelpName = "TEXT" };
        return common.Command(
            "node", "The nodes of the swarm", ["drap node list", "drap node show render-3", "drap node remove render-3"],
            common.Command("list", "The members that are connected, this one first", ["drap node list", "drap node list -o json"], async call =>
            {
                await using NodeSession session = await UpAsync(call);
                MembershipDocument swarm = await session.Node.SwarmAsync(call.Cancel);
                call.Screen.Write(swarm, ApiJson.Indented.MembershipDocument, o => Nodes(swarm.Nodes, o), () => swarm.Nodes.Select(n => n.Name));
                return ExitCode.Ok;
            }),
            common.Command("show", "One node: who is behind it, what it may do, where it is", ["drap node show render-3"], async call =>
            {
                await using NodeSession session = await UpAsync(call);
                MembershipDocument swarm = await session.Node.SwarmAsync(call.Cancel);
                string text = call.Get(named)!;
                ImmutableArray<MemberDocument> meant =
                    [.. swarm.Nodes.Where(n => n.Name == text || n.Peer.ToString() == text || (text.Length >= 4 && n.Peer.ToString().EndsWith(text, StringComparison.Ordinal)))];
                if (meant.IsEmpty)
                    throw new CliException(ExitCode.Error, $"no node that is connected is called '{text}'", "drap node list");
                MembershipDocument found = swarm with { Nodes = meant, Invitations = [], Removed = [] };
                call.Screen.Write(found, ApiJson.Indented.MembershipDocument, o => meant.ToList().ForEach(n => Show(n, swarm, o)), () => meant.Select(n => n.Peer.ToString()));
                return ExitCode.Ok;
            }, named),
            common.Command(
                "drain", "Let a node take nothing new; what runs ends by itself", ["drap node drain", "drap node drain render-3"], async call =>
                {
                    await using NodeSession session = await UpAsync(call);
                    DrainedDocument drained = await session.Node.DrainAsync(new DrainRequest { Node = call.Get(drains) }, call.Cancel);
                    call.Screen.Say($"{drained.Name} takes nothing new until it is started again; what runs goes on. drap market shows how much; drap stop there ends it");
                    if (call.Screen.Format != OutputFormat.Table)
                        call.Screen.Write(drained, ApiJson.Indented.DrainedDocument, _ => { }, () => [drained.Peer.ToString()]);
                    return ExitCode.Ok;
                }, drains),
            common.Command("remove", "Shut a node out of the swarm for good, and all that it let in", ["drap node remove render-3 --reason 'sold'"], async call =>
            {
                await using NodeSession session = await UpAsync(call);
                RemovalReply reply = await session.Node.RemoveAsync(new RemovalRequest { Node = call.Get(named)!, Reason = call.Get(reason) ?? "" }, call.Cancel);
                call.Screen.Write(
                    reply, ApiJson.Indented.RemovalReply, o => o.WriteLine($"{reply.Removed.Name ?? reply.Removed.Peer.Short} ({reply.Removed.Peer}) is removed"),
                    () => [reply.Removed.Peer.ToString()]);
                return ExitCode.Ok;
            }, named, reason));
    }

    private static Command Leave(Common common)
    {
        var force = new Option<bool>("--force") { Description = "Also with open jobs, and where the swarm was founded: its key goes with it" };
        return common.Command("leave", "Leave the swarm for good; the home keeps its jobs and belongs to no swarm then", ["drap leave"], async call =>
        {
            MembershipFolder folder = MembershipFolder.Of(call.Home);
            if (!folder.Exists)
                throw new CliException(ExitCode.Error, $"{call.Home} belongs to no swarm", "drap up begins one, drap join TICKET joins one");
            if (folder.IsFounders && !call.Get(force))
                throw new CliException(
                    ExitCode.Error, "the swarm was founded here: without its key nobody can be let in or removed by it again", $"keep {folder.FounderKeyFile} elsewhere, then drap leave --force");
            await using (NodeSession? session = await NodeSession.FindAsync(call.Home, call.Cancel))
            {
                if (session is not null)
                {
                    NodeDocument node = await session.Node.NodeAsync(call.Cancel);
                    if (node.OpenJobs > 0 && !call.Get(force))
                        throw new CliException(ExitCode.Error, $"{Words.Count(node.OpenJobs, "job")} of this home have not ended", "drap job list; cancel them or wait, or drap leave --force");
                    if (node.Mode == "up")
                        await session.Node.LeaveAsync(call.Cancel);
                    await session.Node.ShutdownAsync(call.Cancel);
                    await NodeCommands.AwaitEndAsync(call);
                }
                else
                {
                    call.Screen.Say("the node is not up: the others are not told. drap node remove there shuts it out");
                }
            }
            using HomeLock held = HomeLock.TryTake(call.Home)
                ?? throw new CliException(ExitCode.Error, $"process {HomeLock.HolderOf(call.Home)} has {call.Home}", "end it first: drap stop");
            SwarmEntry.Forget(call.Home);
            call.Screen.Say("this home belongs to no swarm any more");
            return ExitCode.Ok;
        }, force);
    }

    private static Command Swarm(Common common) => common.Command(
        "swarm", "The swarm that this home belongs to", ["drap swarm show"],
        common.Command("show", "Its name, its members, the tickets that are out, and who was removed", ["drap swarm show", "drap swarm show -o json"], async call =>
        {
            await using NodeSession session = await UpAsync(call);
            MembershipDocument swarm = await session.Node.SwarmAsync(call.Cancel);
            call.Screen.Write(swarm, ApiJson.Indented.MembershipDocument, o => Show(swarm, o), () => [swarm.Swarm.ToString()]);
            return ExitCode.Ok;
        }));

    /// <summary>The node that is up; what concerns the swarm only that one knows.</summary>
    private static async Task<NodeSession> UpAsync(Invocation call) => await NodeSession.FindAsync(call.Home, call.Cancel) ?? throw new CliException(
        ExitCode.Error, $"no node is up in {call.Home}", MembershipFolder.Of(call.Home).Exists ? "drap up starts it" : "drap up begins a swarm, drap join TICKET joins one");

    private static void Show(MembershipDocument swarm, TextWriter output)
    {
        output.WriteLine($"swarm {swarm.Name} ({swarm.Swarm}){(swarm.IsFounder ? ", founded here" : swarm.MayInvite ? ", this node may let others in" : "")}");
        output.WriteLine();
        Nodes(swarm.Nodes, output);
        if (!swarm.Invitations.IsEmpty)
        {
            output.WriteLine();
            var tickets = new TextTable("ticket for", "principal", "good until", "used by");
            foreach (InvitationDocument one in swarm.Invitations)
                tickets.Row(string.Join(",", one.Roles), one.Principal, one.Expires.ToString(), one.UsedBy is { } peer ? $"{one.UsedByName} ({peer.Short})" : "-");
            tickets.Write(output);
        }
        if (swarm.Removed.IsEmpty)
            return;
        output.WriteLine();
        var removed = new TextTable("removed", "by", "at", "reason");
        foreach (RemovedDocument one in swarm.Removed)
            removed.Row(one.Peer.ToString(), one.By == swarm.Swarm ? "founder" : one.By.Short, one.At.ToString(), one.Reason);
        removed.Write(output);
    }

    private static void Nodes(ImmutableArray<MemberDocument> nodes, TextWriter output)
    {
        var table = new TextTable("node", "peer", "principal", "roles", "certificate until", "here");
        foreach (MemberDocument node in nodes)
            table.Row(node.Name, node.Peer.Short, node.Principal, string.Join(",", node.Roles), node.Expires.ToString(), node.IsHere ? "yes" : "");
        table.Write(output);
    }

    private static void Show(MemberDocument node, MembershipDocument swarm, TextWriter output)
    {
        output.WriteLine($"{node.Name} ({node.Peer})");
        output.WriteLine($"  principal    {node.Principal}");
        output.WriteLine($"  roles        {string.Join(", ", node.Roles)}");
        output.WriteLine($"  let in by    {(node.Issuer == swarm.Swarm ? "the founder" : node.Issuer.ToString())}");
        output.WriteLine($"  certificate  until {node.Expires}");
        foreach (string address in node.Addresses)
            output.WriteLine($"  at           {address}");
    }

    private static TimeSpan? Time(System.CommandLine.Parsing.ArgumentResult result)
    {
        string text = result.Tokens is [var token] ? token.Value : "";
        int unit = text.Length == 0 ? 0 : text[^1] switch { 's' => 1, 'm' => 60, 'h' => 3600, 'd' => 86_400, _ => 0 };
        if (unit > 0 && int.TryParse(text[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out int count) && count is > 0 and <= 1_000_000)
            return TimeSpan.FromSeconds((double)count * unit);
        result.AddError($"{result.Argument.Name}: found '{text}'; allowed: a whole number and s, m, h or d, such as 24h");
        return null;
    }
}
