using System.Globalization;
using System.Text.Json.Serialization;
using Drap.Core.Jobs;
using Drap.Core.Market.Pricing;
using Drap.Libp2p.Multiformats;
using Drap.Node.Storage.Etcd;

namespace Drap.Node.Config;

/// <summary>A role of a node, one word of <see cref="Core.Membership.RoleWords"/>.</summary>
[JsonConverter(typeof(WordConverter<NodeRole>))]
public enum NodeRole
{
    /// <summary>Offers for tasks and runs them.</summary>
    Worker,

    /// <summary>Advertises tasks and has them run.</summary>
    Scheduler,

    /// <summary>Is found first, and passes others' bytes on.</summary>
    Gateway,

    /// <summary>Lets others in.</summary>
    Inviter,
}

/// <summary>A factor on prices.</summary>
/// <param name="Value">In thousandths, from 0 to <see cref="PricingOptions.FactorMaxPermille"/>.</param>
[JsonConverter(typeof(PermilleConverter))]
public readonly record struct Permille(int Value)
{
    /// <summary>As many decimals as are needed.</summary>
    public override string ToString() => ((decimal)Value / 1000).ToString("0.###", CultureInfo.InvariantCulture);
}

/// <summary>An address with a TCP port, or one that leads over a gateway.</summary>
/// <param name="Value">The address.</param>
[JsonConverter(typeof(TcpAddressConverter))]
public readonly record struct TcpAddress(Multiaddr Value)
{
    /// <summary>As it is written.</summary>
    public override string ToString() => Value.ToString();
}

/// <summary>An address that others dial: as <see cref="TcpAddress"/>, or a name whose texts in the DNS hold such addresses.</summary>
/// <param name="Value">The address.</param>
[JsonConverter(typeof(DialedAddressConverter))]
public readonly record struct DialedAddress(Multiaddr Value)
{
    /// <summary>As it is written.</summary>
    public override string ToString() => Value.ToString();
}

/// <summary>A file or folder of the machine.</summary>
/// <param name="Value">Absolute, without <c>..</c>.</param>
[JsonConverter(typeof(AbsolutePathConverter))]
public readonly record struct AbsolutePath(string Value)
{
    /// <summary>As it is written.</summary>
    public override string ToString() => Value;
}

/// <summary>Where a journal is kept that is not in its home.</summary>
/// <param name="Value">In etcd.</param>
[JsonConverter(typeof(JournalPlaceConverter))]
public readonly record struct JournalPlace(EtcdAddress Value)
{
    /// <summary>As it is written.</summary>
    public override string ToString() => Value.ToString();
}

internal sealed class PermilleConverter() : TextConverter<Permille>(string.Create(
    CultureInfo.InvariantCulture, $"a factor from 0 to {PricingOptions.FactorMaxPermille / 1000} with at most three decimals"))
{
    public override bool TryParse(string text, out Permille value)
    {
        value = default;
        if (text.Length > 10 || !decimal.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal factor)
            || factor * 1000 > PricingOptions.FactorMaxPermille || factor * 1000 != decimal.Truncate(factor * 1000))
            return false;
        value = new Permille((int)(factor * 1000));
        return true;
    }
}

internal sealed class TcpAddressConverter() : TextConverter<TcpAddress>("an IP address or a name with a TCP port, such as /ip4/192.0.2.1/tcp/4001")
{
    public override bool TryParse(string text, out TcpAddress value)
    {
        bool isOne = Multiaddr.TryParse(text, out Multiaddr? address) && (address.IsCircuit || address.TryGetTcp(out _, out _));
        value = isOne ? new TcpAddress(address!) : default;
        return isOne;
    }
}

internal sealed class DialedAddressConverter() : TextConverter<DialedAddress>(
    "an IP address or a name with a TCP port, such as /ip4/192.0.2.1/tcp/4001, or a name that holds addresses, such as /dnsaddr/drap.example.org")
{
    public override bool TryParse(string text, out DialedAddress value)
    {
        bool isOne = Multiaddr.TryParse(text, out Multiaddr? address) && (address.IsCircuit || address.TryGetTcp(out _, out _) || address.TryGetDnsaddr(out _, out _));
        value = isOne ? new DialedAddress(address!) : default;
        return isOne;
    }
}

internal sealed class JournalPlaceConverter() : TextConverter<JournalPlace>(EtcdAddress.Form)
{
    public override bool TryParse(string text, out JournalPlace value)
    {
        bool isOne = EtcdAddress.TryParse(text, out EtcdAddress? address, out _);
        value = isOne ? new JournalPlace(address!) : default;
        return isOne;
    }
}

internal sealed class AbsolutePathConverter() : TextConverter<AbsolutePath>("an absolute path without '..'")
{
    public override bool TryParse(string text, out AbsolutePath value)
    {
        value = new AbsolutePath(text);
        return Path.IsPathFullyQualified(text) && !text.Split('/').Contains("..");
    }
}
