using System.CommandLine;
using Drap.Api.Json;
using Drap.Cli.Nodes;
using Drap.Cli.Output;
using Drap.Core.Jobs;

namespace Drap.Cli.Commands;

/// <summary><c>drap data</c>: files and folders by what they hold.</summary>
internal static class DataCommands
{
    private const string stdStream = "-";

    public static Command Make(Common common) => common.Command(
        "data", "Keep files and folders by what they hold, and get them from where they are", ["drap data put results/", "drap data get bafybei…"],
        Put(common), Get(common), List(common), Pin(common), Collect(common));

    private static Argument<string> Cid() => new("CID") { Description = "Its name, as drap data ls, drap job results and ipfs add show it; ipfs:// before it is allowed" };

    private static Command Put(Common common)
    {
        var path = new Argument<string>("PATH") { Description = "A file or folder, or - for the standard input" };
        var isPublic = new Option<bool>("--public") { Description = "Let every member of the swarm read it" };
        var ignore = new Option<bool>("--ignore") { Description = "Leave out what the folder's .drapignore, or .gitignore, names" };
        var name = new Option<string?>("--name") { Description = "What drap data ls calls it [default: the file's or folder's name]", HelpName = "NAME" };
        return common.Command(
            "put", "Take a file or folder into the node's store and keep it", ["drap data put model.bin", "drap data put data/ --ignore", "tar c src | drap data put - --name src.tar"], async call =>
            {
                string text = call.Get(path)!;
                bool fromStdin = text == stdStream;
                string full = fromStdin ? "" : Path.GetFullPath(text, call.Context.CurrentFolder);
                if (!fromStdin && !File.Exists(full) && !Directory.Exists(full))
                    throw new CliException(ExitCode.Usage, $"there is no file or folder {full}");
                await using NodeSession session = await NodeSession.BackgroundAsync(call.Context, call.Home, call.Cancel);
                BlobDocument blob;
                if (fromStdin)
                {
                    await using Stream input = call.Context.Stdin();
                    blob = await session.Node.AddBlobAsync(input, call.Cancel);
                }
                else
                {
                    blob = await session.Node.AddPathAsync(new PathRequest { Path = full, Ignore = call.Get(ignore), Plain = true }, call.Cancel);
                }
                string called = call.Get(name) ?? (fromStdin ? "stdin" : Path.GetFileName(Path.TrimEndingDirectorySeparator(full)));
                blob = await session.Node.PinBlobAsync(blob.Cid, new PinRequest { Name = called.Length > 0 ? called : "/", Public = call.Has(isPublic) ? call.Get(isPublic) : null }, call.Cancel);
                Show(call, blob);
                return ExitCode.Ok;
            }, path, isPublic, ignore, name);
    }

    private static Command Get(Common common)
    {
        Argument<string> cid = Cid();
        var to = new Argument<string?>("PATH") { Description = "Where to write it, or - for the standard output [default: its CID, in the current folder]", Arity = ArgumentArity.ZeroOrOne };
        return common.Command(
            "get", "Write a file or folder to a path, brought from the swarm where the node does not have it", ["drap data get bafybei… data/", "drap data get bafkrei… - | head"], async call =>
            {
                Drap.Cid wanted = Named(call, cid);
                string text = call.Get(to) ?? wanted.ToString();
                await using NodeSession session = await NodeSession.BackgroundAsync(call.Context, call.Home, call.Cancel);
                BlobDocument blob = await session.Node.FetchBlobAsync(wanted, call.Cancel);
                if (text == stdStream)
                {
                    if (blob.Folder)
                        throw new CliException(ExitCode.Usage, $"{wanted} is a folder, which has no bytes of its own", "name a path for it");
                    await using Stream content = await session.Node.OpenBlobAsync(wanted, call.Cancel);
                    await using Stream output = call.Context.Stdout();
                    await content.CopyToAsync(output, call.Cancel);
                    return ExitCode.Ok;
                }
                string full = Path.GetFullPath(text, call.Context.CurrentFolder);
                // As cp does: into a folder that is there, if it is a file.
                if (!blob.Folder && Directory.Exists(full))
                    full = Path.Combine(full, blob.Name is { } name && !name.Contains('/', StringComparison.Ordinal) ? name : wanted.ToString());
                await session.Node.ExportBlobAsync(wanted, new PathRequest { Path = full }, call.Cancel);
                call.Screen.Write(blob, ApiJson.Indented.BlobDocument, o => o.WriteLine(full), () => [full]);
                return ExitCode.Ok;
            }, cid, to);
    }

