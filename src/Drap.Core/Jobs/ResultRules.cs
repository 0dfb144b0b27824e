namespace Drap.Core.Jobs;

/// <summary>Results go into one folder: no two may have one place there, or the later would silently replace the other.</summary>
internal static class ResultRules
{
    public static void Check(JobSpec job, RuleChecker problems)
    {
        // Who fills a place, and who fills one below it.
        Dictionary<string, string> taken = new(StringComparer.Ordinal), below = new(StringComparer.Ordinal);
        for (int i = 0; i < job.Segments.Length; i++)
        {
            SegmentSpec segment = job.Segments[i];
            foreach ((string name, OutputSpec output) in segment.Outputs)
            {
                if (output.Result == false || !Template.TryParse(output.To, out Template? to, out _))
                    continue;
                string at = $"segments[{i}].outputs.{name}.to";
                // What an expression makes is known later; two templates that are alike make the same.
                bool isOnePlace = to.IsLiteral && JobForm.TaskCount(segment) > 1;
                problems.Require(!isOnePlace, at, $"'{output.To}' for each of {JobForm.TaskCount(segment)} tasks", "a place for each, as with ${{ index }} or ${{ item }} in it");
                string? other = Above(output.To).Select(taken.GetValueOrDefault).FirstOrDefault(o => o is not null) ?? below.GetValueOrDefault(output.To);
                problems.Require(other is null, at, $"'{output.To}', which {other} fills too", "places of their own");
                taken.TryAdd(output.To, $"segments[{i}].outputs.{name}");
                foreach (string folder in Above(output.To).Skip(1))
                    below.TryAdd(folder, $"segments[{i}].outputs.{name}");
            }
        }
    }

    /// <summary>The place, and the folders above it.</summary>
    private static IEnumerable<string> Above(string place)
    {
        for (string rest = place; rest.Length > 0; rest = rest.LastIndexOf('/') is > 0 and int slash ? rest[..slash] : "")
            yield return rest;
    }
}
