namespace Drap.Core.Market.Packing;

/// <summary>How a worker chooses among the tasks of a window.</summary>
public enum PackingStrategy
{
    /// <summary>The best of the others, improved by exchanges and a bounded search. The default: at least 97 % of the optimum on average.</summary>
    Hybrid,

    /// <summary>Highest value first.</summary>
    Profit,

    /// <summary>Highest value per resource first, where a resource counts the more the scarcer it is among these tasks.</summary>
    Density,

    /// <summary>First what leaves the least behind; value only between equals. For owners who want their machine full.</summary>
    BestFit,
}
