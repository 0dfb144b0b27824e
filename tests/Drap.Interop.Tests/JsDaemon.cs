using System.Text.Json.Nodes;
using Drap.Libp2p.Multiformats;

namespace Drap.Tests.Interop;

/// <summary>js-libp2p's daemon as a process (tests/interop/daemon.js).</summary>
internal sealed class JsDaemon : IAsyncDisposable
{
    private readonly ChildProgram program;

    private JsDaemon(ChildProgram program, JsonObject about)
    {
        this.program = program;
        Control = Multiaddr.Parse(about["control"]!.GetValue<string>());
        Id = PeerId.TryParse(about["id"]!.GetValue<string>(), out PeerId id) ? id : throw new FormatException("the daemon's peer id");
    }

    /// <summary>Where it listens for clients.</summary>
    public Multiaddr Control { get; }

    public PeerId Id { get; }

    /// <summary>Starts one; the options are those of the interop suite.</summary>
    public static async Task<JsDaemon> StartAsync(JsonObject options)
    {
        ChildProgram program = ChildProgram.Start(null, "node", Path.Combine(JsPackages.Folder, "daemon.js"), options.ToJsonString());
        try
        {
            return new JsDaemon(program, JsonNode.Parse(await program.FirstLineAsync())!.AsObject());
        }
        catch (Exception)
        {
            await program.DisposeAsync();
            throw;
        }
    }

    public ValueTask DisposeAsync() => program.DisposeAsync();
}
