using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Drap.Libp2p.Dnsaddr;
using Drap.Libp2p.Host.Connections;
using Drap.Libp2p.Host.Time;

namespace Drap.Libp2p.Host.Dialing;

/// <summary>Asks name servers for the texts of names, which .NET does not: each in turn, twice, by a datagram, or over TCP where the answer does not fit one.</summary>
internal sealed class TxtResolver(ConnectionHub hub, IReadOnlyList<IPEndPoint>? servers)
{
    private const string Configuration = "/etc/resolv.conf";

    private const int Rounds = 2;

    // The longest message that TCP carries, and more than DnsReader takes: cut there.
    private const int BytesMax = 64 << 10;

    // Longer than a resolver takes that has to ask around, and two rounds of three servers are no longer than a dial.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    /// <summary>The texts of a name; none if there is no such name.</summary>
    /// <exception cref="DialException">No server answers.</exception>
    public async Task<ImmutableArray<string>> AskAsync(string name, CancellationToken ct)
    {
        IReadOnlyList<IPEndPoint> asked = servers ?? await ConfiguredAsync(ct).ConfigureAwait(false);
        string reason = "no name server is known";
        for (int i = 0; i < Rounds * asked.Count; i++)
        {
            IPEndPoint server = asked[i % asked.Count];
            using var limit = new TimedCancellation(hub.Deadlines, hub.Clock.Now + Patience, ct);
            try
            {
                (TxtStatus status, ImmutableArray<string> texts) = await AskAsync(server, name, limit.Token).ConfigureAwait(false);
                if (status == TxtStatus.Answered)
                    return texts;
                reason = $"the name server {server} cannot say";
            }
            catch (Exception failure) when (failure is SocketException or IOException)
            {
                reason = $"the name server {server}: {failure.Message}";
            }
            catch (OperationCanceledException) when (limit.HasPassed && !ct.IsCancellationRequested)
            {
                reason = $"the name server {server} does not answer";
            }
        }
        throw new DialException(reason);
    }

    private static async Task<(TxtStatus Status, ImmutableArray<string> Texts)> AskAsync(IPEndPoint server, string name, CancellationToken ct)
    {
        // The number and the socket's port are what a forged answer would have to guess.
        ushort id = (ushort)RandomNumberGenerator.GetInt32(1 << 16);
        byte[] question = TxtCodec.Question(id, name);
        using var socket = new Socket(server.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        // Takes answers of this server only.
        await socket.ConnectAsync(server, ct).ConfigureAwait(false);
        await socket.SendAsync(question, SocketFlags.None, ct).ConfigureAwait(false);
        byte[] answer = new byte[TxtCodec.DatagramBytesMax];
        while (true)
        {
            int length = await socket.ReceiveAsync(answer, SocketFlags.None, ct).ConfigureAwait(false);
            TxtStatus status = TxtCodec.Read(answer.AsSpan(0, length), id, name, out ImmutableArray<string> texts);
            if (status == TxtStatus.Truncated)
                return await AskOverTcpAsync(server, question, id, name, ct).ConfigureAwait(false);
            if (status != TxtStatus.NotOurs)
                return (status, texts);
        }
    }

    // RFC 7766: each message behind its length.
    private static async Task<(TxtStatus Status, ImmutableArray<string> Texts)> AskOverTcpAsync(
        IPEndPoint server, byte[] question, ushort id, string name, CancellationToken ct)
    {
        using var socket = new Socket(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(server, ct).ConfigureAwait(false);
        await using var stream = new NetworkStream(socket);
        byte[] message = new byte[2 + question.Length];
        BinaryPrimitives.WriteUInt16BigEndian(message, (ushort)question.Length);
        question.CopyTo(message, 2);
        await stream.WriteAsync(message, ct).ConfigureAwait(false);
        await stream.ReadExactlyAsync(message.AsMemory(0, 2), ct).ConfigureAwait(false);
        byte[] answer = new byte[BinaryPrimitives.ReadUInt16BigEndian(message)];
        Invariant.Check(answer.Length < BytesMax);
        await stream.ReadExactlyAsync(answer, ct).ConfigureAwait(false);
        TxtStatus status = TxtCodec.Read(answer, id, name, out ImmutableArray<string> texts);
        return (status is TxtStatus.Answered ? status : TxtStatus.Failed, texts);
    }

    // Read anew each time: the machine may be in another network by now.
    private static async Task<IReadOnlyList<IPEndPoint>> ConfiguredAsync(CancellationToken ct)
    {
        try
        {
            return NameServers.Parse(await File.ReadAllTextAsync(Configuration, ct).ConfigureAwait(false));
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return OperatingSystem.IsWindows() ? [] : NameServers.Parse("");
        }
    }
}
