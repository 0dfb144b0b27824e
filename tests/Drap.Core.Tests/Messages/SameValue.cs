using System.Collections;
using System.Reflection;

namespace Drap.Core.Tests.Messages;

/// <summary>Compares records by all their properties, lists by their items: records compare arrays by reference only.</summary>
internal static class SameValue
{
    public static void Assert(object? expected, object? found, string path = "")
    {
        if (expected is null || found is null || expected is string or PeerId || expected.GetType().IsPrimitive || expected is Enum)
        {
            Xunit.Assert.True(Equals(expected, found), $"{path}: {expected} was {found}");
            return;
        }
        Xunit.Assert.Equal(expected.GetType(), found.GetType());
        if (expected is IList list)
        {
            IList other = (IList)found;
            Xunit.Assert.True(list.Count == other.Count, $"{path}: {list.Count} items were {other.Count}");
            for (int i = 0; i < list.Count; i++)
                Assert(list[i], other[i], $"{path}[{i}]");
            return;
        }
        PropertyInfo[] properties = Properties(expected.GetType());
        if (properties.Length == 0 || expected.GetType().Namespace == "System")
            Xunit.Assert.True(Equals(expected, found), $"{path}: {expected} was {found}");
        else
            foreach (PropertyInfo property in properties)
                Assert(property.GetValue(expected), property.GetValue(found), $"{path}.{property.Name}");
    }

    /// <summary>The properties that make up a record's value.</summary>
    public static PropertyInfo[] Properties(Type type) =>
        [.. type.GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(p => p.CanWrite && p.GetIndexParameters().Length == 0)];
}
