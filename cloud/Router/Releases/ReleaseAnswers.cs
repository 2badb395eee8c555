using Foretier.Archive.Stores;
using Foretier.Node.Serve;
using Foretier.Protocol.Releases;
using Problem = Foretier.Node.Serve.Problem;

namespace Foretier.Router.Releases;

/// <summary>What is answered alike to whoever publishes and rolls out releases, of whatever sort.</summary>
internal static class ReleaseAnswers
{
    public static IResult Published => Problem.Of(StatusCodes.Status409Conflict, "published", "this version is published already with other content: give it the next version, and sign it anew");

    /// <summary>Null where it is a share of the boxes.</summary>
    public static IResult? WhyNot(int? percent) =>
        percent is < 0 or > 100 ? Problem.Of(StatusCodes.Status400BadRequest, "bad_parameter", $"percent={percent} must lie within 0 and 100") : null;

    /// <summary>Looks at the archive.</summary>
    /// <returns>Why what is known is that of an earlier look; null where it is not.</returns>
    public static async Task<string?> LookAsync(Func<CancellationToken, Task> refresh, CancellationToken cancel)
    {
        try
        {
            await refresh(cancel).ConfigureAwait(false);
            return null;
        }
        catch (ArchiveException error)
        {
            return $"{error.Message}; this is what was known before";
        }
    }

    /// <summary>Does work on the archive, and says what was wrong with it.</summary>
    /// <param name="refused">The problem's code where a release is none.</param>
    public static async Task<IResult> StoredAsync(string refused, Func<Task<IResult>> work)
    {
        try
        {
            return await work().ConfigureAwait(false);
        }
        catch (ReleaseRefusedException wrong)
        {
            return Problem.Of(StatusCodes.Status400BadRequest, refused, wrong.Message);
        }
        catch (ArchiveException error)
        {
            return Unchanged(error);
        }
    }

    public static IResult Unchanged(Exception error) => Problem.Of(StatusCodes.Status503ServiceUnavailable, "archive", $"{error.Message}; nothing has changed");
}
