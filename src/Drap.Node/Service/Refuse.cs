using System.Diagnostics.CodeAnalysis;
using Drap.Api;
using Drap.Core.Nodes;

namespace Drap.Node.Service;

/// <summary>The service's refusals.</summary>
internal static class Refuse
{
    public static ApiException NoJob(JobId job) => new(ErrorCodes.NotFound, $"there is no job {job}", job.ToString(), "a job of drap job list");

    /// <summary>The reply as what was asked for.</summary>
    /// <exception cref="ApiException">The scheduler refused.</exception>
    public static T As<T>(this SchedulerReply reply) where T : SchedulerReply
    {
        if (reply is SchedulerReply.Refused refused)
            Throw(refused);
        return (T)reply;
    }

    [DoesNotReturn]
    private static void Throw(SchedulerReply.Refused refused) => throw new ApiException(
        refused.Because switch
        {
            RefusedBecause.NotFound => ErrorCodes.NotFound,
            RefusedBecause.Busy => ErrorCodes.Busy,
            RefusedBecause.NoRoom => ErrorCodes.Storage,
            _ => ErrorCodes.Conflict,
        },
        refused.Message);
}
