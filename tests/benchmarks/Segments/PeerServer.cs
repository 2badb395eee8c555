using System.Diagnostics;
using System.Text;

namespace Foretier.Tests.Benchmarks.Segments;

/// <summary>A running peer and its folder, which goes with it.</summary>
internal sealed class PeerServer(string folder) : IDisposable
{
    private const int StartTries = 300;
    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromMinutes(2) };
    private Process? _process;
    private Uri _root = new("http://127.0.0.1");

    public string Folder => folder;
    public Uri Root => _root;
    public int Pid => _process!.Id;

    /// <summary>Returns when it answers.</summary>
    public void Start(ProcessStartInfo start, Uri root, string ping)
    {
        (start.RedirectStandardError, start.RedirectStandardOutput) = (true, true);
        _root = root;
        var said = "";
        _process = Process.Start(start)!;
        _process.OutputDataReceived += (_, line) => said = line.Data ?? said;
        _process.ErrorDataReceived += (_, line) => said = line.Data ?? said;
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        for (var tries = 0; ; tries++)
        {
            try
            {
                using var answer = _http.Send(new(HttpMethod.Get, new Uri(root, ping)));
                return;
            }
            catch (HttpRequestException)
            {
                if (tries >= StartTries || _process.HasExited)
                {
                    throw new InvalidOperationException($"{start.FileName} does not start: {said}");
                }
                Thread.Sleep(100);
            }
        }
    }

    public void Post(string path, string body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(_root, path)) { Content = new StringContent(body, Encoding.UTF8) };
        using var answer = _http.Send(request);
        answer.EnsureSuccessStatusCode();
    }

    public void Stop()
    {
        if (_process is { HasExited: false })
        {
            _process.Send("TERM");
            _process.WaitForExit();
        }
    }

    public void Dispose()
    {
        Stop();
        _process?.Dispose();
        _http.Dispose();
        Directory.Delete(folder, recursive: true);
    }
}
