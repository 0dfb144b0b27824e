namespace Drap.Libp2p.RequestResponse;

/// <summary>How a request is sent until it is answered.</summary>
public sealed record RequestOptions
{
    /// <summary>How long all attempts may take together. Default 30 s. Then the request fails; it may have been done.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How long nothing may come before the connection is asked whether it lives. Default 2 s. One that does not answer within as long again is closed, and the
    /// request is sent over another.
    /// </summary>
    public TimeSpan SilenceAfter { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How often a request is sent at most. Default 6: with the waits between them, some 15 s.</summary>
    public int AttemptsMax { get; init; } = 6;

    /// <summary>The wait after the first failed attempt; it doubles with each. Default 100 ms. Half of each wait is drawn at random.</summary>
    public TimeSpan FirstWait { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>The longest wait. Default 10 s.</summary>
    public TimeSpan LongestWait { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The longest body, of a request and of an answer, in bytes. Default 1 MiB. A longer one fails.</summary>
    public int BodyMax { get; init; } = 1024 * 1024;

    /// <summary>Requests to one peer that may be under way. Default 256. More wait.</summary>
    public int UnderWayMax { get; init; } = 256;

    /// <summary>
    /// How far above his oldest unsettled request an asker's newest may be, and so how many answers are kept for one session. Default 1 024, four times what
    /// one asker has under way, so that one slow answer does not hold the others back. An asker waits at it; requests above it are answered
    /// <see cref="ResponseStatus.Busy"/>.
    /// </summary>
    public int AnswersPerSessionMax { get; init; } = 1024;

    /// <summary>Sessions of askers whose answers are kept. Default 4 096, one a connection. The one that was heard longest ago is forgotten.</summary>
    public int SessionsMax { get; init; } = 4096;

    /// <summary>Bytes of answers that are kept for all askers. Default 64 MiB. Above it the oldest session's are forgotten, and asking for them again is answered <see cref="ResponseStatus.Gone"/>.</summary>
    public long AnswerBytesMax { get; init; } = 64 * 1024 * 1024;

    /// <summary>How long the answers of a session are kept that is not heard of any more. Default 2 min, four times <see cref="Timeout"/>.</summary>
    public TimeSpan AnswersKept { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>The wait before the attempt after <paramref name="failed"/> failed ones: exponential, with half of it at random so that those who failed together do not come back together.</summary>
    public TimeSpan WaitAfter(int failed, Prng random)
    {
        Invariant.Check(failed >= 1);
        long full = Math.Min(LongestWait.Ticks, FirstWait.Ticks << Math.Min(failed - 1, 30));
        return TimeSpan.FromTicks(full / 2 + (long)random.Below((ulong)(full / 2) + 1));
    }
}
