using System.Text.Json;
using Drap.Cli;
using Drap.Core.Membership;
using Xunit;

namespace Drap.Tests.Cli;

/// <summary>The settings of a node as a person says them and is shown them.</summary>
public sealed class ConfigTests : IAsyncDisposable
{
    private readonly CliRunner cli = new();

    public ValueTask DisposeAsync() => cli.DisposeAsync();

    [Fact]
    public async Task Every_value_is_shown_with_who_said_it()
    {
        cli.Variables["DRAP_ZONE"] = "r7";
        string file = Settings("region: eu\nzone: r1\n");
        CliRunner.Result result = await cli.RunAsync("config", "show", "--origin", "--label", "a,b", "--no-mdns");
        Assert.Equal((ExitCode.Ok, ""), (result.Code, result.Err));
        string[][] rows = [.. result.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Split("  ", StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))];
        Assert.Equal(["SETTING", "VALUE", "FROM"], rows[0]);
        Assert.Contains(rows, r => r is ["region", "eu", var from] && from == $"{file}:1:9");
        Assert.Contains(rows, r => r is ["zone", "r7", "DRAP_ZONE"]);
        Assert.Contains(rows, r => r is ["labels", "[a, b]", "--labels"]);
        Assert.Contains(rows, r => r is ["mdns", "false", "--mdns"]);
        Assert.Contains(rows, r => r is ["prices.core", "0.04", "default"]);
        Assert.Contains(rows, r => r is ["cpu", _, "detected"]);
    }

    [Fact]
    public async Task As_json_there_is_what_a_program_wants()
    {
        Settings("prices:\n  gpus: {A100: 2.5}\n");
        using JsonDocument json = JsonDocument.Parse((await cli.RunAsync("config", "show", "-o", "json")).Out);
        JsonElement gpus = json.RootElement.GetProperty("settings").EnumerateArray().Single(s => s.GetProperty("setting").GetString() == "prices.gpus");
        Assert.Equal(("{ A100: 2.5 }", "--prices-gpus", "DRAP_PRICES_GPUS"), (gpus.GetProperty("value").GetString(), gpus.GetProperty("flag").GetString(), gpus.GetProperty("variable").GetString()));
        Assert.True(json.RootElement.GetProperty("file_is_there").GetBoolean());
    }

    [Fact]
    public async Task A_check_says_everything_that_is_wrong_and_starts_nothing()
    {
        string file = Settings("labls: [a]\nprices: {core: cheap}\n");
        CliRunner.Result result = await cli.RunAsync("config", "check");
        Assert.Equal((ExitCode.Usage, ""), (result.Code, result.Out));
        Assert.Contains($"{file}:1:1: labls: unknown field 'labls'; did you mean 'labels'?", result.Err, StringComparison.Ordinal);
        Assert.Contains($"{file}:2:16: prices.core: found 'cheap'", result.Err, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Usage, (await cli.RunAsync("up")).Code);
        Assert.Equal((ExitCode.Usage, 0), ((await cli.RunAsync("up", "--cpu", "1000000")).Code, cli.Started));
    }

    [Fact]
    public async Task Another_file_can_be_looked_at_and_one_that_is_named_must_be_there()
    {
        string file = cli.File("other.yaml", "region: eu\n");
        Assert.Contains($"{file} is right", (await cli.RunAsync("config", "check", "other.yaml")).Err, StringComparison.Ordinal);
        CliRunner.Result missing = await cli.RunAsync("config", "check", "nowhere.yaml");
        Assert.Equal(ExitCode.Usage, missing.Code);
        Assert.Contains("nowhere.yaml: the file cannot be read: it is not there", missing.Err, StringComparison.Ordinal);
        Assert.Contains("is not there: the defaults hold", (await cli.RunAsync("config", "check")).Err, StringComparison.Ordinal);
        Assert.Equal(Path.Combine(cli.Home.Folder.Path, "node.yaml") + "\n", (await cli.RunAsync("config", "path")).Out);
    }

    [Fact]
    public async Task What_up_is_told_reaches_the_node_and_its_first_start_writes_the_file()
    {
        cli.Node.ShutDown.TrySetResult();
        cli.Variables["DRAP_REGION"] = "eu";
        CliRunner.Result result = await cli.RunAsync("up", "--role", "worker,inviter", "--listen", "/ip4/127.0.0.1/tcp/0", "--no-mdns", "--hidden", "--name", "ant", "--no-ticket");
        Assert.Equal(ExitCode.Ok, result.Code);
        Assert.Equal(("ant", "eu", false, true, NodeRoles.Worker | NodeRoles.Inviter), (cli.Options!.Swarm!.Name, cli.Options.Swarm.Region, cli.Options.Swarm.Mdns, cli.Options.Swarm.Hidden, cli.Options.Swarm.Roles));
        Assert.Equal(("/ip4/127.0.0.1/tcp/0", 1, "eu"), (cli.Options.Swarm.Listen.Single().ToString(), cli.Options.Workers, cli.Options.Terms!.Region));
        Assert.StartsWith("# yaml-language-server: $schema=node.schema.json\n", File.ReadAllText(Path.Combine(cli.Home.Folder.Path, "node.yaml")), StringComparison.Ordinal);
    }

    /// <summary>Everybody on a machine can read the arguments of every process, and only its owner a process's variables.</summary>
    [Fact]
    public async Task A_node_in_the_background_gets_the_same_flags_and_no_ticket_among_them()
    {
        CliRunner.Result result = await cli.RunAsync("join", ticket, "--detach", "--label", "a,b", "--label", "c", "--mdns=false", "--name", "ant");
        Assert.Equal(ExitCode.Ok, result.Code);
        Assert.Equal(["join", "--no-ticket", "--name=ant", "--labels=a,b", "--labels=c", "--mdns=false"], cli.Background);
        Assert.Null(Environment.GetEnvironmentVariable("DRAP_TICKET"));
    }

    [Theory]
    [InlineData("-", ticket + "\n", null, "")]
    [InlineData(null, null, ticket, "")]
    [InlineData("-", "", null, "no ticket came on the standard input")]
    [InlineData(null, null, null, "no ticket\n")]
    [InlineData("-", "abc\n", null, "that is no ticket: one begins with drap1")]
    public async Task A_ticket_comes_by_the_standard_input_or_a_variable_too(string? typed, string? stdin, string? variable, string complaint)
    {
        cli.Node.ShutDown.TrySetResult();
        cli.Stdin = stdin is null ? null : System.Text.Encoding.UTF8.GetBytes(stdin);
        if (variable is not null)
            cli.Variables["DRAP_TICKET"] = variable;
        CliRunner.Result result = await cli.RunAsync(typed is null ? ["join", "--no-ticket"] : ["join", typed, "--no-ticket"]);
        Assert.Contains(complaint, result.Err, StringComparison.Ordinal);
        Assert.Equal(complaint.Length == 0 ? (ExitCode.Ok, 1) : (ExitCode.Usage, 0), (result.Code, cli.Started));
        if (complaint.Length == 0)
            Assert.Equal(ticket, TicketText.Encode(cli.Options!.Swarm!.Ticket!));
    }

    [Fact]
    public async Task The_doctor_says_of_each_thing_how_it_stands_and_ends_with_1_where_no_node_would_work()
    {
        CliRunner.Result well = await cli.RunAsync("doctor", "--no-mdns", "--listen", "/ip4/127.0.0.1/tcp/0", "-o", "json");
        using JsonDocument json = JsonDocument.Parse(well.Out);
        Assert.Equal((ExitCode.Ok, true), (well.Code, json.RootElement.GetProperty("works").GetBoolean()));
        Assert.Contains(json.RootElement.GetProperty("findings").EnumerateArray(), f => f.GetProperty("name").GetString() == "settings" && f.GetProperty("level").GetString() == "ok");
        string file = Settings("cpu: 1000000\n");
        CliRunner.Result ill = await cli.RunAsync("doctor", "--no-mdns", "--listen", "/ip4/127.0.0.1/tcp/0");
        Assert.Equal(ExitCode.Error, ill.Code);
        Assert.Contains($"fail  settings   {file}:1:6: cpu: found 1000000; allowed: more than 0 and at most ", ill.Out, StringComparison.Ordinal);
        Assert.Contains("→ mend them", ill.Out, StringComparison.Ordinal);
    }

    private const string ticket =
        "drap1abmigaiduuavqjqaeqeaceradnptpvc7xhaspaa57eewwge22akcynophqbbaefhf6bwucaxd6lqfanbafeai7yaaaaqnhvxaninjdqxordoiryzc4uslhmiz2vkcbadaunqaaabuidcz4l7fcvlaqq";

    private string Settings(string text)
    {
        Directory.CreateDirectory(cli.Home.Folder.Path);
        string file = Path.Combine(cli.Home.Folder.Path, "node.yaml");
        File.WriteAllText(file, text);
        return file;
    }
}
