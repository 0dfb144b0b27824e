using System.Text.Json.Nodes;
using Drap.Tests.Interop.Peer;

// A drap host that does what it is told, in the lines of JSON that ../peer.js takes; its options and commands stand in DrapPeer.cs.
var writing = new Lock();
void Say(JsonObject line)
{
    string text = line.ToJsonString();
    lock (writing)
    {
        Console.Out.WriteLine(text);
        Console.Out.Flush();
    }
}

await using DrapPeer peer = await DrapPeer.StartAsync(JsonNode.Parse(args.Length > 0 ? args[0] : "{}")!.AsObject(), Say);
var running = new List<Task>();
while (await Console.In.ReadLineAsync() is { } line)
{
    JsonObject command = JsonNode.Parse(line)!.AsObject();
    running.RemoveAll(task => task.IsCompletedSuccessfully);
    running.Add(Task.Run(async () =>
    {
        try
        {
            JsonNode? result = await peer.DoAsync(command);
            Say(new JsonObject { ["id"] = command["id"]!.DeepClone(), ["result"] = result });
        }
        catch (Exception failure)
        {
            Say(new JsonObject { ["id"] = command["id"]!.DeepClone(), ["error"] = $"{failure.GetType().Name}: {failure.Message}" });
        }
    }));
}
return 0;
