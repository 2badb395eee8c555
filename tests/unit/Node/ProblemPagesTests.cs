using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Foretier.Node.Keys;
using Foretier.Node.Serve;
using Microsoft.AspNetCore.Builder;

namespace Foretier.Tests.Unit.Node;

/// <summary>A node on loopback that holds nothing: whatever is wrong with a request, the answer is a problem document that says what to do.</summary>
public sealed class ProblemPagesTests : IAsyncLifetime
{
    private TestNode _node = null!;

    public async Task InitializeAsync()
    {
        _node = await TestNode.StartAsync(node =>
        {
            new QueryApi(node.Answerer, node.Catalog, TimeProvider.System).Map(node.App.MapApi());
            node.App.MapGet("/fails", string () => throw new InvalidOperationException("secret detail"));
        });
        _node.ComeAs("k", isAdmin: true);
    }

    public async Task DisposeAsync() => await _node.DisposeAsync();

    [Theory]
    [InlineData("GET", "nothing", null, 404, "not_found", "/nothing")]
    [InlineData("DELETE", "api/v1/query", null, 405, "bad_method", "GET, POST")]
    [InlineData("POST", "api/v1/query", "{", 400, "bad_request", "body")]
    [InlineData("POST", "api/v1/query", "{}", 400, "bad_query", "queries")]
    [InlineData("GET", "api/v1/explain?series=a/b/c&execute=banana", null, 400, "bad_request", "parameter")]
    [InlineData("GET", "api/v1/query?series=a/b/c&stepp=1m", null, 400, "bad_parameter", "'stepp'")]
    [InlineData("GET", "api/v1/query?series=a/b/c", null, 404, "unknown_series", "a/b/c")]
    [InlineData("GET", "fails", null, 500, "internal_error", "log")]
    public async Task Every_refusal_is_a_problem_document_that_says_what_to_do(string method, string path, string? body, int status, string code, string says)
    {
        using var request = new HttpRequestMessage(new(method), path);
        request.Content = body is null ? null : new StringContent(body, System.Text.Encoding.UTF8, "application/json");
        using var response = await _node.Http.SendAsync(request);
        Assert.Equal((HttpStatusCode)status, response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        var problem = await response.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Equal(code, problem.GetProperty("code").GetString());
        Assert.Equal($"urn:foretier:problem:{code}", problem.GetProperty("type").GetString());
        Assert.Contains(says, problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.DoesNotContain("secret detail", problem.ToString(), StringComparison.Ordinal);
    }
}
