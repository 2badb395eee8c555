namespace Foretier.Predict.Models;

/// <summary>Why a model gives no answer.</summary>
public enum InferenceFailure
{
    /// <summary>There is no model, or no program to run it.</summary>
    Missing,

    /// <summary>A model is there and is not to be used: damaged, of another contract, or made for a newer runtime.</summary>
    Refused,

    /// <summary>The child process ended before it answered.</summary>
    Killed,

    /// <summary>No answer by the deadline; the child was ended.</summary>
    Hung,

    /// <summary>What came is no answer: broken frames, other dimensions, numbers that are none.</summary>
    Garbage,
}

/// <summary>A model gave no answer. What it was asked for comes from baselines instead; the message is fit for an operator.</summary>
public sealed class InferenceException(InferenceFailure failure, string message, Exception? inner = null) : Exception(message, inner)
{
    public InferenceFailure Failure { get; } = failure;
}
