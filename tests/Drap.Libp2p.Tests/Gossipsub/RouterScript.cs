using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using Drap.Libp2p.Gossipsub;
using Xunit;

namespace Drap.Libp2p.Tests.Gossipsub;

/// <summary>
/// Plays a text file against a <see cref="GossipRouter"/>. A file is blocks: inputs, a line of dashes, and what they gave. Blocks are divided by blank lines;
/// lines with # are prose. With DRAP_RECORD=1 the effects are written instead of compared.
/// </summary>
internal sealed class RouterScript
{
    private readonly List<GossipEffect> effects = [];
    private readonly List<GossipMessage> pending = [];
    private readonly List<UnsignedMessage> unsigned = [];
    private GossipRouter router = null!;
    private Instant now = new(1_000_000_000);
    private bool manual;
    private MessageIdForm form;

    public static void Run(string name, [CallerFilePath] string caller = "")
    {
        string path = Path.Combine(Path.GetDirectoryName(caller)!, "TestData", name + ".txt");
        string text = File.ReadAllText(path);
        string played = new RouterScript().Play(text);
        if (Environment.GetEnvironmentVariable("DRAP_RECORD") == "1")
            File.WriteAllText(path, played);
        else
            Assert.Equal(text, played);
    }

    private string Play(string text)
    {
        var output = new StringBuilder();
        bool inGolden = false;
        foreach (string line in text.TrimEnd('\n').Split('\n'))
        {
            if (line == "----")
            {
                output.Append("----\n");
                foreach (string shown in Shown())
                    output.Append(shown).Append('\n');
                inGolden = true;
            }
            else if (line.Length == 0)
            {
                inGolden = false;
                effects.Clear();
                output.Append('\n');
            }
            else if (!inGolden)
            {
                output.Append(line).Append('\n');
                if (line[0] != '#')
                    Do(line);
            }
        }
        return output.ToString();
    }

