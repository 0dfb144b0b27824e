using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using SimpleBase;

namespace Drap;

/// <summary>
/// Bytes as text that says by its first character in which base it is (multiformats/multibase): base16 <c>f</c>, base32 <c>b</c>, base36
/// <c>k</c>, base58btc <c>z</c>, base64url <c>u</c>. All without padding; decoding takes only what encoding gives.
/// </summary>
public static class Multibase
{
    /// <summary>
    /// The longest text taken, in characters. base36 and base58 take time that grows with the square of the length; nothing of libp2p that is
    /// written as text comes near it.
    /// </summary>
    public const int TextLengthMax = 4096;

    /// <summary>The text of <paramref name="bytes"/> in the base of this prefix.</summary>
    public static string Encode(char prefix, ReadOnlySpan<byte> bytes) => prefix + prefix switch
    {
        'f' => Convert.ToHexStringLower(bytes),
        'b' => Base32.Rfc4648.Encode(bytes, padding: false).ToLowerInvariant(),
        'k' => Base36.LowerCase.Encode(bytes),
        'z' => Base58.Bitcoin.Encode(bytes),
        'u' => System.Buffers.Text.Base64Url.EncodeToString(bytes),
        _ => throw new ArgumentOutOfRangeException(nameof(prefix), prefix, "allowed: f, b, k, z, u"),
    };

    /// <summary>Reads text of any of these bases; false if it is none.</summary>
    public static bool TryDecode([NotNullWhen(true)] string? text, [NotNullWhen(true)] out byte[]? bytes)
    {
        bytes = null;
        if (text is null || text.Length is < 1 or > TextLengthMax)
            return false;
        ReadOnlySpan<char> digits = text.AsSpan(1);
        byte[] room = new byte[digits.Length + 8];
        int written;
        bool read = text[0] switch
        {
            'f' => Convert.FromHexString(digits, room, out _, out written) == OperationStatus.Done,
            'b' when !digits.ContainsAnyExcept(Base32Digits) => Base32.Rfc4648.TryDecode(digits, room, out written),
            'k' when !digits.ContainsAnyExcept(Base36Digits) => Base36.LowerCase.TryDecode(digits, room, out written),
            'z' when !digits.ContainsAnyExcept(Base58Digits) => Base58.Bitcoin.TryDecode(digits, room, out written),
            'u' => System.Buffers.Text.Base64Url.DecodeFromChars(digits, room, out _, out written) == OperationStatus.Done,
            _ => Nothing(out written),
        };
        // Two texts of the same bytes would be two names of one thing.
        if (!read || Encode(text[0], room.AsSpan(0, written)) != text)
            return false;
        bytes = room[..written];
        return true;
    }

    // The package throws at some characters that are no digits, such as all beyond ASCII.
    private static readonly SearchValues<char> Base32Digits = SearchValues.Create("abcdefghijklmnopqrstuvwxyz234567"),
        Base36Digits = SearchValues.Create("0123456789abcdefghijklmnopqrstuvwxyz"),
        Base58Digits = SearchValues.Create("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz");

    private static bool Nothing(out int written)
    {
        written = 0;
        return false;
    }
}