    private static Command List(Common common)
    {
        var all = new Option<bool>("--all", "-a") { Description = "Also what jobs keep" };
        return common.Command("ls", "Show what is kept in the node's store", ["drap data ls", "drap data ls --all -o json"], async call =>
        {
            await using NodeSession session = await NodeSession.ReadAsync(call.Context, call.Home, call.Cancel);
            BlobListDocument list = await session.Node.BlobsAsync(call.Get(all), call.Cancel);
            call.Screen.Write(list, ApiJson.Indented.BlobListDocument, o => Tables.Blobs(list, o), () => list.Blobs.Select(b => b.Cid.ToString()));
            return ExitCode.Ok;
        }, all);
    }

    private static Command Pin(Common common)
    {
        Argument<string> cid = Cid();
        var remove = new Option<bool>("--remove") { Description = "Keep it no more; a collection may delete it then" };
        var isPublic = new Option<bool>("--public") { Description = "Let every member of the swarm read it" };
        var isPrivate = new Option<bool>("--private") { Description = "Let only those read it whom it concerns" };
        var name = new Option<string?>("--name") { Description = "What drap data ls calls it", HelpName = "NAME" };
        return common.Command(
            "pin", "Keep a file or folder, brought from the swarm where the node does not have it", ["drap data pin bafybei…", "drap data pin bafybei… --public", "drap data pin bafybei… --remove"], async call =>
            {
                Drap.Cid wanted = Named(call, cid);
                if (call.Get(isPublic) && call.Get(isPrivate))
                    throw new CliException(ExitCode.Usage, "--public and --private exclude each other");
                if (call.Get(remove) && call.Get(name) is not null)
                    throw new CliException(ExitCode.Usage, "--name and --remove exclude each other");
                await using NodeSession session = await NodeSession.BackgroundAsync(call.Context, call.Home, call.Cancel);
                if (!call.Get(remove))
                    await session.Node.FetchBlobAsync(wanted, call.Cancel);
                BlobDocument blob = await session.Node.PinBlobAsync(wanted, new PinRequest
                {
                    Pinned = !call.Get(remove), Name = call.Get(name), Public = call.Get(isPublic) ? true : call.Get(isPrivate) ? false : null,
                }, call.Cancel);
                Show(call, blob);
                return ExitCode.Ok;
            }, cid, remove, isPublic, isPrivate, name);
    }

    private static Command Collect(Common common)
    {
        var keep = new Option<string?>("--keep") { Description = "Bytes that may stay as a cache, what was used last first [default: 0]", HelpName = "SIZE" };
        return common.Command("gc", "Delete what nothing keeps: no job, no pin, nobody who works with it", ["drap data gc", "drap data gc --keep 10GiB"], async call =>
        {
            long bytes = call.Get(keep) is not { } text ? 0 : ByteSize.TryParse(text, out ByteSize size)
                ? size.Bytes : throw new CliException(ExitCode.Usage, $"--keep: found '{text}'; allowed: {ByteSize.Form}");
            await using NodeSession session = await NodeSession.BackgroundAsync(call.Context, call.Home, call.Cancel);
            CollectReply reply = await session.Node.CollectBlobsAsync(new CollectRequest { KeepBytes = bytes }, call.Cancel);
            call.Screen.Write(
                reply, ApiJson.Indented.CollectReply,
                o => o.WriteLine($"{Words.Count(reply.Deleted, "blob")} deleted, {Size(reply.FreedBytes)} freed; {Words.Count(reply.Kept, "blob")} of {Size(reply.KeptBytes)} are left"),
                () => [reply.FreedBytes.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
            return ExitCode.Ok;
        }, keep);
    }

    private static string Size(long bytes) => bytes == 0 ? "0B" : Words.Bytes(bytes);

    private static void Show(Invocation call, BlobDocument blob) => call.Screen.Write(
        blob, ApiJson.Indented.BlobDocument, o => o.WriteLine(blob.Cid), () => [blob.Cid.ToString()]);

    private static Drap.Cid Named(Invocation call, Argument<string> argument) => Drap.Cid.TryParse(call.Get(argument), out Drap.Cid cid)
        ? cid
        : throw new CliException(
            ExitCode.Usage, $"'{call.Get(argument)}' names no content; allowed: a CIDv1 in base32, bafkrei… of a small file or bafybei… of others, sha2-256",
            "ipfs cid base32 CID gives that form of an older one, Qm…; its content is laid out otherwise, so drap data put may give another");
}