    private void Do(string line)
    {
        string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var arguments = words.Where(w => w.Contains('=')).Select(w => w.Split('=', 2)).DistinctBy(p => p[0]).ToDictionary(p => p[0], p => p[1]);
        if (words[0].EndsWith(':'))
        {
            foreach (PeerId from in Peers(words[0][..^1]))
                router.Receive(from, TestRpc.Encode(line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..], form), now, effects);
            Answer();
            return;
        }
        switch (words[0])
        {
            case "router":
                manual = arguments.ContainsKey("manual");
                form = arguments.ContainsKey("js") ? MessageIdForm.KeyAndSequence : MessageIdForm.SourceAndSequence;
                router = new GossipRouter(TestRpc.Peer("me"), default, TestOptions.Parse(arguments), new Prng(1));
                pending.Clear();
                unsigned.Clear();
                break;
            case "connect":
                foreach (PeerId peer in Peers(words[1]))
                    router.Connected(peer, Enum.Parse<GossipVersion>(arguments.GetValueOrDefault("v", "V12")), words.Contains("out"),
                        UInt128.Parse(arguments.GetValueOrDefault("ip", "0"), CultureInfo.InvariantCulture), now, effects);
                break;
            case "gone":
                foreach (PeerId peer in Peers(words[1]))
                    router.Disconnected(peer, now, effects);
                break;
            case "record":
                foreach (PeerId peer in Peers(words[1]))
                    router.SetPeerRecord(peer, Encoding.ASCII.GetBytes("record of " + TestRpc.NameOf(peer)));
                break;
            case "like":
                foreach (PeerId peer in Peers(words[1]))
                    router.SetApplicationScore(peer, double.Parse(words[2], CultureInfo.InvariantCulture));
                break;
            case "busy" or "free":
                foreach (PeerId peer in Peers(words[1]))
                    router.SetBusy(peer, words[0] == "busy");
                break;
            case "sub":
                Assert.True(router.Subscribe(words[1], words.Contains("validated"), now, effects));
                break;
            case "unsub":
                router.Unsubscribe(words[1], now, effects);
                break;
            case "prepare":
                Assert.True(router.Prepare(words[1], now, effects));
                break;
            case "publish":
                Assert.Equal(
                    Enum.Parse<PublishOutcome>(arguments.GetValueOrDefault("is", "Taken")),
                    router.Publish(words[1], new byte[int.Parse(arguments.GetValueOrDefault("size", "8"), CultureInfo.InvariantCulture)], now, effects));
                break;
            case "signed":
                UnsignedMessage draft = unsigned.Single(u => u.Sequence == ulong.Parse(words[1], CultureInfo.InvariantCulture));
                router.Signed(draft, new byte[64], now, effects);
                break;
            case "unsigned":
                router.NotSigned(unsigned.Single(u => u.Sequence == ulong.Parse(words[1], CultureInfo.InvariantCulture)), now, effects);
                break;
            case "good" or "bad":
                router.Verified(Message(words[1]), words[0] == "good", now, effects);
                break;
            case "accept" or "reject" or "ignore":
                router.Validated(Message(words[1]), Enum.Parse<MessageVerdict>(words[0], ignoreCase: true), now, effects);
                break;
            case "wait":
                Wait(Span(words[1]));
                break;
            case "tick":
                for (int i = words.Length > 1 ? int.Parse(words[1], CultureInfo.InvariantCulture) : 1; i > 0; i--)
                {
                    now = router.NextDeadline;
                    router.Tick(now, effects);
                }
                break;
            case "score" or "mesh" or "fanout" or "peers" or "counters":
                break;
            default:
                Assert.Fail($"no such input: {line}");
                break;
        }
        Answer();
        router.CheckInvariants();
        if (words[0] is "score")
            foreach (PeerId peer in Peers(words[1]))
                Note($"score of {TestRpc.NameOf(peer)} {router.ScoreOf(peer).ToString("0.###", CultureInfo.InvariantCulture)}");
        else if (words[0] is "mesh")
            Note($"mesh of {words[1]}: {Names(router.MeshOf(words[1]))}");
        else if (words[0] is "fanout")
            Note($"fanout of {words[1]}: {Names(router.FanoutOf(words[1]))}");
        else if (words[0] is "peers")
            Note($"peers of {words[1]}: {Names(router.PeersOf(words[1]))}");
    }

    // Notes stand among the effects, as a misdeed of nobody whose word is the line.
    private readonly Dictionary<GossipEffect, string> notes = new(ReferenceEqualityComparer.Instance);

    private void Note(string line)
    {
        var note = new GossipEffect.Resume(default);
        notes[note] = line;
        effects.Add(note);
    }

    private void Wait(TimeSpan time)
    {
        Instant until = now + time;
        while (router.NextDeadline <= until)
        {
            now = router.NextDeadline;
            router.Tick(now, effects);
            Answer();
        }
        now = until;
    }

    /// <summary>Answers signatures and checks at once unless the script does so itself.</summary>
    private void Answer()
    {
        for (int i = 0; i < effects.Count; i++)
        {
            switch (effects[i])
            {
                case GossipEffect.Sign { Message.Signed: null } sign when manual:
                    if (!unsigned.Contains(sign.Message))
                        unsigned.Add(sign.Message);
                    break;
                case GossipEffect.Sign { Message.Signed: null } sign:
                    router.Signed(sign.Message, new byte[64], now, effects);
                    break;
                case GossipEffect.Verify verify when manual || verify.Message.Content.Signature[0] == 9:
                    Keep(verify.Message);
                    if (!manual)
                        router.Verified(verify.Message, false, now, effects);
                    break;
                case GossipEffect.Verify verify:
                    Keep(verify.Message);
                    router.Verified(verify.Message, true, now, effects);
                    break;
                case GossipEffect.Validate validate:
                    Keep(validate.Message);
                    break;
            }
        }
    }

    private void Keep(GossipMessage message)
    {
        if (!pending.Contains(message))
            pending.Add(message);
    }

