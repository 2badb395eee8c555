namespace Foretier.Core.Query;

/// <summary>What is written down of an answer: all of it, or as many points as were asked for.</summary>
/// <param name="Answer">For its provenance.</param>
/// <param name="Next">Where the next page begins; null where there is none.</param>
public sealed record AnswerPage(Answer Answer, IReadOnlyList<AnswerResult> Results, PageCursor? Next) : IDisposable
{
    public void Dispose() => Answer.Dispose();

    /// <exception cref="QuestionRefusedException">It cannot be given; see the message.</exception>
    public static AnswerPage Whole(Answer answer) => new(answer, AnswerResults.Of(answer), null);
}
