using System.Globalization;

namespace Drap.Core;

/// <summary>Amounts of resources with units that people know.</summary>
public static class Amounts
{
    /// <summary>An amount in the unit of a <see cref="Shortage"/>'s dimension; a named resource has none.</summary>
    public static string Of(string dimension, long amount) => dimension switch
    {
        "cpu" => amount == 1000 ? "1 core" : $"{Decimal(amount / 1000m)} cores",
        "memory" or "disk" or "gpu.memory" => Bytes(amount),
        "network" => $"{Decimal(amount)} Mbit/s",
        "gpu" or "gpu.type" => amount == 1 ? "1 device" : $"{Decimal(amount)} devices",
        _ => Decimal(amount),
    };

    private static string Bytes(long bytes)
    {
        (long unit, string name) = bytes switch
        {
            >= 1L << 40 => (1L << 40, "TiB"),
            >= 1L << 30 => (1L << 30, "GiB"),
            >= 1L << 20 => (1L << 20, "MiB"),
            >= 1L << 10 => (1L << 10, "KiB"),
            _ => (1L, "B"),
        };
        return $"{Decimal((decimal)bytes / unit)} {name}";
    }

    private static string Decimal(decimal value) => value.ToString("0.##", CultureInfo.InvariantCulture);
}
