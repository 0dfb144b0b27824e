namespace Drap.Node.Overlay.Kept;

/// <summary>What bounds kept streams, and what happens at each bound. Times are counted in beats of a second, so that a machine that stood still has lost one.</summary>
internal static class KeptLimits
{
    /// <summary>Bytes of each direction that were not taken yet: they are kept to be sent again. A writer waits for more.</summary>
    public const int WindowBytes = 256 << 10;

    /// <summary>Bytes of one frame of data, so that what else is to be said does not wait for long.</summary>
    public const int PieceBytes = 60 << 10;

    /// <summary>Streams of a node, both ways: 512 MiB if all windows were full. Further ones are refused.</summary>
    public const int StreamsMax = 1024;

    /// <summary>Who opened a carrier and heard nothing on it for so many beats takes another: the other side says something in each.</summary>
    public const int SilenceMax = 3;

    /// <summary>
    /// After so many beats a carrier that a daemon brought is left for another. js-libp2p's daemon ends what it brings ten seconds after it was opened,
    /// without a word to the peer.
    /// </summary>
    public const int DaemonCarrierMax = 7;

    /// <summary>So many beats a stream waits for another carrier, or who has left it for its end; then it is reset.</summary>
    public const int WaitMax = 30;

    /// <summary>How often another carrier is looked for: over about ten seconds, and five for each answer that does not come.</summary>
    public const int ResumesMax = 8;

    /// <summary>Greetings of a new stream: its first carrier may break before the answer has come.</summary>
    public const int GreetingsMax = 3;

    /// <summary>How long an answer to a greeting may take.</summary>
    public static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(5);

    /// <summary>The pause before a carrier is looked for again, twice as long each time.</summary>
    public static readonly TimeSpan ResumeMin = TimeSpan.FromMilliseconds(50);
}
