namespace Drap.Node.Storage.Etcd;

/// <summary>A key and what it holds.</summary>
/// <param name="Key">The key.</param>
/// <param name="Value">Empty where only keys were asked for.</param>
/// <param name="Created">The revision at which it was made.</param>
public sealed record EtcdEntry(string Key, byte[] Value, long Created);
