using Foretier.Archive.Stores;
using Foretier.Tests.Unit.Archive;

namespace Foretier.Tests.Unit.Updates;

/// <summary>Models in an archive on a real S3 server.</summary>
[Collection(RadosServer.Collection)]
public sealed class ModelRegistryOnRadosTests(RadosServer server) : ModelRegistryTests(new S3Store(server.Options()));

/// <summary>Images in an archive on a real S3 server.</summary>
[Collection(RadosServer.Collection)]
public sealed class ImageRegistryOnRadosTests(RadosServer server) : ImageRegistryTests(new S3Store(server.Options()));
