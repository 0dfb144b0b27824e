namespace Drap.Core.Journal;

/// <summary>A frame as it was read.</summary>
/// <param name="Header">Its header.</param>
/// <param name="Body">Its records, without padding; valid until the next frame is read.</param>
internal readonly record struct Frame(FrameHeader Header, ReadOnlyMemory<byte> Body);
