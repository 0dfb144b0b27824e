using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Drap.Core.Cbor;

namespace Drap.Core.Membership;

/// <summary>
/// A ticket as one word: <c>drap1</c>, then base32 of its length (2 bytes), its record and the first 4 bytes of their SHA-256. Letters and digits only, large
/// letters as good as small, so that it survives chats, shells and being read aloud. [MEM-4]
/// </summary>
public static class TicketText
{
    /// <summary>What each begins with; the digit is the version.</summary>
    public const string Prefix = "drap1";

    private const string Digits = "abcdefghijklmnopqrstuvwxyz234567", Family = "drap";
    private static readonly SearchValues<char> Known = SearchValues.Create(Digits);

    private const int LengthBytes = 2, ChecksumBytes = 4;

    /// <summary>Characters of the longest ticket: eight of the longest addresses.</summary>
    private const int CharactersMax = 4096;

    /// <summary>Writes one.</summary>
    public static string Encode(Ticket ticket)
    {
        byte[] record = MembershipCodec.Encode(ticket);
        byte[] all = [(byte)(record.Length >> 8), (byte)record.Length, .. record, 0, 0, 0, 0];
        SHA256.HashData(all.AsSpan(0, all.Length - ChecksumBytes)).AsSpan(0, ChecksumBytes).CopyTo(all.AsSpan(all.Length - ChecksumBytes));
        var text = new StringBuilder(Prefix, Prefix.Length + Characters(all.Length));
        uint bits = 0;
        int count = 0;
        foreach (byte one in all)
        {
            bits = bits << 8 | one;
            for (count += 8; count >= 5; count -= 5)
                text.Append(Digits[(int)(bits >> (count - 5)) & 31]);
        }
        if (count > 0)
            text.Append(Digits[(int)(bits << (5 - count)) & 31]);
        return text.ToString();
    }

    /// <summary>Reads one; <paramref name="fault"/> says for people what is wrong with it.</summary>
    public static bool TryDecode(string text, [NotNullWhen(true)] out Ticket? ticket, [NotNullWhen(false)] out string? fault)
    {
        ticket = null;
        text = text.Trim().ToLowerInvariant();
        fault = text.Length > CharactersMax ? string.Create(CultureInfo.InvariantCulture, $"that is no ticket: it has {text.Length} characters")
            : text.StartsWith(Prefix, StringComparison.Ordinal) ? null
            : text.StartsWith(Family, StringComparison.Ordinal) && text.Length > Family.Length && char.IsAsciiDigit(text[Family.Length])
                ? "that ticket was made by another version of drap, which this one does not understand"
            : $"that is no ticket: one begins with {Prefix}, as drap up and drap invite print it";
        if (fault is not null)
            return false;
        string digits = text[Prefix.Length..];
        int strange = digits.AsSpan().IndexOfAnyExcept(Known);
        if (strange >= 0)
        {
            fault = string.Create(
                CultureInfo.InvariantCulture, $"the ticket is damaged: '{digits[strange]}' at its character {Prefix.Length + strange + 1} is none that a ticket has");
            return false;
        }
        byte[] all = FromDigits(digits, out bool hasRest);
        int length = all.Length < LengthBytes ? 0 : all[0] << 8 | all[1];
        int expected = Characters(LengthBytes + length + ChecksumBytes);
        if (all.Length < LengthBytes || digits.Length < expected)
            fault = string.Create(CultureInfo.InvariantCulture, $"the ticket is cut off or damaged: {text.Length} characters of {(length == 0 ? "more" : Prefix.Length + expected)}");
        else if (digits.Length > expected)
            fault = string.Create(CultureInfo.InvariantCulture, $"the ticket has {digits.Length - expected} characters too many, or is damaged");
        else if (hasRest || !SHA256.HashData(all.AsSpan(0, LengthBytes + length)).AsSpan(0, ChecksumBytes).SequenceEqual(all.AsSpan(LengthBytes + length)))
            fault = "the ticket is damaged: some of its characters are not as they were; copy it whole, or ask for another";
        else if (!MembershipCodec.TryDecode(all.AsSpan(LengthBytes, length), out ticket, out CodecError error))
            fault = error.IsNewer ? "that ticket was made by a later version of drap" : $"the ticket says what none may say: {error}";
        else if (ticket.Secret.Length != Ticket.SecretBytes)
            (ticket, fault) = (null, "the ticket says what none may say: its secret is too short");
        return fault is null;
    }

    private static int Characters(int bytes) => (bytes * 8 + 4) / 5;

    private static byte[] FromDigits(string digits, out bool hasRest)
    {
        byte[] bytes = new byte[digits.Length * 5 / 8];
        uint bits = 0;
        int count = 0, at = 0;
        foreach (char digit in digits)
        {
            bits = bits << 5 | (uint)Digits.IndexOf(digit, StringComparison.Ordinal);
            count += 5;
            if (count >= 8)
                bytes[at++] = (byte)(bits >> (count -= 8));
        }
        // The last digit's bits that are no byte's are zero; otherwise one ticket had several texts.
        hasRest = (bits & ((1u << count) - 1)) != 0;
        return bytes;
    }
}
