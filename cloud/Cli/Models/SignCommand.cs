using System.CommandLine;
using System.Security.Cryptography;
using Foretier.Cli.Ask;
using Foretier.Core.Query;
using Foretier.Predict.Models;
using Foretier.Protocol.Api;
using Foretier.Protocol.Releases;

namespace Foretier.Cli.Models;

/// <summary><c>foretier models sign</c>, which needs the private key and no network, and <c>publish</c>, which needs the network and no key.</summary>
internal static class SignCommand
{
    private const string ManifestFile = "model.json", ModelFile = "model.onnx";
    private static readonly TimeSpan Year = TimeSpan.FromDays(365);

    public static Command Make()
    {
        var (folder, signing) = (Folder(), new SigningOptions());
        var key = new Option<FileInfo>("--private-key") { Description = "The private key: keys/private/model-key.pem of scripts/release --make-keys.", HelpName = "FILE", Required = true };
        var command = new Command("sign", $"Sign a model: writes {SignedRelease.DocumentFile} and {SignedRelease.SignatureFile} beside it. Works without any network.") { folder, key, signing.Expires, signing.StepBack };
        command.SetAction(CommandLine.Run((session, parse, _) =>
        {
            var path = parse.GetRequiredValue(folder).FullName;
            var signed = Sign(path, parse.GetRequiredValue(key), parse, signing, session.Clock);
            File.WriteAllBytes(Path.Combine(path, SignedRelease.DocumentFile), signed.Document);
            File.WriteAllBytes(Path.Combine(path, SignedRelease.SignatureFile), signed.Signature);
            var release = signed.AsModel();
            session.Terminal.Tell(release, $"{release.Id} {release.Version} is signed, good until {release.Expires:yyyy-MM-dd}; next: foretier models publish {path}");
            return Task.FromResult(ExitCode.Ok);
        }));
        return command;
    }

    public static Command MakePublish()
    {
        var (folder, signing) = (Folder(), new SigningOptions());
        var key = new Option<FileInfo?>("--private-key") { Description = "Sign it first, with this private key.", HelpName = "FILE" };
        var percent = ModelsCommand.Percent("Of all boxes to begin with (default: 100). What they do with it first is only to compare.");
        var labels = ModelsCommand.Labels();
        return new Command("publish", "Put a signed model into the archive, and begin to roll it out.") { folder, key, signing.Expires, signing.StepBack, percent, labels }
            .Asks(async (session, parse, client, cancel) =>
            {
                var path = parse.GetRequiredValue(folder).FullName;
                var signed = parse.GetValue(key) is { } file ? Sign(path, file, parse, signing, session.Clock)
                    : new(Read(path, SignedRelease.DocumentFile), Read(path, SignedRelease.SignatureFile));
                var release = Checked(() => signed.AsModel());
                var upload = new ModelUpload(signed.Document, signed.Signature, [.. release.Files.Select(one => new ModelFile(one.Name, Read(path, one.Name)))],
                    parse.GetValue(percent) ?? 100, parse.GetValue(labels) ?? []);
                var entry = await client.PublishModelAsync(upload, cancel).ConfigureAwait(false);
                session.Terminal.Tell(entry, ModelsCommand.Describe(entry));
            });
    }

    /// <summary>Signs what would pass at a box, as far as can be told here.</summary>
    private static SignedRelease Sign(string path, FileInfo key, ParseResult parse, SigningOptions signing, TimeProvider clock)
    {
        var manifest = Checked(() => ModelFolder.Open(path).Manifest);
        List<ReleasedFile> files = [];
        foreach (var name in new[] { ManifestFile, ModelFile, manifest.Golden.File })
        {
            var content = Read(path, name);
            files.Add(new(name, content.Length, Convert.ToHexStringLower(SHA256.HashData(content))));
        }
        var expires = clock.GetUtcNow() + (parse.GetValue(signing.Expires) ?? Year);
        var release = new ModelRelease(ModelRelease.FormatVersion, manifest.Id, manifest.Version, manifest.Contract, manifest.OnnxRuntimeMin,
            new(expires.Ticks - expires.Ticks % TimeSpan.TicksPerSecond, TimeSpan.Zero), files)
        { StepsBack = parse.GetValue(signing.StepBack) };
        return Checked(() =>
        {
            var signed = SignedRelease.Sign(release.ToDocument(), File.ReadAllText(key.FullName));
            _ = signed.AsModel();
            return signed;
        });
    }

    private static T Checked<T>(Func<T> work)
    {
        try
        {
            return work();
        }
        catch (Exception e) when (e is InferenceException or ReleaseRefusedException)
        {
            throw new CommandException(ExitCode.Refused, e.Message);
        }
    }

    private static byte[] Read(string path, string name)
    {
        var file = Path.Combine(path, name);
        return File.Exists(file) ? File.ReadAllBytes(file)
            : throw new CommandException(ExitCode.BadUsage, $"there is no {file}", name == SignedRelease.DocumentFile ? $"Sign the model first: foretier models sign {path} --private-key keys/private/model-key.pem" : null);
    }

    private static Argument<DirectoryInfo> Folder() => new("FOLDER") { Description = "Of the model: model.json, model.onnx and its golden vectors (see models/README.md)." };

    private sealed class SigningOptions
    {
        public Option<TimeSpan?> Expires { get; } = new("--expires")
        {
            Description = "How long boxes may begin with it (default: 365d).",
            HelpName = "DURATION",
            CustomParser = result => Question.TryDuration(result.Tokens[0].Value, out var micros) && micros > 0 ? TimeSpan.FromMicroseconds(micros)
                : ServerOptions.Refuse<TimeSpan?>(result, $"--expires: '{result.Tokens[0].Value}' is not a duration; use for example 90d"),
        };

        public Option<bool> StepBack { get; } = new("--step-back") { Description = "Boxes that have had a later version take it too." };
    }
}
