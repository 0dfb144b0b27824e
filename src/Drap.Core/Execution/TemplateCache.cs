using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Drap.Core.Jobs;

namespace Drap.Core.Execution;

/// <summary>Templates of tasks, read once for all confirmations that bring the same bytes.</summary>
public sealed class TemplateCache
{
    /// <summary>Templates kept: the segments that a busy worker serves at once. At the limit the cache starts anew, which costs a read each.</summary>
    public const int EntriesMax = 128;

    /// <summary>Bytes of all that is kept.</summary>
    public const int BytesMax = 4 << 20;

    private readonly Dictionary<ImmutableArray<byte>, TaskSpec> templates = new(ByContent.Instance);
    private int bytes;

    /// <summary>Reads a template; false with a message that names what is wrong.</summary>
    public bool TryRead(ImmutableArray<byte> json, [NotNullWhen(true)] out TaskSpec? template, [NotNullWhen(false)] out string? error)
    {
        error = null;
        if (templates.TryGetValue(json, out template))
            return true;
        if (!JobJson.TryRead(json.AsSpan(), out template, out error))
            return false;
        if (template.Timeout < TimeSpan.Zero || template.Timeout > JobLimits.DurationMax)
        {
            error = $"timeout: {template.Timeout}, of which at most {JobLimits.DurationMax} is allowed";
            template = null;
            return false;
        }
        if (json.Length > BytesMax)
            return true;
        if (templates.Count >= EntriesMax || bytes + json.Length > BytesMax)
        {
            templates.Clear();
            bytes = 0;
        }
        templates.Add(json, template);
        bytes += json.Length;
        return true;
    }

    private sealed class ByContent : IEqualityComparer<ImmutableArray<byte>>
    {
        public static readonly ByContent Instance = new();

        public bool Equals(ImmutableArray<byte> x, ImmutableArray<byte> y) => x.AsSpan().SequenceEqual(y.AsSpan());

        public int GetHashCode(ImmutableArray<byte> bytes)
        {
            var hash = new HashCode();
            hash.AddBytes(bytes.AsSpan());
            return hash.ToHashCode();
        }
    }
}
