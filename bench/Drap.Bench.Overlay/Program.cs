using System.Globalization;
using Drap.Bench.Overlay;

// What the overlay does in a second, beside js-libp2p and what bounds both on this machine, all measured in one run.
//   run [--quick] [--no-js] [--rounds N]                everything, drap and js in turn; a table on standard error, JSON on standard output
//   serve                                               a peer that is measured against
//   measure PEER ADDRESS [--quick] [--only WORD,WORD] [--seconds N]
//                                                       measures against one, of either kind: connect, ping, ask, stream, gossip; N each instead of 4
//   floors                                              what bounds everybody here
//   hold N PEER ADDRESS [--gossip]                      N peers that connect and keep still until standard input ends
switch (args)
{
    case ["run", .. string[] rest]:
        return await Run.AllAsync(quick: rest.Contains("--quick"), js: !rest.Contains("--no-js"), rounds: Number(rest, "--rounds"));
    case ["serve"]:
        return await Server.RunAsync();
    case ["measure", string peer, string address, .. string[] rest]:
        return await Measure.RunAsync(peer, address, quick: rest.Contains("--quick"), only: Word(rest, "--only")?.Split(',') ?? [], Number(rest, "--seconds"));
    case ["floors"]:
        return await Run.FloorsAsync();
    case ["hold", string count, string peer, string address, .. string[] rest]:
        return await Holder.RunAsync(int.Parse(count, CultureInfo.InvariantCulture), peer, address, gossips: rest.Contains("--gossip"));
    default:
        await Console.Error.WriteLineAsync("run [--quick] [--no-js] [--rounds N] | serve | floors | measure PEER ADDRESS [--quick] [--only WORD,WORD] [--seconds N] | hold N PEER ADDRESS [--gossip]");
        return 2;
}

static string? Word(string[] rest, string name) => Array.IndexOf(rest, name) is >= 0 and var at && at + 1 < rest.Length ? rest[at + 1] : null;

static int? Number(string[] rest, string name) => Word(rest, name) is { } word ? int.Parse(word, CultureInfo.InvariantCulture) : null;
