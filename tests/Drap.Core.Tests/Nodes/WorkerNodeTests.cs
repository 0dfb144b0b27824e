using Xunit;

namespace Drap.Core.Tests.Nodes;

public sealed class WorkerNodeTests
{
    [Theory]
    [InlineData("backlog")]
    [InlineData("credit")]
    [InlineData("direct")]
    [InlineData("drain")]
    [InlineData("ends")]
    [InlineData("fairness")]
    [InlineData("gangs")]
    [InlineData("gathering")]
    [InlineData("holds")]
    [InlineData("idle")]
    [InlineData("late_heartbeats")]
    [InlineData("leases")]
    [InlineData("main_path")]
    [InlineData("one_by_one")]
    [InlineData("order")]
    [InlineData("outbox")]
    [InlineData("patient")]
    [InlineData("quotas")]
    [InlineData("refusals")]
    [InlineData("sandbox")]
    [InlineData("time_over")]
    [InlineData("restart")]
    [InlineData("shrink")]
    public void A_worker_behaves_as_the_script_tells(string script) => WorkerScript.Run(script);
}
