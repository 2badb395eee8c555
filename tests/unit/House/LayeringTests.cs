using System.Xml.Linq;

namespace Foretier.Tests.Unit.House;

/// <summary>The walls of the house, read from the project files: what each part may lean on, and what must never be there.</summary>
public class LayeringTests
{
    internal static readonly string Root = FindRoot();

    /// <summary>Project → projects it may reference. Arrows run one way: cloud → edge, executables → Node, Protocol, Predict, Archive → Core, Durable.</summary>
    private static readonly Dictionary<string, string[]> MayReference = new()
    {
        ["Foretier.Core"] = [],
        ["Foretier.Durable"] = [],
        ["Foretier.Protocol"] = ["Foretier.Core"],
        ["Foretier.Predict"] = ["Foretier.Core", "Foretier.Durable"],
        ["Foretier.Archive"] = ["Foretier.Core", "Foretier.Durable"],
        ["Foretier.Node"] = ["Foretier.Core", "Foretier.Protocol", "Foretier.Durable"],
        ["Foretier.Agent"] = ["Foretier.Core", "Foretier.Protocol", "Foretier.Node", "Foretier.Predict", "Foretier.Durable"],
        ["Foretier.Gateway"] = ["Foretier.Core", "Foretier.Protocol", "Foretier.Node", "Foretier.Predict", "Foretier.Archive", "Foretier.Durable"],
        ["Foretier.Router"] = ["Foretier.Core", "Foretier.Protocol", "Foretier.Node", "Foretier.Archive"],
        ["Foretier.Client"] = ["Foretier.Core", "Foretier.Protocol"],
        ["Foretier.Cli"] = ["Foretier.Core", "Foretier.Protocol", "Foretier.Client", "Foretier.Predict", "Foretier.Archive"],
    };

    /// <summary>Package → the only projects that may name it.</summary>
    private static readonly Dictionary<string, string[]> Owners = new()
    {
        ["LiteDB"] = ["Foretier.Agent"],
        ["MQTTnet.Server"] = ["Foretier.Agent"],
        ["MQTTnet"] = ["Foretier.Agent", "Foretier.Cli", "Foretier.Client"],
        ["Minio"] = ["Foretier.Archive"],
        ["ParquetSharp"] = ["Foretier.Archive"],
        ["Microsoft.ML.OnnxRuntime"] = ["Foretier.Predict"],
        ["dotnet-etcd"] = ["Foretier.Router"],
        ["Microsoft.Data.Sqlite"] = ["Foretier.Gateway", "Foretier.Router"],
        ["ZstdSharp.Port"] = ["Foretier.Core"],
    };

    [Fact]
    public void Projects_lean_only_on_what_the_architecture_allows()
    {
        foreach (var project in Projects())
        {
            var allowed = MayReference[Name(project)];
            var references = XDocument.Load(project).Descendants("ProjectReference")
                .Where(r => (string?)r.Attribute("ReferenceOutputAssembly") != "false")
                .Select(r => Path.GetFileNameWithoutExtension((string)r.Attribute("Include")!));
            Assert.All(references, reference => Assert.True(allowed.Contains(reference), $"{Name(project)} must not reference {reference}"));
        }
    }

    [Fact]
    public void Packages_stay_in_the_rooms_that_own_them()
    {
        foreach (var project in Projects())
        {
            foreach (var package in XDocument.Load(project).Descendants("PackageReference").Select(r => (string)r.Attribute("Include")!))
            {
                Assert.True(!Owners.TryGetValue(package, out var owners) || owners.Contains(Name(project)), $"{Name(project)} must not use {package}");
            }
        }
    }

    [Theory]
    [InlineData("Foretier.Router", "Microsoft.ML.OnnxRuntime")]
    [InlineData("Foretier.Router", "LiteDB")]
    [InlineData("Foretier.Router", "MQTTnet")]
    [InlineData("Foretier.Gateway", "MQTTnet")]
    [InlineData("Foretier.Agent", "Minio")]
    public void Programs_do_not_come_by_packages_through_others(string program, string package) =>
        Assert.DoesNotContain(package, Closure(program).SelectMany(project => Included(project, "PackageReference")));

    private static IEnumerable<string> Closure(string name)
    {
        var project = Projects().Single(project => Name(project) == name);
        return Included(project, "ProjectReference").Select(path => Path.GetFileNameWithoutExtension(path)!).SelectMany(Closure).Append(project).Distinct();
    }

    private static IEnumerable<string> Included(string project, string kind) =>
        XDocument.Load(project).Descendants(kind).Select(reference => (string)reference.Attribute("Include")!);

    [Fact]
    public void LiteDB_is_named_in_the_hot_tier_alone()
    {
        var strangers = Sources().Where(f => !f.Contains(Path.Combine("edge", "Agent", "Hot"), StringComparison.Ordinal)
            && File.ReadLines(f).Any(line => line.StartsWith("using LiteDB", StringComparison.Ordinal)));
        Assert.Empty(strangers);
    }

    [Fact]
    public void Types_and_files_that_the_architecture_page_names_exist()
    {
        var page = File.ReadAllText(Path.Combine(Root, "ARCHITECTURE.md"));
        var sources = Sources().ToList();
        var declared = sources.SelectMany(File.ReadLines)
            .Select(line => System.Text.RegularExpressions.Regex.Match(line, @"\b(?:class|record|struct|interface|enum)(?: struct| class)? (\w+)"))
            .Where(m => m.Success).Select(m => m.Groups[1].Value).ToHashSet();
        var missing = System.Text.RegularExpressions.Regex.Matches(page, @"`([A-Z]\w+)`").Select(m => m.Groups[1].Value)
            .Where(name => !declared.Contains(name) && !NotTypes.Contains(name)).Distinct().ToList();
        Assert.True(missing.Count == 0, "ARCHITECTURE.md names what is not there: " + string.Join(", ", missing));
        var paths = System.Text.RegularExpressions.Regex.Matches(page, @"`((?:edge|cloud|tests|scripts|models|firmware-config)/[\w./-]*)`").Select(m => m.Groups[1].Value)
            .Where(path => !File.Exists(Path.Combine(Root, path)) && !Directory.Exists(Path.Combine(Root, path))).ToList();
        Assert.True(paths.Count == 0, "ARCHITECTURE.md names paths that are not there: " + string.Join(", ", paths));
    }

    private static readonly HashSet<string> NotTypes = ["TimeProvider", "HttpClient", "PUBACK"];

    private static IEnumerable<string> Projects() => new[] { "edge", "cloud" }.SelectMany(top => Directory.EnumerateFiles(Path.Combine(Root, top), "*.csproj", SearchOption.AllDirectories));

    private static IEnumerable<string> Sources() => new[] { "edge", "cloud" }
        .SelectMany(top => Directory.EnumerateFiles(Path.Combine(Root, top), "*.cs", SearchOption.AllDirectories))
        .Where(f => !f.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal));

    private static string Name(string project) => Path.GetFileNameWithoutExtension(project);

    private static string FindRoot()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Edge.sln")))
        {
            folder = Path.GetDirectoryName(folder)!;
        }
        return folder;
    }
}
