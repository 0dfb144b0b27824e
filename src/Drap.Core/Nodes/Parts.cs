namespace Drap.Core.Nodes;

/// <summary>Cuts lists so that each part fits one message or one record.</summary>
internal static class Parts
{
    /// <summary>Parts of at most <paramref name="countMax"/> items; each ends with the item that brings it to <paramref name="bytesMax"/> or beyond.</summary>
    public static IEnumerable<T[]> InParts<T>(this IEnumerable<T> items, int countMax, int bytesMax, Func<T, int> bytesOf)
    {
        var part = new List<T>();
        long bytes = 0;
        foreach (T item in items)
        {
            part.Add(item);
            bytes += bytesOf(item);
            if (part.Count < countMax && bytes < bytesMax)
                continue;
            yield return [.. part];
            part.Clear();
            bytes = 0;
        }
        if (part.Count > 0)
            yield return [.. part];
    }
}
