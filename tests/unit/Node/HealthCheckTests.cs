using System.Net.Sockets;
using System.Text;
using Foretier.Node.Hosting;

namespace Foretier.Tests.Unit.Node;

public class HealthCheckTests
{
    [Theory]
    [InlineData("http://0.0.0.0:8080", "http://127.0.0.1:8080/healthz")]
    [InlineData("http://127.0.0.1:8081", "http://127.0.0.1:8081/healthz")]
    [InlineData("http://localhost:1/", "http://localhost:1/healthz")]
    public void The_node_is_asked_where_it_listens(string http, string asked) => Assert.Equal(asked, HealthCheck.Address(http)?.ToString());

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("8080")]
    [InlineData("https://edge:8080")]
    public void Without_an_address_there_is_nothing_to_ask(string? http) => Assert.Null(HealthCheck.Address(http));

    [Fact]
    public void The_service_manager_hears_it_on_the_socket_that_it_named()
    {
        var path = Path.Combine(Path.GetTempPath(), $"foretier-{Guid.NewGuid():N}.sock");
        try
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
            socket.Bind(new UnixDomainSocketEndPoint(path));
            ServiceManager.Say(path, "READY=1");
            var heard = new byte[64];
            Assert.Equal("READY=1", Encoding.UTF8.GetString(heard, 0, socket.Receive(heard)));
        }
        finally
        {
            File.Delete(path);
        }
    }
}
