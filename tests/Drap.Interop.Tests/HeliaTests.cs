using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Xunit;

namespace Drap.Tests.Interop;

/// <summary>
/// The same files in Helia, the IPFS of JavaScript: the same names where it cuts files as kubo does, and the blocks of a drap node are what it reads. Its
/// packages (tests/interop/helia) are installed by the first of these tests; without them they are skipped.
/// </summary>
public sealed class HeliaTests(JsPackages packages)
{
    private static readonly SemaphoreSlim installing = new(1);

    private static string Folder => Path.Combine(JsPackages.Folder, "helia");

    [Fact(Explicit = true)]
    public async Task A_file_has_the_name_that_helia_gives_it_and_helia_reads_its_blocks()
    {
        packages.Require();
        await RequireHeliaAsync();
        await using DevRoom dev = await DevRoom.StartAsync("--workers", "1");
        string address = dev.Swarm["nodes"]![0]!["addresses"]![0]!.GetValue<string>();
        foreach ((string name, int bytes) in new[] { ("empty", 0), ("small", 6), ("leaf", 262_144), ("two", 262_145), ("large", (175 * 262_144) + 5) })
        {
            byte[] content = new byte[bytes];
            new Random(bytes).NextBytes(content);
            string path = Path.Combine(dev.Folder, name);
            await File.WriteAllBytesAsync(path, content, TestContext.Current.CancellationToken);
            string cid = (await dev.ReadAsync("data", "put", path))["cid"]!.GetValue<string>();
            JsonNode made = await HeliaAsync(new JsonObject { ["add"] = path });
            Assert.Equal(cid, made["cid"]!.GetValue<string>());
            // Helia's own settings cut files into chunks of 1 MiB: names agree up to one chunk of ours.
            Assert.Equal(bytes <= 262_144, cid == made["helia"]!.GetValue<string>());
            JsonNode read = await HeliaAsync(new JsonObject { ["fetch"] = cid, ["from"] = address });
            Assert.Equal((bytes, Convert.ToHexStringLower(SHA256.HashData(content))), (read["bytes"]!.GetValue<int>(), read["sha256"]!.GetValue<string>()));
            Assert.Equal(Math.Max(1, (bytes + 262_143) / 262_144), read["blocks"]!.GetValue<int>());
        }
        Directory.CreateDirectory(Path.Combine(dev.Folder, "tree", "below"));
        foreach (string name in new[] { "small", "two", "empty" })
            File.Copy(Path.Combine(dev.Folder, name), Path.Combine(dev.Folder, "tree", name == "small" ? "below/small" : name));
        string root = (await dev.ReadAsync("data", "put", Path.Combine(dev.Folder, "tree")))["cid"]!.GetValue<string>();
        Assert.Equal(root, (await HeliaAsync(new JsonObject { ["add"] = Path.Combine(dev.Folder, "tree") }))["cid"]!.GetValue<string>());
    }

    private static async Task<JsonNode> HeliaAsync(JsonObject task)
    {
        await using ChildProgram node = ChildProgram.Start(null, "node", Path.Combine(Folder, "helia.js"), task.ToJsonString());
        return JsonNode.Parse(await node.FirstLineAsync())!;
    }

    private static async Task RequireHeliaAsync()
    {
        await installing.WaitAsync(TestContext.Current.CancellationToken);
        try
        {
            if (Directory.Exists(Path.Combine(Folder, "node_modules", "@helia", "unixfs")))
                return;
            await using ChildProgram npm = ChildProgram.Start(null, "npm", "ci", "--no-progress", "--prefix", Folder);
            npm.Input.Close();
            int code = await npm.EndAsync();
            if (code != 0)
                Assert.Skip($"npm could not install the packages of {Folder}: {await npm.Errors}");
        }
        finally
        {
            installing.Release();
        }
    }
}
