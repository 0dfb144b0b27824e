using Drap.Core.Jobs;

namespace Drap.Core.Messages;

/// <summary>
/// Limits of what a job puts into messages, beside those that stand with the records. Who takes a job in refuses what exceeds them,
/// since a message that does cannot be sent.
/// </summary>
public static class MessageLimits
{
    /// <summary>Bytes of <see cref="Work.Template"/>: the longest script and its environment, and four of them to a frame.</summary>
    public const int TemplateBytes = 256 * 1024;

    /// <summary>Bytes of one of <see cref="Work.Secrets"/>; who takes a job in sees that all of a segment together keep to it.</summary>
    public const int SecretsBytes = JobSecrets.BytesMax;

    /// <summary>Bytes of <see cref="Assignment.Item"/> as JSON: a row of a parameter sweep; larger data is an input file.</summary>
    public const int ItemBytes = 64 * 1024;

    /// <summary>Inputs of one task. With 64 B each the frame's limit is as near: a merge of more wants another level.</summary>
    public const int Inputs = 16_384;

    /// <summary>Bytes of an input's or output's path: Linux takes no longer one (PATH_MAX).</summary>
    public const int PathBytes = 4096;

    /// <summary>Hosts of a gang.</summary>
    public const int Hosts = JobLimits.NodesPerGangMax;

    /// <summary>Shortages in one refusal: all dimensions that a bundle may have.</summary>
    public const int Shortages = 24;
}
