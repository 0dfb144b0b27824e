using Microsoft.Extensions.Logging;

namespace Drap.Cli.Nodes;

/// <summary>A node's log as lines on standard error: time, level, words.</summary>
internal static class ConsoleLogs
{
    public static ILoggerFactory Create(TextWriter output)
    {
        TextWriter together = TextWriter.Synchronized(output);
        return LoggerFactory.Create(builder => builder.SetMinimumLevel(LogLevel.Warning).AddProvider(new Provider(together)));
    }

    private sealed class Provider(TextWriter output) : ILoggerProvider
    {
        public ILogger CreateLogger(string categoryName) => new Lines(output);

        public void Dispose()
        {
        }
    }

    private sealed class Lines(TextWriter output) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (!IsEnabled(logLevel))
                return;
            string time = new UtcTime(TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds()).ToString();
            output.WriteLine($"{time} {logLevel.ToString().ToLowerInvariant()}: {formatter(state, exception)}{(exception is null ? "" : ": " + exception)}");
            output.Flush();
        }
    }
}
