using System.Security.Cryptography;
using Drap.Libp2p.Noise;
using Xunit;

namespace Drap.Libp2p.Tests.Noise;

/// <summary>Which library encrypts depends on the length, and must not show.</summary>
public sealed class CipherStateTests
{
    private static readonly byte[] Key = [.. Enumerable.Range(1, 32).Select(i => (byte)i)];

    public static TheoryData<int, int> Lengths =>
        new(from length in new[] { 0, 1, 63, 64, 65, CipherState.ShortBytesMax, CipherState.ShortBytesMax + 1, NoiseTransport.PlaintextBytesMax } from associated in new[] { 0, 32 } select (length, associated));

    [Theory, MemberData(nameof(Lengths))]
    public void A_message_is_as_the_framework_encrypts_it(int length, int associatedLength)
    {
        byte[] plain = [.. Enumerable.Range(0, length).Select(i => (byte)(i * 7))], associated = [.. Enumerable.Repeat((byte)9, associatedLength)];
        byte[] expected = new byte[length + CipherState.TagBytes], nonce = new byte[12];
        // The second message under the key, so that its number counts.
        nonce[4] = 1;
        using (var framework = new ChaCha20Poly1305(Key))
            framework.Encrypt(nonce, plain, expected.AsSpan(0, length), expected.AsSpan(length), associated);
        using var sending = new CipherState(Key);
        sending.Encrypt([], [], new byte[CipherState.TagBytes]);
        // In place, and with more room than it takes.
        byte[] message = [.. plain, .. new byte[CipherState.TagBytes + 5]];
        sending.Encrypt(associated, message.AsSpan(0, length), message);
        Assert.Equal(expected, message[..^5]);
        Assert.Equal(new byte[5], message[^5..]);

        using var receiving = new CipherState(Key, next: 1);
        Assert.True(receiving.TryDecrypt(associated, message.AsSpan(0, expected.Length), message));
        Assert.Equal(plain, message[..length]);
    }

    [Theory, MemberData(nameof(Lengths))]
    public void What_was_changed_anywhere_is_refused(int length, int associatedLength)
    {
        byte[] associated = new byte[associatedLength], message = new byte[length + CipherState.TagBytes];
        using var sending = new CipherState(Key);
        sending.Encrypt(associated, new byte[length], message);
        foreach (int at in new[] { 0, length / 2, length - 1, length, message.Length - 1 }.Where(i => i >= 0).Distinct())
        {
            byte[] changed = [.. message];
            changed[at] ^= 1;
            using var receiving = new CipherState(Key);
            Assert.False(receiving.TryDecrypt(associated, changed, new byte[length]));
            // What is refused takes no number.
            Assert.True(receiving.TryDecrypt(associated, message, new byte[length]));
        }
    }

    [Theory]
    [InlineData(16)]
    [InlineData(CipherState.ShortBytesMax + 1)]
    public void Room_that_is_too_short_is_not_written_beyond(int length)
    {
        using var sending = new CipherState(Key);
        Assert.ThrowsAny<ArgumentException>(() => sending.Encrypt([], new byte[length], new byte[length + CipherState.TagBytes - 1]));
        using var receiving = new CipherState(Key);
        Assert.ThrowsAny<ArgumentException>(() => receiving.TryDecrypt([], new byte[length + CipherState.TagBytes], new byte[length - 1]));
    }

    [Theory]
    [InlineData(16)]
    [InlineData(CipherState.ShortBytesMax + 1)]
    public void Nothing_is_encrypted_after_the_key_was_forgotten(int length)
    {
        var cipher = new CipherState(Key);
        cipher.Dispose();
        Assert.Throws<ObjectDisposedException>(() => cipher.Encrypt([], new byte[length], new byte[length + CipherState.TagBytes]));
        Assert.Throws<ObjectDisposedException>(() => cipher.TryDecrypt([], new byte[length + CipherState.TagBytes], new byte[length]));
    }
}