    private GossipMessage Message(string word)
    {
        string[] parts = word.Split('/');
        return pending.Last(m => Name(m.Content) == parts[0] && (parts.Length == 1 || m.Content.Signature[0] == byte.Parse(parts[1], CultureInfo.InvariantCulture)));
    }

    private static string Name(SignedMessage m) => $"{TestRpc.NameOf(m.From)}#{m.Sequence}";

    /// <summary>Like sends are one line, whoever they go to, in order of names.</summary>
    private IEnumerable<string> Shown()
    {
        var lines = new List<(string Peer, string What)>();
        foreach (GossipEffect effect in effects)
            lines.Add(Show(effect));
        for (int i = 0; i < lines.Count;)
        {
            int end = i + 1;
            while (end < lines.Count && lines[i].Peer.Length > 0 && lines[end].Peer.Length > 0 && lines[end].What == lines[i].What)
                end++;
            string names = string.Join(',', lines[i..end].Select(l => l.Peer).Order(StringComparer.Ordinal));
            yield return names + lines[i].What;
            i = end;
        }
    }

    private (string Peer, string What) Show(GossipEffect effect) => effect switch
    {
        GossipEffect.Send send => (TestRpc.NameOf(send.To), $" <- {TestRpc.Decode(send.Frame.Span, form)}"),
        GossipEffect.Sign sign => ("", $"sign me#{sign.Message.Sequence}"),
        GossipEffect.Verify verify => ("", $"verify {Name(verify.Message.Content)}" + (manual ? $"/{verify.Message.Content.Signature[0]}" : "")),
        GossipEffect.Validate validate => ("", $"validate {Name(validate.Message.Content)} from {TestRpc.NameOf(validate.Message.ReceivedFrom!.Value)}"),
        GossipEffect.Deliver deliver => ("", $"deliver {Name(deliver.Message.Content)} on {deliver.Message.Topic}"),
        GossipEffect.Published published => ("", $"published me#{published.Sequence} to {published.Peers}"),
        GossipEffect.Connect connect => ("", $"connect {TestRpc.NameOf(connect.Peer)} {Encoding.ASCII.GetString(connect.Record.Span)}".TrimEnd()),
        GossipEffect.Pause pause => (TestRpc.NameOf(pause.Peer), " paused"),
        GossipEffect.Resume note when notes.TryGetValue(note, out string? line) => ("", line),
        GossipEffect.Resume resume => (TestRpc.NameOf(resume.Peer), " resumed"),
        GossipEffect.PeerSubscription s => (TestRpc.NameOf(s.Peer), (s.Subscribed ? " hears " : " hears no more ") + s.Topic),
        GossipEffect.MeshChanged m => (TestRpc.NameOf(m.Peer), (m.Joined ? " joined the mesh of " : " left the mesh of ") + m.Topic),
        GossipEffect.Misbehaved m => (TestRpc.NameOf(m.Peer), $" did {m.What}"),
        _ => throw new InvalidOperationException(effect.ToString()),
    };

    private static string Names(IReadOnlyList<PeerId> peers) =>
        peers.Count == 0 ? "nobody" : string.Join(',', peers.Select(TestRpc.NameOf).Order(StringComparer.Ordinal));

    /// <summary><c>a,b</c>, <c>p1-p9</c>.</summary>
    private static IEnumerable<PeerId> Peers(string words)
    {
        foreach (string word in words.Split(','))
        {
            string[] ends = word.Split('-');
            if (ends.Length == 1)
            {
                yield return TestRpc.Peer(word);
                continue;
            }
            for (int i = int.Parse(ends[0][1..], CultureInfo.InvariantCulture); i <= int.Parse(ends[1][1..], CultureInfo.InvariantCulture); i++)
                yield return TestRpc.Peer($"{ends[0][0]}{i}");
        }
    }

    private static TimeSpan Span(string text) =>
        text.EndsWith("ms", StringComparison.Ordinal) ? TimeSpan.FromMilliseconds(double.Parse(text[..^2], CultureInfo.InvariantCulture))
        : TimeSpan.FromSeconds(double.Parse(text.TrimEnd('s'), CultureInfo.InvariantCulture));
}
