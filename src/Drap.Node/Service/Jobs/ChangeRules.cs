using Drap.Api;
using Drap.Core.Jobs;

namespace Drap.Node.Service;

/// <summary>What new values of a job may be: the same bounds as in a job file.</summary>
internal static class ChangeRules
{
    /// <exception cref="ApiException">A value is out of its bounds.</exception>
    public static void Check(ChangeRequest request)
    {
        Require(request.Priority is null or (>= -JobLimits.PriorityMax and <= JobLimits.PriorityMax), "priority", $"a whole number from -{JobLimits.PriorityMax} to {JobLimits.PriorityMax}");
        Require(request.Retries is null or (>= 0 and <= JobLimits.RetriesMax), "retries", $"a whole number from 0 to {JobLimits.RetriesMax}");
        Require(request.MaxFails is null or >= 0, "max_fails", "0 or more");
        Require(request.MaxRunning is null or >= 1, "max_running", "1 or more");
        Require(request.TimeoutSeconds is null || request.TimeoutSeconds > TimeSpan.Zero, "timeout_seconds", "more than 0");
        Require(request.DeadlineSeconds is null || request.DeadlineSeconds > TimeSpan.Zero, "deadline_seconds", "more than 0");
        Require(request.Bid is not { } bid || request.Limit is not { } limit || bid <= limit, "limit", "no less than the bid");
        Require(request.Budget is not { Micro: < 0 }, "budget", "0 or more");
    }

    private static void Require(bool holds, string field, string allowed)
    {
        if (!holds)
            throw new ApiException(ErrorCodes.BadRequest, $"{field} is out of its bounds", field, allowed);
    }
}
