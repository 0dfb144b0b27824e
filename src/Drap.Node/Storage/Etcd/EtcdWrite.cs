using System.Globalization;
using System.Text.Json.Nodes;

namespace Drap.Node.Storage.Etcd;

/// <summary>One of the writes of a step.</summary>
public abstract record EtcdWrite
{
    private EtcdWrite()
    {
    }

    internal abstract JsonObject ToJson();

    /// <summary>Puts a value, under a lease unless it is 0.</summary>
    public sealed record Put(string Key, ReadOnlyMemory<byte> Value, long Lease = 0) : EtcdWrite
    {
        internal override JsonObject ToJson() => new()
        {
            ["requestPut"] = new JsonObject
            {
                ["key"] = EtcdClient.Key(Key), ["value"] = Convert.ToBase64String(Value.Span), ["lease"] = Lease.ToString(CultureInfo.InvariantCulture),
            },
        };
    }

    /// <summary>Deletes the keys from the first up to the end, that one not.</summary>
    public sealed record DeleteRange(string First, string End) : EtcdWrite
    {
        internal override JsonObject ToJson() => new()
        {
            ["requestDeleteRange"] = new JsonObject { ["key"] = EtcdClient.Key(First), ["range_end"] = EtcdClient.Key(End) },
        };
    }
}
