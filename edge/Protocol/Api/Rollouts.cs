namespace Foretier.Protocol.Api;

/// <summary>What is wanted of a release on the boxes: of models and of images.</summary>
public interface IRollout
{
    /// <summary>Rises with every change.</summary>
    long Revision { get; }
}

public enum RolloutStage
{
    /// <summary>Boxes fetch and try it: a model beside the one that serves, until it is better; an image in place of the one that runs, as long as it does well.</summary>
    Trial,

    /// <summary>Nothing is fetched, and nothing changes what serves.</summary>
    Paused,

    /// <summary>Boxes where it does not serve drop it.</summary>
    Stopped,

    /// <summary>Boxes where it serves go back to the one before; the others drop it.</summary>
    RolledBack,
}
