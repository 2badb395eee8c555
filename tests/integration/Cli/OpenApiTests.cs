using System.Net;
using System.Net.Http.Headers;
using System.Reflection;
using System.Text.Json;
using Foretier.Node.Serve;
using Foretier.Protocol.Api;
using Refit;

namespace Foretier.Tests.Integration.Cli;

/// <summary>What /openapi/v1.json says, against the running router and against the contract that clients use.</summary>
public sealed class OpenApiTests : IDisposable
{
    private readonly string _folder = Path.Combine(Directory.CreateTempSubdirectory("foretier-openapi-").FullName, "data");

    public void Dispose() => Directory.Delete(Path.GetDirectoryName(_folder)!, recursive: true);

    [Fact]
    public async Task The_description_the_contract_and_the_running_router_agree()
    {
        using var up = await RunningUp.StartAsync(_folder, RunningUp.FreePort(), RunningUp.FreePort());
        using var http = new HttpClient { BaseAddress = new Uri(up.Line.GetProperty("router").GetString()!) };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", up.Line.GetProperty("apiKey").GetString());
        var paths = JsonElement.Parse(await http.GetStringAsync("openapi/v1.json")).GetProperty("paths").EnumerateObject()
            .SelectMany(path => path.Value.EnumerateObject().Select(method => (Path: path.Name, Method: method.Name.ToUpperInvariant(), What: method.Value))).ToList();

        // What the typed client calls is described.
        var described = paths.Select(p => (p.Method, p.Path)).ToHashSet();
        Assert.All(typeof(IForetierApi).GetMethods().Select(m => m.GetCustomAttribute<HttpMethodAttribute>(inherit: true)!),
            call => Assert.Contains((call.Method.Method, call.Path), described));

        // Every parameter of a query is described.
        var query = paths.Single(p => p is { Path: "/api/v1/query", Method: "GET" }).What;
        Assert.Equal(QueryText.Names.Order(), query.GetProperty("parameters").EnumerateArray().Select(p => p.GetProperty("name").GetString()!).Order());

        foreach (var (path, method, what) in paths.Where(p => p.Path.StartsWith("/api/v1/", StringComparison.Ordinal)))
        {
            Assert.True(what.TryGetProperty("summary", out _), $"{method} {path} has no summary");
            // It is there: it knows us, and wants something else of us at most. (What changes something is asked without saying what.)
            using var request = new HttpRequestMessage(new HttpMethod(method), path.Replace("{", "no-", StringComparison.Ordinal).Replace("}", "", StringComparison.Ordinal));
            using var response = await http.SendAsync(request);
            var text = await response.Content.ReadAsStringAsync();
            Assert.True(response.StatusCode is not (HttpStatusCode.MethodNotAllowed or HttpStatusCode.Unauthorized or HttpStatusCode.InternalServerError), $"{method} {path}: {(int)response.StatusCode} {text}");
            if (!response.IsSuccessStatusCode)
            {
                Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
                var code = JsonElement.Parse(text).GetProperty("code").GetString();
                Assert.NotEqual("not_found", code);
            }
        }
    }
}
