using System.Collections.Immutable;
using Drap.Core;
using Drap.Core.Jobs;

namespace Drap.Node.Config;

/// <summary>The owner's limits on what one principal has at one time.</summary>
public sealed record QuotaSpec
{
    [Setting("Tasks that run, stand in line or are offered", Usual = "no limit", Example = "16", Value = "N")]
    public int? Tasks { get; init; }

    [Setting("The part of each resource that its tasks may hold", Usual = "1", Example = "0.5", Value = "PART")]
    public Permille Share { get; init; } = new(1000);

    [Setting("Bytes of its results that may wait here, and of what one task may fetch", Usual = "no limit", Example = "20GiB", Value = "SIZE")]
    public ByteSize? Bytes { get; init; }

    [Setting("Offers out at once", Usual = "256", Example = "64", Value = "N")]
    public int Offers { get; init; } = new QuotaTerms().HoldsMax;

    /// <summary>What one of so many workers of the node goes by: what is counted is divided among them.</summary>
    /// <param name="index">Which of them, from 0.</param>
    /// <param name="count">How many there are.</param>
    internal QuotaTerms ToTerms(int index, int count) => new()
    {
        TasksMax = Tasks is { } tasks ? tasks / count + (index < tasks % count ? 1 : 0) : int.MaxValue,
        SharePermille = Share.Value,
        BytesMax = Bytes is { } bytes ? bytes.Bytes / count : long.MaxValue,
        HoldsMax = Offers,
    };

    internal IEnumerable<JobProblem> Check()
    {
        if (Tasks < 0)
            yield return new JobProblem("quota.tasks", $"found {Tasks}", "0 or more");
        if (Share.Value is < 1 or > 1000)
            yield return new JobProblem("quota.share", $"found {Share}", "more than 0 and at most 1");
        if (Offers is < 1 or > 1024)
            yield return new JobProblem("quota.offers", $"found {Offers}", "1 to 1024");
    }
}

/// <summary>The credit that an owner gives.</summary>
public sealed record CreditSpec
{
    [Setting("Credits a day, paid in each hour", Usual = "100", Example = "20", Value = "CREDITS")]
    public Credits Daily { get; init; } = new CreditTerms().DailyAllowance;

    [Setting("The most that it can save up; it begins with that", Usual = "as much as a day's", Example = "200", Value = "CREDITS")]
    public Credits? Cap { get; init; }

    [Setting("Credits a day of principals by name, instead", Usual = "{}", Example = "{ physics: 500 }", Value = "NAME=CREDITS")]
    public ImmutableSortedDictionary<string, Credits> Of { get; init; } = JobJson.EmptyMap<Credits>();

    /// <summary>What one of so many workers of the node gives.</summary>
    internal CreditTerms ToTerms(int count) => Divided(Daily, Cap ?? Daily, count);

    /// <summary>What it gives to those that are named.</summary>
    internal ImmutableSortedDictionary<Principal, CreditTerms> ToOwnTerms(int count) =>
        Of.ToImmutableSortedDictionary(o => new Principal(o.Key), o => Divided(o.Value, o.Value, count));

    internal IEnumerable<JobProblem> Check()
    {
        foreach (string name in Of.Keys)
            if (name.Length is 0 or > 128)
                yield return new JobProblem("credit.of", $"found '{name}'", "principals, as drap node list shows them");
    }

    private static CreditTerms Divided(Credits daily, Credits cap, int count) => new()
    {
        DailyAllowance = new Credits(daily.Micro / count), Cap = new Credits(cap.Micro / count),
    };
}
