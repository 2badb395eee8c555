namespace Foretier.Tests.Unit.Archive;

[CollectionDefinition(RadosServer.Collection)]
public sealed class RadosServerTests : ICollectionFixture<RadosServer>;
