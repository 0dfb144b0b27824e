using System.Net.Sockets;
using Drap.Api;
using Drap.Api.Json;
using Drap.Node.Home;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Drap.Node.Api;

/// <summary>
/// The API on a home's Unix socket: Kestrel without a web host, since its start is on the way of every <c>drap run</c>. What the routes are stands
/// in <see cref="ApiRoutes"/>.
/// </summary>
public sealed partial class ApiServer : IAsyncDisposable
{
    /// <summary>Connections at once: a person's shells, a page and some scripts; more are closed at once.</summary>
    private const int connectionsMax = 256;

    /// <summary>How long streams may take to end when the server does.</summary>
    private static readonly TimeSpan stopPatience = TimeSpan.FromSeconds(2);

    private readonly KestrelServer kestrel;

    private ApiServer(KestrelServer kestrel, string socketPath)
    {
        this.kestrel = kestrel;
        SocketPath = socketPath;
    }

    /// <summary>Where it listens.</summary>
    public string SocketPath { get; }

    /// <summary>Listens on the home's socket; returns when calls are answered. The caller holds the home's lock.</summary>
    /// <exception cref="HomeException">There is no place for the socket.</exception>
    public static async Task<ApiServer> StartAsync(INodeService service, HomeFolder home, ILoggerFactory loggers, CancellationToken cancel)
    {
        Socket socket = HomeSocket.Bind(home, out string path);
        var options = new KestrelServerOptions { AddServerHeader = false, AllowSynchronousIO = false };
        options.Limits.MaxConcurrentConnections = connectionsMax;
        // Standard input, logs and events may be silent for days, and a blob is as large as it is; documents have their own limit.
        options.Limits.MaxRequestBodySize = null;
        options.Limits.MinRequestBodyDataRate = null;
        options.Limits.MinResponseDataRate = null;
        options.ListenUnixSocket(path);
        var transport = new SocketTransportFactory(
            Options.Create(new SocketTransportOptions { CreateBoundListenSocket = _ => socket }), loggers);
        var kestrel = new KestrelServer(Options.Create(options), transport, loggers);
        try
        {
            await kestrel.StartAsync(new Application(service, loggers.CreateLogger<ApiServer>()), cancel).ConfigureAwait(false);
        }
        catch
        {
            kestrel.Dispose();
            socket.Dispose();
            throw;
        }
        return new ApiServer(kestrel, path);
    }

    /// <summary>Takes no more calls, gives streams a moment to end, and removes the socket.</summary>
    public async ValueTask DisposeAsync()
    {
        // Removed first, so that who finds no socket waits for the lock instead of a closed door.
        File.Delete(SocketPath);
        using var patience = new CancellationTokenSource(stopPatience);
        await kestrel.StopAsync(patience.Token).ConfigureAwait(false);
        kestrel.Dispose();
    }

    private sealed class Application(INodeService service, ILogger log) : IHttpApplication<HttpContext>
    {
        public HttpContext CreateContext(IFeatureCollection contextFeatures) => new DefaultHttpContext(contextFeatures);

        public void DisposeContext(HttpContext context, Exception? exception)
        {
        }

        public async Task ProcessRequestAsync(HttpContext context)
        {
            try
            {
                ApiRoute route = Find(context.Request, out string? value);
                await route.Handle(new ApiCall(service, context, value)).ConfigureAwait(false);
            }
            catch (ApiException e)
            {
                await RefuseAsync(context, e.Error).ConfigureAwait(false);
            }
            catch (Exception e) when (context.RequestAborted.IsCancellationRequested && e is OperationCanceledException or IOException)
            {
                // The caller has gone; there is nobody to tell.
            }
            catch (Microsoft.AspNetCore.Http.BadHttpRequestException e)
            {
                await RefuseAsync(context, new ApiError(ErrorCodes.BadRequest, e.Message)).ConfigureAwait(false);
            }
            catch (Exception e)
            {
                Log.Failed(log, e, context.Request.Method, context.Request.Path);
                await RefuseAsync(context, new ApiError(ErrorCodes.Internal, $"a fault of drap's own: {e.Message}")).ConfigureAwait(false);
            }
        }

        private static ApiRoute Find(HttpRequest request, out string? value)
        {
            string[] segments = request.Path.Value?.Split('/', StringSplitOptions.RemoveEmptyEntries) ?? [];
            value = null;
            bool pathKnown = false;
            foreach (ApiRoute route in ApiRoutes.All)
            {
                if (!Matches(route.Segments, segments, out string? found))
                    continue;
                pathKnown = true;
                value = found;
                if (route.Method == request.Method)
                    return route;
            }
            throw pathKnown
                ? new ApiException(ErrorCodes.BadRequest, $"{request.Method} is not for {request.Path}", "method", "see /openapi.json")
                : new ApiException(ErrorCodes.NotFound, $"there is no {request.Path} here", "path", "see /openapi.json");
        }

        private static bool Matches(string[] pattern, string[] path, out string? value)
        {
            value = null;
            if (pattern.Length != path.Length)
                return false;
            for (int i = 0; i < pattern.Length; i++)
            {
                if (pattern[i][0] == '{')
                    value = path[i];
                else if (pattern[i] != path[i])
                    return false;
            }
            return true;
        }

        private static async Task RefuseAsync(HttpContext context, ApiError error)
        {
            if (context.Response.HasStarted)
            {
                context.Abort();
                return;
            }
            context.Response.Clear();
            var call = new ApiCall(null!, context, null);
            await call.WriteAsync(new ErrorDocument { Error = error }, ApiJson.Line.ErrorDocument, Status(error.Code)).ConfigureAwait(false);
        }

        private static int Status(string code) => code switch
        {
            ErrorCodes.BadRequest => StatusCodes.Status400BadRequest,
            ErrorCodes.BadJob => StatusCodes.Status422UnprocessableEntity,
            ErrorCodes.NotFound => StatusCodes.Status404NotFound,
            ErrorCodes.Ambiguous or ErrorCodes.Conflict => StatusCodes.Status409Conflict,
            ErrorCodes.Busy => StatusCodes.Status429TooManyRequests,
            ErrorCodes.TooLarge => StatusCodes.Status413PayloadTooLarge,
            ErrorCodes.Storage => StatusCodes.Status507InsufficientStorage,
            ErrorCodes.ShuttingDown => StatusCodes.Status503ServiceUnavailable,
            _ => StatusCodes.Status500InternalServerError,
        };
    }

    private static partial class Log
    {
        [LoggerMessage(6001, LogLevel.Error, "{Method} {Path} failed")]
        public static partial void Failed(ILogger log, Exception e, string method, string path);
    }
}
