using System.Collections.Immutable;
using System.Text;
using Drap.Node.Sandbox;

namespace Drap.Node.Drivers;

/// <summary>What a handler has of its task. Not to be used after the handler has returned.</summary>
public sealed class HandlerContext
{
    private readonly DotnetDriver driver;
    private LogCapture? stdout;
    private WorkFolder? folder;

    internal HandlerContext(DotnetDriver driver, LaunchPlan plan)
    {
        this.driver = driver;
        Plan = plan;
    }

    /// <summary>The attempt; its fence is what a process sees as <c>DRAP_FENCE</c>.</summary>
    public AttemptId Attempt => Plan.Attempt;

    /// <summary>The task's arguments, the handler's name left out.</summary>
    public ReadOnlySpan<string> Arguments => Plan.Arguments.AsSpan()[1..];

    /// <summary>The variables that a process would see.</summary>
    public ImmutableArray<KeyValuePair<string, string>> Environment => Plan.Environment;

    /// <summary>The work folder with <c>in/</c> and <c>out/</c>, made when first asked for: a handler without files costs none.</summary>
    public WorkFolder Folder => folder ??= driver.RentFolder(Plan);

    /// <summary>Writes to the task's stdout. Not from two threads at once.</summary>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        stdout ??= new LogCapture(driver.LogBytesMax);
        long offset = stdout.Total;
        stdout.Append(bytes);
        driver.Events.Log(Attempt, LogStream.Stdout, offset, bytes);
    }

    /// <summary>Writes a line of text to the task's stdout.</summary>
    public void WriteLine(string line) => Write(Encoding.UTF8.GetBytes(line + "\n"));

    internal LaunchPlan Plan { get; set; }

    internal WorkFolder? MadeFolder => folder;

    internal CapturedLog Captured => stdout?.Snapshot() ?? default;
}
